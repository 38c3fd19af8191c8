"""Diagonal Gaussians of continuous latents, by mean and log scale; sums over the last axis, in nats."""

from __future__ import annotations

import math

import tensorflow as tf

from tf_discrete.types import Tensor


def sample(mean: Tensor, log_scale: Tensor, noise: Tensor) -> tf.Tensor:
    """mean + exp(log_scale) * noise, for standard normal noise that broadcasts against the mean."""
    return mean + tf.exp(log_scale) * noise


def log_prob(z: Tensor, mean: Tensor, log_scale: Tensor) -> tf.Tensor:
    """log N(z; mean, exp(log_scale)^2), [...], of z [..., D].

    Example:
        >>> round(float(log_prob(tf.zeros([2]), tf.zeros([2]), tf.zeros([2]))), 4)
        -1.8379
    """
    error = (z - mean) * tf.exp(-log_scale)
    return tf.reduce_sum(-0.5 * (error**2 + math.log(2 * math.pi)) - log_scale, axis=-1)


def kl_to_standard(mean: Tensor, log_scale: Tensor) -> tf.Tensor:
    """Returns KL(N(mean, exp(log_scale)^2) || N(0, 1)), [...], of parameters [..., D].

    Example:
        >>> float(kl_to_standard(tf.constant([1.0, 0.0]), tf.zeros([2])))
        0.5
    """
    return 0.5 * tf.reduce_sum(mean**2 + tf.exp(2 * log_scale) - 1 - 2 * log_scale, axis=-1)
