"""Entropy and KL divergence of softmax and sigmoid variables, with gradients in closed form.

Differentiated op by op, a KL takes several times as many operations, most of them to keep 0 * inf apart. A
value that the posterior rules out (a logit of -inf, or a bit of +-inf) counts as 0, here and
in the gradient. Where the prior rules out what the posterior allows, the KL is +inf and its gradient 0.
"""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

Gradient = Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]


def categorical_entropy(logits: tf.Tensor) -> tf.Tensor:
    """H of softmax(logits) in nats, [...], of logits [..., K]."""

    @tf.custom_gradient
    def entropy(logits: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
        log_q = tf.nn.log_softmax(logits)
        q = tf.exp(log_q)
        value = -tf.reduce_sum(tf.math.multiply_no_nan(log_q, q), axis=-1)

        def gradient(upstream: tf.Tensor) -> tf.Tensor:
            upstream = tf.convert_to_tensor(upstream)  # The slices that a gather hands back.
            deviation = log_q + value[..., tf.newaxis]
            return -upstream[..., tf.newaxis] * tf.math.multiply_no_nan(deviation, q)

        return value, gradient

    return entropy(logits)


def categorical_kl(logits: tf.Tensor, other: tf.Tensor) -> tf.Tensor:
    """Returns KL(softmax(logits) || softmax(other)) in nats, [...], of logits [..., K] that broadcast."""

    @tf.custom_gradient
    def kl_divergence(logits: tf.Tensor, other: tf.Tensor) -> tuple[tf.Tensor, Gradient]:
        log_q, log_p = tf.nn.log_softmax(logits), tf.nn.log_softmax(other)
        q, log_ratio = tf.exp(log_q), log_q - log_p
        kl = tf.reduce_sum(tf.math.multiply_no_nan(log_ratio, q), axis=-1)

        def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            upstream = tf.convert_to_tensor(upstream)  # The slices that a gather hands back.
            scale = _zero_where_infinite(upstream, kl)[..., tf.newaxis]
            deviation = tf.math.multiply_no_nan(log_ratio - kl[..., tf.newaxis], q)
            of_q = tf.math.multiply_no_nan(deviation, scale)
            of_p = (tf.exp(log_p) - q) * scale
            return sum_to(of_q, tf.shape(logits)), sum_to(of_p, tf.shape(other))

        return kl, gradient

    return kl_divergence(logits, other)


def bernoulli_entropy(logits: tf.Tensor) -> tf.Tensor:
    """H of bits in nats, of the shape of their logits."""

    @tf.custom_gradient
    def entropy(logits: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
        zero, one = log_sigmoids(logits)
        q, not_q = tf.sigmoid(logits), tf.sigmoid(-logits)
        value = -tf.math.multiply_no_nan(one, q) - tf.math.multiply_no_nan(zero, not_q)

        def gradient(upstream: tf.Tensor) -> tf.Tensor:
            upstream = tf.convert_to_tensor(upstream)  # The slices that a gather hands back.
            return -upstream * tf.math.multiply_no_nan(logits, q * not_q)

        return value, gradient

    return entropy(logits)


def bernoulli_kl(logits: tf.Tensor, other: tf.Tensor) -> tf.Tensor:
    """KL of bits in nats, of logits that broadcast."""

    @tf.custom_gradient
    def kl_divergence(logits: tf.Tensor, other: tf.Tensor) -> tuple[tf.Tensor, Gradient]:
        (q_zero, q_one), (p_zero, p_one) = log_sigmoids(logits), log_sigmoids(other)
        q, not_q = tf.sigmoid(logits), tf.sigmoid(-logits)
        kl = tf.math.multiply_no_nan(q_one - p_one, q)
        kl += tf.math.multiply_no_nan(q_zero - p_zero, not_q)

        def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            upstream = tf.convert_to_tensor(upstream)  # The slices that a gather hands back.
            scale = _zero_where_infinite(upstream, kl)
            difference = tf.math.multiply_no_nan(logits - other, q * not_q)
            of_q = tf.math.multiply_no_nan(difference, scale)
            of_p = (tf.sigmoid(other) - q) * scale
            return sum_to(of_q, tf.shape(logits)), sum_to(of_p, tf.shape(other))

        return kl, gradient

    return kl_divergence(logits, other)


def log_sigmoids(logits: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """log probabilities of a 0 and of a 1, both exact for large logits, by one exponential."""
    tail = tf.math.log1p(tf.exp(-tf.abs(logits)))
    return tf.minimum(-logits, 0.0) - tail, tf.minimum(logits, 0.0) - tail


def sum_to(x: tf.Tensor, shape: tf.Tensor) -> tf.Tensor:
    """Sums the axes along which a tensor of a shape was broadcast to that of `x`."""
    axes, _ = tf.raw_ops.BroadcastGradientArgs(s0=shape, s1=tf.shape(x))
    return tf.reshape(tf.reduce_sum(x, axes), shape)


def _zero_where_infinite(x: tf.Tensor, kl: tf.Tensor) -> tf.Tensor:
    return tf.where(tf.math.is_inf(kl), tf.zeros_like(x), x)
