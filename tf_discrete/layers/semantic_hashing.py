"""`SemanticHashing`: improved semantic hashing as a layer."""

from __future__ import annotations

from typing import Any

import keras

from tf_discrete import estimators
from tf_discrete.layers.stochastic import StochasticLayer
from tf_discrete.types import Config, ScheduleLike


@keras.saving.register_keras_serializable("tf_discrete.layers")
class SemanticHashing(StochasticLayer):
    """Turns logits into bits by improved semantic hashing.

    In training z = clip(1.2 sigmoid(logit + noise) - 0.1, 0, 1), or the rounded value with the gradient of
    the unrounded one. At inference z = [logit > 0]. No KL is needed: the noise drives the logits away from 0.

    Args:
        noise_stddev: Positive float or schedule, standard deviation of the Gaussian noise. Default: 1.0.
        discrete_fraction: Float in [0, 1] or schedule, probability that an element is rounded in training.
            Default: 0.5.
        flip_probability: Float in [0, 0.5) or schedule, probability that a rounded bit is flipped. Default:
            0.0.
        **kwargs: Arguments `inference`, `kl_weight`, `prior`, `seed`, see `StochasticLayer`.

    Call arguments:
        inputs: Logits, float [batch, ..., N].
        training: Bool, whether to add noise and to round a fraction. Default: False.
        seed: Int or int32 [2], seed of this call. Default: None, a new seed in every call.

    Raises:
        ValueError: An argument is out of range, or see `StochasticLayer`.

    Example:
        >>> import tensorflow as tf
        >>> from tf_discrete import schedules
        >>> layer = SemanticHashing(discrete_fraction=schedules.Linear(0.0, 0.5, steps=5000), seed=0)
        >>> layer(tf.constant([[-2.0, 0.3]])).numpy().tolist()
        [[0.0, 1.0]]

    Reference:
        Kaiser, Bengio. Discrete autoencoders for sequence models. 2018. arXiv:1801.09797.
    """

    def __init__(
        self,
        noise_stddev: ScheduleLike = 1.0,
        discrete_fraction: ScheduleLike = 0.5,
        flip_probability: ScheduleLike = 0.0,
        **kwargs: Any,
    ):
        estimator = estimators.SemanticHashing(noise_stddev, discrete_fraction, flip_probability)
        super().__init__(estimator=estimator, latents="bernoulli", **kwargs)

    def get_config(self) -> Config:
        config = super().get_config()
        del config["estimator"], config["latents"]
        own = self.estimator.get_config()
        names = ("noise_stddev", "discrete_fraction", "flip_probability")
        return {**config, **{name: own[name] for name in names}}
