"""Means of the terms of an objective over the examples of an epoch, as sums and counts."""

from __future__ import annotations

from collections.abc import Mapping

import keras
import tensorflow as tf

from tf_discrete.types import MaskedTerm, Tensor

Sum = tuple[tf.Tensor, tf.Tensor]
"""The sum of a term over some examples and their number, float scalars."""
Sums = dict[str, Sum]
Means = Mapping[str, keras.metrics.Mean]


def summed(term: Tensor | MaskedTerm, dtype: str) -> Sum:
    """Returns the sum of a term over a batch and the number of its examples.

    They are what `keras.metrics.Mean.update_state` adds to its variables.

    Args:
        term: float [B] or a scalar; the examples of a `MaskedTerm` count by their weights.
        dtype: Name of the dtype of the sums.

    Example:
        >>> [float(value) for value in summed(tf.constant([1.0, 2.0]), "float32")]
        [3.0, 2.0]
    """
    if not isinstance(term, MaskedTerm):
        values = tf.cast(term, dtype)
        return tf.reduce_sum(values), tf.cast(tf.size(values), dtype)
    values, weights = tf.cast(term.values, dtype), tf.cast(term.weights, dtype)
    return tf.reduce_sum(values * weights), tf.reduce_sum(weights)


def add(means: Means, sums: Sums) -> None:
    """Adds sums to the variables of Keras' means."""
    for name, (total, count) in sums.items():
        means[name].total.assign_add(total)
        means[name].count.assign_add(count)


def results(means: Means) -> dict[str, tf.Tensor]:
    """Returns the value of every mean so far; on several workers that of all their examples.

    Elsewhere each replica returns its own, and Keras reduces them.
    """
    strategy = tf.distribute.get_strategy()
    if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return {name: mean.result() for name, mean in means.items()}
    context = tf.distribute.get_replica_context()
    totals, counts = context.all_reduce(tf.distribute.ReduceOp.SUM, stack(means))
    return dict(zip(means, tf.unstack(tf.math.divide_no_nan(totals, counts)), strict=True))


def stack(means: Means) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the totals and the counts of all means, float [M] each."""
    totals = tf.stack([tf.convert_to_tensor(mean.total) for mean in means.values()])
    counts = tf.stack([tf.convert_to_tensor(mean.count) for mean in means.values()])
    return totals, counts


def added(means: Means, totals: Tensor, counts: Tensor, sums: Sums) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns totals and counts, float [M], after sums have been added as `add` adds them."""
    zero = tf.zeros([], totals.dtype)
    more = [sums.get(name, (zero, zero)) for name in means]
    return totals + tf.stack([total for total, _ in more]), counts + tf.stack(
        [count for _, count in more]
    )


def assign(means: Means, totals: Tensor, counts: Tensor) -> None:
    """Sets the variables of Keras' means to totals and counts, float [M]."""
    for mean, total, count in zip(
        means.values(), tf.unstack(totals), tf.unstack(counts), strict=True
    ):
        mean.total.assign(total)
        mean.count.assign(count)
