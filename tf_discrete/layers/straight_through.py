"""`StraightThrough`: the straight-through estimator as a layer."""

from __future__ import annotations

from typing import Any

import keras

from tf_discrete.layers.stochastic import StochasticLayer
from tf_discrete.types import Config, ScheduleLike


@keras.saving.register_keras_serializable("tf_discrete.layers")
class StraightThrough(StochasticLayer):
    """Samples one-hot values from softmax(logits), with the gradient of softmax(logits / temperature).

    The next layer reads discrete values in training and at inference. The expected gradient is exact if the
    loss is linear in them, and biased otherwise.

    Args:
        temperature: Positive float or schedule, temperature of the backward pass. Default: 1.0.
        **kwargs: Arguments `latents`, `inference`, `kl_weight`, `prior`, `seed`, see `StochasticLayer`.

    Call arguments:
        inputs: Logits, float [batch, ..., N, K], -inf where masked; [batch, ..., N] for Bernoulli latents.
        training: Bool, whether to sample. Default: False.
        seed: Int or int32 [2], seed of this call. Default: None, a new seed in every call.

    Raises:
        ValueError: `temperature` is not positive, or see `StochasticLayer`.

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
