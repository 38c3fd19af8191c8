"""Independent Gaussian observations."""

from __future__ import annotations

import math

import tensorflow as tf

from tf_discrete import types
from tf_discrete._internal import checks
from tf_discrete.likelihoods import base
from tf_discrete.likelihoods.registry import register
from tf_discrete.types import Config, Seed, Tensor


@register("gaussian")
class Gaussian(base.Likelihood):
    """Independent Gaussian observations; the parameters are the mean and, if learned, the log scale.

    Args:
        scale: standard deviation, or None to learn one for each observed value. Default: 1.0.

    Raises:
        ValueError: The scale is not positive.

    Example:
        >>> round(float(Gaussian(scale=1.0).log_prob(tf.zeros([1, 2]), tf.zeros([1, 2]))[0]), 4)
        -1.8379
    """

    density = True

    def __init__(self, scale: float | None = 1.0):
        self.scale = checks.optional(checks.positive, "scale", scale)

    def parameters_shape(self, data_shape: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(data_shape) if self.scale else (*data_shape, 2)

    def log_prob(self, x: Tensor, parameters: Tensor) -> tf.Tensor:
        parameters, x = base.widen(self, parameters, x)
        mean, log_scale = self._mean_and_log_scale(parameters)
        error = (x - mean) * tf.exp(-log_scale)
        return base.sum_data(-0.5 * (error**2 + math.log(2 * math.pi)) - log_scale, x)

    def mean(self, parameters: Tensor) -> tf.Tensor:
        return self._mean_and_log_scale(types.at_least_float32(parameters))[0]

    def sample(self, parameters: Tensor, seed: Seed) -> tf.Tensor:
        mean, log_scale = self._mean_and_log_scale(types.at_least_float32(parameters))
        normal = tf.random.stateless_normal(tf.shape(mean), seed, dtype=mean.dtype)
        return mean + tf.exp(log_scale) * normal

    def _mean_and_log_scale(self, parameters: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        if self.scale:
            return parameters, tf.constant(math.log(self.scale), parameters.dtype)
        return parameters[..., 0], tf.maximum(parameters[..., 1], -7.0)

    def get_config(self) -> Config:
        return {"scale": self.scale}
