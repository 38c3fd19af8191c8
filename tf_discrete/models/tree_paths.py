"""Paths down a tree whose digits depend on the digits before: one path, the best paths, all of them.

A tree is given by a function of a depth d and prefixes of one-hot digits, [*A, d, r], that returns the logits
of the next digit, [*A, r]. All nodes at a depth have b_d children; impossible ones have logits of -inf.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
import tensorflow as tf

from tf_discrete.distributions import Categorical
from tf_discrete.estimators import Enumeration, Estimator
from tf_discrete.types import Tensor

LogitsFn: TypeAlias = Callable[[int, Tensor], Tensor]
"""Maps a depth d and prefixes of digits [*A, d, r] to the logits of the next digit, [*A, r]."""

Choice: TypeAlias = Callable[[int, Categorical], Tensor]
"""Maps a depth and the distribution of the digit to one-hot digits, [*A, 1, r]."""


def over_children(logits: Tensor) -> Categorical:
    """Returns the distribution of a digit, of one variable, by its logits [*A, r]."""
    return Categorical(logits[..., tf.newaxis, :])


def follow(logits_fn: LogitsFn, depth: int, root: tf.Tensor, choose: Choice) -> tf.Tensor:
    """Follows one path for each element of A: values [*A, D, r].

    Args:
        logits_fn: The tree.
        depth: D.
        root: The prefixes of no digit, [*A, 0, r].
        choose: See `Choice`.
    """
    before = root
    for level in range(depth):
        chosen = choose(level, over_children(logits_fn(level, before)))
        before = tf.concat([before, tf.cast(chosen, before.dtype)], axis=-2)
    return before


def best_by_beam(logits_fn: LogitsFn, depth: int, root: tf.Tensor, beam: int) -> tf.Tensor:
    """Returns the most probable path that a beam search finds, [*A, D, r].

    Args:
        logits_fn: The tree; its prefixes have one more axis, [*A, beam, d, r].
        depth: D.
        root: The prefixes of no digit, [*A, 0, r].
        beam: Prefixes that are kept at each depth.
    """
    before = root[..., tf.newaxis, :, :]
    axes, size = before.shape.rank - 3, root.shape[-1]
    score = tf.zeros(tf.shape(before)[:-2], before.dtype)
    for level in range(depth):
        log_q = tf.nn.log_softmax(logits_fn(level, before))
        total = score[..., tf.newaxis] + log_q
        total = tf.reshape(total, tf.concat([tf.shape(total)[:-2], [-1]], axis=0))
        score, index = tf.math.top_k(total, tf.minimum(beam, tf.shape(total)[-1]))
        before = tf.gather(before, index // size, batch_dims=axes)
        chosen = tf.one_hot(index % size, size, dtype=before.dtype)
        before = tf.concat([before, chosen[..., tf.newaxis, :]], axis=-2)
    return before[..., 0, :, :]


def expectation_over_nodes(
    logits_fn: LogitsFn,
    branching: Sequence[int],
    root: tf.Tensor,
    quantity: Callable[[int, Tensor, Categorical], Tensor],
) -> tf.Tensor:
    """Sums over all nodes a quantity of their digit times the probability of reaching them, [*A].

    Args:
        logits_fn: The tree; its prefixes have one more axis, [*A, nodes, d, r].
        branching: The children of a node at each depth.
        root: The prefixes of no digit, [*A, 0, r].
        quantity: Maps a depth, prefixes and the distribution of their digits to numbers, [*A, nodes].
    """
    reached = tf.ones(tf.concat([tf.shape(root)[:-2], [1]], axis=0), root.dtype)
    nodes, total = np.zeros([1, 0, root.shape[-1]]), reached[..., 0] * 0
    for level, children in enumerate(branching):
        shape = tf.concat([tf.shape(root)[:-2], nodes.shape], axis=0)
        before = tf.broadcast_to(tf.constant(nodes, root.dtype), shape)
        digit = over_children(logits_fn(level, before))
        own = tf.where(reached > 0, quantity(level, before, digit), tf.zeros_like(reached))
        total += tf.reduce_sum(reached * own, axis=-1)
        below = reached[..., tf.newaxis] * digit.probs[..., 0, :children]
        reached = tf.reshape(below, tf.concat([tf.shape(below)[:-2], [-1]], axis=0))
        nodes = _with_children(nodes, children)
    return total


def kl_along(logits: Sequence[Tensor], value: Tensor, prior_logits_fn: LogitsFn) -> tf.Tensor:
    """Sums the KLs of the digits at the nodes of paths, float [*A].

    Args:
        logits: Of each digit, [*A, r].
        value: The paths, [*A, D, r].
        prior_logits_fn: The tree of the prior.
    """
    parts = [
        over_children(own).kl_divergence(
            over_children(prior_logits_fn(depth, value[..., :depth, :]))
        )
        for depth, own in enumerate(logits)
    ]
    return sum(parts[1:], parts[0])


def join(digits: Sequence[Tensor]) -> tf.Tensor:
    """Joins digits [*A, 1, r], of which earlier ones may lack leading axes, to [*A, d, r]."""
    like = tf.zeros_like(digits[-1])
    return tf.concat([one + like for one in digits], axis=-2)


def check_estimators(
    layers: Sequence[Estimator], irregular: bool, branching: Sequence[int]
) -> None:
    """Refuses estimators that cannot take a path.

    Args:
        layers: One for each digit.
        irregular: Bool, whether the children of a node depend on the node.
        branching: Children of a node at each depth.

    Raises:
        ValueError: Relaxed digits, which lead to no node, or more paths than `enumeration` may list.
    """
    listed = [
        (layer, size)
        for layer, size in zip(layers, branching, strict=True)
        if isinstance(layer, Enumeration)
    ]
    paths = math.prod(size for _, size in listed)
    if listed and paths > listed[0][0].max_configurations:
        raise ValueError(
            "Digits that are listed are listed along every path: there must be at most max_configurations of "
            "these. Choose an estimator such as reinmax or disarm for some digits, or raise it. "
            f"Received: {paths} paths, max_configurations={listed[0][0].max_configurations}"
        )
    for layer in layers:
        if layer.spec.relaxed:
            raise ValueError(
                "The digits of a path lead to a node, so they must be one-hot. Choose an estimator such "
                "as reinmax, straight_through_gumbel_softmax or score_function. "
                f"Received: estimator={type(layer).__name__}"
            )
        if irregular and layer.relaxed_control:
            raise ValueError(
                "The children of a node of a ragged or masked tree are not continuous in the digits before, "
                "so a control variate cannot read relaxed digits. Choose an estimator such as disarm or "
                "score_function, or RELAX(objective_control=False). "
                f"Received: estimator={type(layer).__name__}"
            )


def _with_children(nodes: np.ndarray, children: int) -> np.ndarray:
    """Returns prefixes [P, d, r] each followed by each of its children, [P * children, d + 1, r]."""
    repeated = np.repeat(nodes, children, axis=0)
    last = np.tile(np.eye(children, nodes.shape[-1]), [len(nodes), 1])
    return np.concatenate([repeated, last[:, np.newaxis]], axis=1)
