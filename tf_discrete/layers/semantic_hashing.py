"""`SemanticHashing`: improved semantic hashing as a layer."""

from __future__ import annotations

from typing import Any

import keras

from tf_discrete import estimators
from tf_discrete.layers.stochastic import StochasticLayer
from tf_discrete.types import Config, ScheduleLike


@keras.saving.register_keras_serializable("tf_discrete.layers")
class SemanticHashing(StochasticLayer):
    """Noisy, saturating bits in training, a part of them rounded; the sign of the logits at inference.

    In training z = clip(1.2 sigmoid(logit + noise) - 0.1, 0, 1), or that rounded with the gradient of the
    unrounded; at inference z = [logit > 0]. No KL is needed: the noise alone drives the bits apart.

    Args:
        noise_stddev: of the Gaussian noise, positive number or schedule. Default: 1.0.
        discrete_fraction: probability that an element is rounded in training, number or schedule. Default:
            0.5.
        flip_probability: that a rounded bit is flipped, in [0, 0.5), number or schedule. Default: 0.0.
        **kwargs: `inference`, `kl_weight`, `prior`, `seed`, see `StochasticLayer`.

    Call arguments:
        inputs: logits, float [batch, ..., N].
        training: whether to add noise and to mix. Default: False.
        seed: int or int32 [2] for this very draw. Default: None, for one that is new at every call.

    Raises:
        ValueError: arguments out of range, or what `StochasticLayer` refuses.

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
