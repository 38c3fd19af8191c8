"""The samples of an estimate: how they are drawn, laid out and weighed."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from tf_discrete.distributions import Discrete
from tf_discrete.estimators.reductions import mean
from tf_discrete.types import Reduction, Tensor


def noise_shape(logits: Tensor, num_samples: int | None) -> tf.Tensor:
    """Returns the shape [S, *B, N(, K)]; that of the logits if their first axis is the samples already."""
    shape = tf.shape(logits)
    return shape if num_samples is None else tf.concat([[num_samples], shape], axis=0)


def sample_weight(z: Tensor, reduce: Reduction | None, dtype: tf.DType) -> tf.Tensor:
    """Returns the weight of one sample's gradient in the estimate: 1 / S under `mean`, else 1."""
    count = tf.shape(z)[0] if reduce is mean else 1
    return 1.0 / tf.cast(count, dtype)


def expand(values: Tensor, axes: int) -> tf.Tensor:
    """Returns `values` with `axes` more axes of size 1 at the end."""
    for _ in range(axes):
        values = values[..., tf.newaxis]
    return values


def apply_to_samples(fn: Callable[..., Tensor], z: Tensor, batch_rank: int = 1) -> tf.Tensor:
    """Calls a network on samples [S, B, ...] by folding the sample axis into the batch.

    Args:
        fn: maps [R, ...] to [R, ...].
        z: float [*B, ...] with the leading axes to fold.
        batch_rank: how many leading axes are folded into one; 2 for [S, B, ...].

    Returns:
        outputs: [*B, ...], the leading axes as they were.

    Example:
        >>> apply_to_samples(lambda rows: tf.reduce_sum(rows, -1, keepdims=True), tf.ones([4, 5, 3]), 2).shape
        TensorShape([4, 5, 1])
    """
    if batch_rank == 1:
        return fn(z)
    lead = tf.shape(z)[:batch_rank]
    folded = fn(tf.reshape(z, tf.concat([[-1], tf.shape(z)[batch_rank:]], axis=0)))
    outputs = tf.reshape(folded, tf.concat([lead, tf.shape(folded)[1:]], axis=0))
    outputs.set_shape(z.shape[:batch_rank].concatenate(folded.shape[1:]))
    return outputs


def features(distribution: Discrete, context: Tensor | None) -> tf.Tensor:
    """Returns the input of a learned baseline: the context, or the probabilities of q; float32."""
    if context is not None:
        return tf.cast(tf.stop_gradient(context), tf.float32)
    return distribution.flatten(tf.cast(tf.stop_gradient(distribution.probs), tf.float32))
