"""Pixels of a number of intensities."""

from __future__ import annotations

import math

import tensorflow as tf

from tf_discrete import seeds, types
from tf_discrete._internal import checks, input_checks
from tf_discrete._internal.softmax import softmax
from tf_discrete.likelihoods import base
from tf_discrete.likelihoods.registry import register
from tf_discrete.types import Config, Seed, Tensor


@register("categorical_intensity")
class CategoricalIntensity(base.Likelihood):
    """Each pixel is one of `levels` intensities; the parameters are logits [*data_shape, levels].

    Args:
        levels: Number of intensities, spread evenly over [0, 1]. Default: 256.

    Raises:
        ValueError: Fewer than 2 levels.

    Example:
        >>> CategoricalIntensity(levels=17).parameters_shape((8, 8, 1))
        (8, 8, 1, 17)
    """

    support = (0.0, 1.0)
    density = False

    def __init__(self, levels: int = 256):
        self.levels = checks.whole("levels", levels, lowest=2)

    def parameters_shape(self, data_shape: tuple[int, ...]) -> tuple[int, ...]:
        return (*data_shape, self.levels)

    def log_prob(self, x: Tensor, parameters: Tensor) -> tf.Tensor:
        logits, x = base.widen(self, parameters, x)
        level = tf.cast(tf.round(x * (self.levels - 1)), tf.int32)
        log_probs = tf.nn.log_softmax(logits) * tf.one_hot(level, self.levels, dtype=logits.dtype)
        # The one-hot of a level that does not exist is 0, and would score like a certain pixel.
        exists = (x >= -input_checks.ROUNDING) & (x <= 1 + input_checks.ROUNDING)
        log_prob = tf.where(exists, tf.reduce_sum(log_probs, axis=-1), math.nan)
        return base.sum_data(log_prob, x)

    def mean(self, parameters: Tensor) -> tf.Tensor:
        probs = softmax(types.at_least_float32(parameters))
        return tf.linalg.matvec(probs, tf.linspace(tf.cast(0.0, probs.dtype), 1.0, self.levels))

    def sample(self, parameters: Tensor, seed: Seed) -> tf.Tensor:
        logits = types.at_least_float32(parameters)
        flat = tf.reshape(logits, [-1, self.levels])
        level = tf.random.stateless_categorical(flat, 1, seeds.fold(seed, "intensity"))
        return tf.reshape(tf.cast(level, logits.dtype) / (self.levels - 1), tf.shape(logits)[:-1])

    def get_config(self) -> Config:
        return {"levels": self.levels}
