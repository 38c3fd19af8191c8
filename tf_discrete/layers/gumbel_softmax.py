"""`GumbelSoftmax`: the relaxation as a layer."""

from __future__ import annotations

from typing import Any

import keras

from tf_discrete._internal import checks
from tf_discrete.layers.stochastic import StochasticLayer
from tf_discrete.types import Config, ScheduleLike


@keras.saving.register_keras_serializable("tf_discrete.layers")
class GumbelSoftmax(StochasticLayer):
    """Samples from the Gumbel-Softmax relaxation in training, and returns a one-hot value at inference.

    The relaxed sample is softmax((logits + Gumbel noise) / temperature).

    Args:
        temperature: Positive float or schedule. Default: 1.0.
        hard: Bool, whether to return a one-hot sample in training too, with the gradient of the relaxed
            sample (straight-through). Default: False.
        **kwargs: Arguments `latents`, `inference`, `kl_weight`, `prior`, `seed`, see `StochasticLayer`.

    Call arguments:
        inputs: Logits, float [batch, ..., N, K], -inf where masked; [batch, ..., N] for Bernoulli latents.
        training: Bool, whether to sample the relaxation. Default: False.
        seed: Int or int32 [2], seed of this call. Default: None, a new seed in every call.

    Raises:
        ValueError: `temperature` is not positive, or see `StochasticLayer`.

    Example:
        >>> import tensorflow as tf
        >>> layer = GumbelSoftmax(temperature=0.5, seed=0)
        >>> logits = tf.zeros([2, 3, 4])   # 2 examples, 3 variables, 4 categories
        >>> z = layer(logits, training=True)
        >>> z.shape, float(tf.reduce_sum(z[0, 0]).numpy().round(5))
        (TensorShape([2, 3, 4]), 1.0)
        >>> layer(logits)[0, 0].numpy().tolist()
        [1.0, 0.0, 0.0, 0.0]

    Reference:
        Jang, Gu, Poole. Categorical reparameterization with Gumbel-Softmax. 2016. arXiv:1611.01144.
        Maddison, Mnih, Teh. The Concrete distribution. 2016. arXiv:1611.00712.
    """

    def __init__(self, temperature: ScheduleLike = 1.0, hard: bool = False, **kwargs: Any):
        hard = checks.flag("hard", hard)
        name = "straight_through_gumbel_softmax" if hard else "gumbel_softmax"
        super().__init__(estimator=name, temperature=temperature, **kwargs)
        self.hard = hard

    def get_config(self) -> Config:
        config = super().get_config()
        del config["estimator"]
        temperature = self.estimator.get_config()["temperature"]
        return {**config, "temperature": temperature, "hard": self.hard}
