"""Samples of categorical variables and bits by inversion: one uniform number for each, and no logarithm."""

from __future__ import annotations

import math

import tensorflow as tf

from tf_discrete import seeds
from tf_discrete._internal import fusion
from tf_discrete.types import Seed, Tensor

MAX_CATEGORIES = 256
"""With more, the steps of a float32 uniform number would show in the probability of one category."""
_MAX_ADDED_IN_TURN = 16
"""Most categories whose cumulative probabilities are an operation each: faster, but a larger graph."""


def sample(probs: Tensor, seed: Seed, num_samples: int | Tensor) -> tf.Tensor:
    """Samples the category of each variable: the first whose cumulative probability exceeds a uniform number.

    Args:
        probs: float [..., K], normalised; 0 where masked. K is at most `MAX_CATEGORIES`.
        seed: int32 [2].
        num_samples: S.

    Returns:
        codes: int32 [S, ...]. A masked category is never sampled.

    Example:
        >>> sample(tf.constant([[0.0, 1.0, 0.0]]), seeds.base(0), 3).numpy().ravel().tolist()
        [1, 1, 1]

    Reference:
        Devroye. Non-uniform random variate generation. 1986. Section III.2.1.
    """
    shape = tf.concat([[num_samples], tf.shape(probs)[:-1]], axis=0)
    uniform = tf.random.stateless_uniform(shape, seed, dtype=probs.dtype, alg=seeds.algorithm())
    return invert(probs, uniform)


def sample_bits(probs_of_zero: Tensor, seed: Seed, num_samples: int | Tensor) -> tf.Tensor:
    """Samples bits: 1 where a uniform number reaches the probability of a 0.

    Args:
        probs_of_zero: float [...].
        seed: int32 [2].
        num_samples: S.

    Returns:
        bits: int32 [S, ...]. A bit of probability 0 or 1 is certain.

    Example:
        >>> sample_bits(tf.constant([0.0, 1.0]), seeds.base(0), 2).numpy().tolist()
        [[1, 0], [1, 0]]
    """
    shape = tf.concat([[num_samples], tf.shape(probs_of_zero)], axis=0)
    uniform = tf.random.stateless_uniform(
        shape, seed, dtype=probs_of_zero.dtype, alg=seeds.algorithm()
    )
    return _reached(uniform, probs_of_zero)


@fusion.part
def _reached(uniform: Tensor, threshold: Tensor) -> tf.Tensor:
    return tf.cast(uniform >= threshold, tf.int32)


@fusion.part
def invert(probs: Tensor, uniform: Tensor) -> tf.Tensor:
    """Returns the categories that uniform numbers mean, int32 [S, ...].

    Args:
        probs: float [..., K].
        uniform: float [S, ...] in [0, 1).
    """
    if probs.shape[-1] <= _MAX_ADDED_IN_TURN:
        return _in_turn(probs, uniform)
    return _first_above(_thresholds(probs), uniform)


def _in_turn(probs: Tensor, uniform: Tensor) -> tf.Tensor:
    """Counts the cumulative probabilities that a number has reached.

    Sums of numbers that are not negative, made in turn, never fall and do not move at a 0, and a number below
    1 times the last sum is below that sum. So no category of probability 0 is counted to.
    """
    sums = [probs[..., 0]]
    for category in range(1, probs.shape[-1]):
        sums.append(sums[-1] + probs[..., category])
    scaled = uniform * sums[-1]
    return tf.add_n([tf.cast(scaled >= reached, tf.int32) for reached in sums[:-1]])


def _thresholds(probs: Tensor) -> tf.Tensor:
    """Returns the cumulative probability of each category, [..., K]: -inf where it is masked.

    That of the last category that is not masked is inf, because rounding may leave the sum below 1.
    """
    allowed = probs > 0
    behind = tf.cumsum(tf.cast(allowed, tf.int32), axis=-1, exclusive=True, reverse=True)
    infinite = tf.cast(math.inf, probs.dtype)
    sums = tf.cumsum(probs, axis=-1)
    return tf.where(allowed, tf.where(behind > 0, sums, infinite), -infinite)


def _first_above(thresholds: Tensor, uniform: Tensor) -> tf.Tensor:
    """Returns the first category whose threshold exceeds a number; the thresholds need not rise."""
    last = thresholds.shape[-1] - 1
    above = uniform[..., tf.newaxis] < thresholds[..., :-1]
    return tf.reduce_min(tf.where(above, tf.range(last), last), axis=-1)
