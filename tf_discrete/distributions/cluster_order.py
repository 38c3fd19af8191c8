"""An order of categories in which those that are close share the first digits of their paths."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from tf_discrete.distributions import mixed_radix

_ITERATIONS = 10
"""Steps of the power iteration; the cut needs no more than a rough direction."""


def cluster_order(vectors: ArrayLike, branching: Sequence[int]) -> np.ndarray:
    """Returns the category of each leaf of a tree, so that close vectors lie below one node.

    From the root down, the categories below a node are cut into equal parts for its children, across the
    direction in which their vectors vary most; into 6 children by 2 and then by 3. Nothing is random.

    Args:
        vectors: float [K, E], a vector of each category, such as a row of an embedding.
        branching: Integers >= 2, the children of a node at each depth, whose product is K.

    Returns:
        order: int64 [K], a permutation: leaf -> category. Its `numpy.argsort` is category -> leaf.

    Raises:
        ValueError: Other than finite vectors, or another number of them than leaves.

    Example:
        >>> cluster_order([[0.0], [9.0], [1.0], [8.0]], (2, 2)).reshape(2, 2).tolist()
        [[0, 2], [3, 1]]
    """
    array = np.asarray(vectors, np.float64)
    if array.ndim != 2 or not array.size or not np.isfinite(array).all():
        raise ValueError(
            "vectors must be finite, [K, E], one row for each category. "
            f"Received: vectors.shape={array.shape}"
        )
    branching = mixed_radix.check_branching(branching, len(array))
    groups = [np.arange(len(array))]
    for children in branching:
        for parts in mixed_radix.prime_factors(children, children):
            groups = [part for group in groups for part in _cut(array, group, parts)]
    return np.concatenate(groups)


def _cut(vectors: np.ndarray, group: np.ndarray, parts: int) -> list[np.ndarray]:
    """Cuts a group into equal parts across its first principal direction."""
    own = vectors[group] - vectors[group].mean(axis=0)
    direction = own[np.argmax((own**2).sum(axis=1))]
    for _ in range(_ITERATIONS):
        direction = own.T @ (own @ direction)
        norm = math.sqrt(direction @ direction)
        if not norm:  # All are equal.
            break
        direction = direction / norm
    if direction[np.argmax(np.abs(direction))] < 0:
        direction = -direction
    return np.split(group[np.argsort(own @ direction, kind="stable")], parts)
