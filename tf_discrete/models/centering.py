"""`Centering`: observations less their running mean."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from tf_discrete._internal import checks
from tf_discrete._internal.replicas import ReplicaAverages
from tf_discrete.types import Config, Shape, Tensor


@keras.saving.register_keras_serializable("tf_discrete.models")
class Centering(ReplicaAverages, keras.layers.Layer):
    """Subtracts the running mean of the batches it was trained on, number by number.

    The mean starts at 0, moves in training only and carries no gradient. Every replica takes its own share
    of a batch in; after the step their averages are averaged.

    Args:
        decay: Float in [0, 1), decay of the mean for each training step. Default: 0.9.

    Raises:
        ValueError: decay out of range.

    Example:
        >>> centering = Centering(decay=0.5)
        >>> x = tf.constant([[2.0, 0.0], [4.0, 0.0]])
        >>> _ = centering(x, training=True)
        >>> centering(x).numpy().tolist()
        [[0.5, 0.0], [2.5, 0.0]]

    Reference:
        Maddison, Mnih, Teh. The Concrete distribution. 2016. arXiv:1611.00712, appendix D.
    """

    def __init__(self, decay: float = 0.9, **kwargs: Any):
        super().__init__(**kwargs)
        self.decay = checks.number("decay", decay, lowest=0, below=1)

    def build(self, input_shape: Shape) -> None:
        self.mean = self.add_weight(
            shape=input_shape[1:],
            initializer="zeros",
            trainable=False,
            autocast=False,
            name="mean",
        )

    def call(self, inputs: Tensor, training: bool = False) -> tf.Tensor:
        mean = tf.convert_to_tensor(self.mean)
        if training:
            values = tf.cast(tf.stop_gradient(inputs), mean.dtype)
            size = tf.cast(tf.shape(inputs)[0], mean.dtype)
            share = (1.0 - self.decay) * tf.cast(size > 0, mean.dtype)
            average = tf.math.divide_no_nan(tf.reduce_sum(values, axis=0), size)
            self.mean.assign_add(share * (average - mean))
        return inputs - tf.cast(mean, inputs.dtype)

    def replica_averages(self) -> list[keras.Variable]:
        return [self.mean]

    def get_config(self) -> Config:
        return {**super().get_config(), "decay": self.decay}
