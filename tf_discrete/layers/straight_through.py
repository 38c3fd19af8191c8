"""`StraightThrough`: the straight-through estimator as a layer."""

from __future__ import annotations

from typing import Any

import keras

from tf_discrete.layers.stochastic import StochasticLayer
from tf_discrete.types import Config, ScheduleLike


@keras.saving.register_keras_serializable("tf_discrete.layers")
class StraightThrough(StochasticLayer):
    """A one-hot draw from softmax(logits), with the gradient of softmax(logits / temperature).

    What follows sees discrete values in training and at inference alike; the gradient is exact on
    average where it is linear in them, and biased otherwise.

    Args:
        temperature: of the backward pass, number > 0 or schedule. Default: 1.0.
        **kwargs: `latents`, `inference`, `kl_weight`, `prior`, `seed`, see `StochasticLayer`.

    Call arguments:
        inputs: logits, float [batch, ..., N, K], -inf where masked; [batch, ..., N] for Bernoulli latents.
        training: whether to draw. Default: False.
        seed: int or int32 [2] for this very draw. Default: None, for one that is new at every call.

    Raises:
        ValueError: temperature <= 0, or what `StochasticLayer` refuses.

    Example:
        >>> import tensorflow as tf
        >>> layer = StraightThrough(latents="bernoulli", seed=0)
        >>> layer(tf.constant([[-9.0, 9.0]]), training=True).numpy().tolist()
        [[0.0, 1.0]]

    Reference:
        Bengio, Leonard, Courville. Estimating or propagating gradients through stochastic neurons for
        conditional computation. 2013. arXiv:1308.3432.
    """

    def __init__(self, temperature: ScheduleLike = 1.0, **kwargs: Any):
        super().__init__(estimator="straight_through", temperature=temperature, **kwargs)

    def get_config(self) -> Config:
        config = super().get_config()
        del config["estimator"]
        return {**config, "temperature": self.estimator.get_config()["temperature"]}
