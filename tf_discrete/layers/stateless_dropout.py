"""`StatelessDropout`: dropout whose masks are a function of a saved count of calls."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from tf_discrete import seeds
from tf_discrete._internal import checks
from tf_discrete.types import Config, Shape, Tensor


@keras.saving.register_keras_serializable("tf_discrete.layers")
class StatelessDropout(keras.layers.Layer):
    """Sets a fraction of the inputs to 0 in training and scales up the rest.

    Keras' `Dropout` keeps its seed in a state that neither `.keras` files nor checkpoints hold, and that
    is the same on every replica. This layer counts its training calls and folds the count into its
    seed, so a restarted run has the masks that the killed run would have had.

    Args:
        rate: Float in [0, 1), fraction of the inputs that is set to 0.
        seed: Int, base seed of the masks; the name of the layer is folded into it. Default: 0.

    Raises:
        ValueError: `rate` is out of range.

    Example:
        >>> layer = StatelessDropout(0.5)
        >>> sorted(set(layer(tf.ones([8, 4]), training=True).numpy().ravel().tolist()))
        [0.0, 2.0]

    Reference:
        Srivastava et al. Dropout: a simple way to prevent neural networks from overfitting. 2014.
    """

    def __init__(self, rate: float, seed: int = 0, **kwargs: Any):
        super().__init__(**kwargs)
        self.rate = checks.number("rate", rate, lowest=0, below=1)
        self.seed = checks.seed("seed", seed)
        self.supports_masking = True
        self.step = self.add_weight(
            shape=(),
            dtype="int64",
            initializer="zeros",
            trainable=False,
            name="step",
        )
        self.built = True

    def call(self, inputs: Tensor, training: bool = False) -> tf.Tensor:
        if not training or not self.rate:
            return inputs
        step = tf.convert_to_tensor(self.step)
        seed = seeds.fold(seeds.base(self.seed), self.name, "dropout", step, seeds.replica_id())
        uniform = tf.random.stateless_uniform(tf.shape(inputs), seed, alg=seeds.algorithm())
        kept = uniform >= self.rate
        self.step.assign_add(1)
        return tf.where(kept, inputs / (1 - self.rate), tf.zeros_like(inputs))

    def compute_output_shape(self, inputs_shape: Shape) -> Shape:
        return inputs_shape

    def get_config(self) -> Config:
        return {**super().get_config(), "rate": self.rate, "seed": self.seed}
