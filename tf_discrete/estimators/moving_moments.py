"""Moving averages of mean and variance, saved with their owner and right from the first batch on."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from tf_discrete._internal import checks
from tf_discrete._internal.replicas import ReplicaAverages
from tf_discrete.types import Config, Tensor


@keras.saving.register_keras_serializable("tf_discrete.estimators")
class MovingMoments(ReplicaAverages, keras.layers.Layer):
    """Moving averages of the mean and the variance of batches, as saved variables.

    Both start at 0 and are divided by 1 - decay**steps, so that the first batches are not drowned by the
    start; before the first batch both are 0. The variance is that within a batch. Every replica takes its
    own share of a batch in; after the step their averages are averaged.

    Args:
        decay: Float in [0, 1), decay of the averages for each update. Default: 0.99.

    Raises:
        ValueError: decay out of range.

    Example:
        >>> moments = MovingMoments(decay=0.9)
        >>> moments.update(tf.constant([1.0, 3.0]))
        >>> [round(float(m), 4) for m in (moments.mean, moments.variance)]
        [2.0, 1.0]
    """

    def __init__(self, decay: float = 0.99, **kwargs: Any):
        super().__init__(**{**kwargs, "dtype": "float32", "trainable": False})
        self.decay = checks.number("decay", decay, lowest=0.0, below=1.0)
        self._mean, self._variance, self._weight = (
            self.add_weight(shape=(), initializer="zeros", trainable=False, name=name)
            for name in ("mean", "variance", "weight")
        )
        self.built = True

    @property
    def mean(self) -> tf.Tensor:
        """float32 scalar."""
        return self._debiased(self._mean)

    @property
    def variance(self) -> tf.Tensor:
        """float32 scalar."""
        return self._debiased(self._variance)

    def update(self, values: Tensor) -> None:
        """Takes a batch of any shape into the averages; an empty one changes nothing."""
        values = tf.cast(tf.stop_gradient(values), tf.float32)
        size = tf.cast(tf.size(values), tf.float32)
        average = tf.math.divide_no_nan(tf.reduce_sum(values), size)
        variance = tf.math.divide_no_nan(tf.reduce_sum(tf.square(values - average)), size)
        share = (1.0 - self.decay) * tf.cast(size > 0, tf.float32)
        for variable, value in (
            (self._mean, average),
            (self._variance, variance),
            (self._weight, tf.ones([])),
        ):
            variable.assign_add(share * (value - tf.convert_to_tensor(variable)))

    def replica_averages(self) -> list[keras.Variable]:
        return [self._mean, self._variance, self._weight]

    def _debiased(self, variable: keras.Variable) -> tf.Tensor:
        # The weight is the same average of ones, 1 - decay**steps.
        return tf.math.divide_no_nan(
            tf.convert_to_tensor(variable), tf.convert_to_tensor(self._weight)
        )

    def get_config(self) -> Config:
        config = {**super().get_config(), "decay": self.decay}
        del config["dtype"], config["trainable"]
        return config
