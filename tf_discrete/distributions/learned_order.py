"""An order of categories in which each lies where the digits that are predicted for it lead."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from tf_discrete._internal import checks
from tf_discrete.distributions import mixed_radix


def learned_order(scores: Sequence[ArrayLike], branching: Sequence[int]) -> np.ndarray:
    """Returns the category of each leaf of a tree, so that paths have the digits that suit their categories.

    From the root down, the categories below a node are assigned to its children, as many to each. The first
    to be assigned is the one with the largest regret, the difference between its best child and the second
    best, among those that are not full. The mean score of each child is subtracted before: that changes no
    sum over equal parts, and a child that suits all categories decides nothing. With two children at each
    node the sum of the scores at each depth is the largest possible, given the depths above. Nothing is
    random; ties go to the lower number. Memory is that of the scores, K times the sum of the branching.

    Args:
        scores: D arrays, float [K, b_d]: how well each child at depth d suits each category. Of a
            classifier, the mean of log q(digit d = j | x) over the examples x of a class.
        branching: Integers >= 2, the children of a node at each depth.

    Returns:
        order: int64 [K], a permutation: leaf -> category. Its `numpy.argsort` is category -> leaf.

    Raises:
        ValueError: Other than finite scores of these shapes, or no branching.

    Example:
        >>> root = [[0.0, 2.0], [3.0, 0.0], [0.0, 1.0], [1.0, 0.0]]  # 1 and 3 to the left.
        >>> below = [[1.0, 0.0], [0.0, 1.0], [0.0, 1.0], [1.0, 0.0]]
        >>> learned_order([root, below], (2, 2)).reshape(2, 2).tolist()
        [[3, 1], [0, 2]]

    Reference:
        Jernite, Choromanska, Sontag. Simultaneous learning of trees and representations for extreme
        classification and density estimation. 2017 (assignment of classes to children while a model learns).
    """
    branching = mixed_radix.check_branching(branching)
    if not isinstance(scores, (list, tuple)) or len(scores) != len(branching):
        rule = f"a list of {len(branching)} arrays, one for each depth of branching={branching}"
        checks.refuse("scores", rule, scores)
    size = math.prod(branching)
    groups = [np.arange(size)]
    for depth, children in enumerate(branching):
        array = _checked(scores[depth], (size, children), depth)
        groups = [part for group in groups for part in _divide(group, array[group])]
    return np.concatenate(groups)


def _divide(group: np.ndarray, scores: np.ndarray) -> list[np.ndarray]:
    """Divides a group into equal parts, one for each child, by the largest regret first."""
    scores = scores - scores.mean(axis=0)
    count, children = scores.shape
    child, room = np.empty(count, np.int64), np.full(children, count // children)
    left = np.arange(count)
    while len(left):
        free = np.flatnonzero(room)
        own = scores[left][:, free]
        best = free[own.argmax(axis=1)]
        highest = np.sort(own, axis=1)[:, -2:]
        turn = np.argsort(highest[:, 0] - highest[:, -1], kind="stable")
        # Regrets stay as they are until a child is full.
        filled = (best[turn, np.newaxis] == free).cumsum(axis=0) == room[free]
        now = turn[: 1 + np.flatnonzero(filled.any(axis=1))[0]]
        child[left[now]] = best[now]
        room -= np.bincount(best[now], minlength=children)
        left = np.delete(left, now)
    return [group[child == number] for number in range(children)]


def _checked(scores: ArrayLike, shape: tuple[int, int], depth: int) -> np.ndarray:
    """Returns the scores of a depth as an array."""
    try:
        array = np.asarray(scores, np.float64)
    except (TypeError, ValueError):
        array = np.empty(0)
    if array.shape != shape or not np.isfinite(array).all():
        raise ValueError(
            "The scores of a depth must be finite, [K, b_d], a row for each category and a column for each "
            f"child. Received: scores[{depth}].shape={array.shape}, where {shape} is due"
        )
    return array
