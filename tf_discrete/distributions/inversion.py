"""Samples of categorical variables by inversion: one uniform number for each, and no logarithm."""

from __future__ import annotations

import math

import tensorflow as tf

from tf_discrete import seeds
from tf_discrete._internal import fusion
from tf_discrete.distributions import noise
from tf_discrete.types import Seed, Tensor

MAX_CATEGORIES = 256
"""With more, the steps of a float32 uniform number would show in the probability of one category."""


def sample(log_probs: Tensor, seed: Seed, num_samples: int | Tensor) -> tf.Tensor:
    """Samples the category of each variable.

    Up to `MAX_CATEGORIES` categories, a sample is the first category whose cumulative probability exceeds a
    uniform number. With more, or a number unknown when the graph is built, it is the category of the
    largest log-probability plus Gumbel noise.

    Args:
        log_probs: float [..., K], normalised; -inf where masked.
        seed: int32 [2].
        num_samples: S.

    Returns:
        codes: int32 [S, ...]. A masked category is never sampled.

    Example:
        >>> sample(tf.math.log([[0.0, 1.0, 0.0]]), seeds.base(0), 3).numpy().ravel().tolist()
        [1, 1, 1]

    Reference:
        Devroye. Non-uniform random variate generation. 1986. Section III.2.1.
    """
    num_categories = log_probs.shape[-1]
    if num_categories is None or num_categories > MAX_CATEGORIES:
        shape = tf.concat([[num_samples], tf.shape(log_probs)], axis=0)
        perturbed = log_probs + noise.gumbel(seed, shape, log_probs.dtype)
        return tf.argmax(perturbed, axis=-1, output_type=tf.int32)
    shape = tf.concat([[num_samples], tf.shape(log_probs)[:-1]], axis=0)
    uniform = tf.random.stateless_uniform(shape, seed, dtype=log_probs.dtype, alg=seeds.algorithm())
    return _invert(log_probs, uniform)


@fusion.part
def _invert(log_probs: Tensor, uniform: Tensor) -> tf.Tensor:
    return first_above(thresholds(log_probs), uniform)


def thresholds(log_probs: Tensor) -> tf.Tensor:
    """Returns the cumulative probability of each category, [..., K]: -inf where it is masked.

    That of the last category that is not masked is inf, because rounding may leave the sum below 1.
    """
    allowed = tf.math.is_finite(log_probs)
    behind = tf.cumsum(tf.cast(allowed, tf.int32), axis=-1, exclusive=True, reverse=True)
    sums = tf.cumsum(tf.exp(log_probs), axis=-1)
    infinite = tf.cast(math.inf, sums.dtype)
    return tf.where(allowed, tf.where(behind > 0, sums, infinite), -infinite)


def first_above(thresholds: Tensor, uniform: Tensor) -> tf.Tensor:
    """Returns the first category whose threshold exceeds a uniform number, int32 [S, ...].

    Args:
        thresholds: float [..., K], the last of which counts as infinite.
        uniform: float [S, ...].
    """
    last = thresholds.shape[-1] - 1
    above = uniform[..., tf.newaxis] < thresholds[..., :-1]
    return tf.reduce_min(tf.where(above, tf.range(last), last), axis=-1)
