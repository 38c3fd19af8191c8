"""Samples of categorical variables by inversion: one uniform number for each, and no logarithm."""

from __future__ import annotations

import tensorflow as tf

from tf_discrete.distributions import noise
from tf_discrete.types import Seed, Tensor

MOST_CATEGORIES = 256
"""With more, the steps of a float32 uniform number would show in the probability of one category."""


def sample(log_probs: Tensor, seed: Seed, num_samples: int | Tensor) -> tf.Tensor:
    """Samples the category of each variable.

    With up to `MOST_CATEGORIES` categories a sample is the number of cumulative probabilities that a uniform
    number has reached; with more, or a number unknown when the graph is built, it is the largest
    log-probability with Gumbel noise.

    Args:
        log_probs: float [..., K], normalised; -inf where masked.
        seed: int32 [2].
        num_samples: S.

    Returns:
        codes: int32 [S, ...]. A masked category is never drawn.

    Reference:
        Devroye. Non-uniform random variate generation. 1986. Section III.2.1.
    """
    if log_probs.shape[-1] is None or log_probs.shape[-1] > MOST_CATEGORIES:
        shape = tf.concat([[num_samples], tf.shape(log_probs)], axis=0)
        perturbed = log_probs + noise.gumbel(seed, shape, log_probs.dtype)
        return tf.argmax(perturbed, axis=-1, output_type=tf.int32)
    shape = tf.concat([[num_samples], tf.shape(log_probs)[:-1], [1]], axis=0)
    uniform = tf.random.stateless_uniform(shape, seed, dtype=log_probs.dtype)
    reached = uniform >= _cumulative(log_probs)[..., :-1]
    return tf.math.count_nonzero(reached, axis=-1, dtype=tf.int32)


def _cumulative(log_probs: Tensor) -> tf.Tensor:
    """Returns P(category <= k), [..., K]: infinite from the last category on that is not masked.

    So that a sum which rounding has left below 1 does not draw a masked category behind it.
    """
    allowed = tf.cast(tf.math.is_finite(log_probs), tf.int32)
    behind = tf.cumsum(allowed, axis=-1, exclusive=True, reverse=True)
    sums = tf.cumsum(tf.exp(log_probs), axis=-1)
    return tf.where(behind > 0, sums, tf.cast(float("inf"), sums.dtype))
