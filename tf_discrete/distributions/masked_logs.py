"""Products with log-probabilities that may be -inf, because a category is masked."""

from __future__ import annotations

import tensorflow as tf


def finite(x: tf.Tensor) -> tf.Tensor:
    """`x`, with 0 in the place of infinities."""
    return tf.where(tf.math.is_finite(x), x, tf.zeros_like(x))


def x_times_log(x: tf.Tensor, log: tf.Tensor) -> tf.Tensor:
    """x * log with 0 * (-inf) = 0, in value and gradient."""
    return tf.where(x > 0, x * finite(log), tf.zeros_like(x))


def times_log_prob(value: tf.Tensor, log_prob: tf.Tensor) -> tf.Tensor:
    """Their product; masked categories (log-probability -inf) contribute nothing unless they were sampled."""
    possible, none = tf.math.is_finite(log_prob), tf.zeros_like(log_prob)
    made = tf.where(~possible & (value > 0), log_prob, none)
    return value * tf.where(possible, log_prob, none) + tf.stop_gradient(made)
