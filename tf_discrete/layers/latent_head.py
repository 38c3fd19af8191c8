"""`LatentHead`: features to the logits of discrete latents."""

from __future__ import annotations

from typing import Any

import keras

from tf_discrete._internal import checks
from tf_discrete.distributions import LatentSpec
from tf_discrete.types import Config, Shape, Tensor


@keras.saving.register_keras_serializable("tf_discrete.layers")
class LatentHead(keras.layers.Layer):
    """Computes the logits of N variables of K categories by a dense layer.

    Args:
        num_variables: Int N >= 1, number of variables. Default: 20.
        num_categories: Int K >= 2, categories of each variable; 2 for Bernoulli latents. Default: 10.
        latents: Kind of latents, see `tf_discrete.distributions.names()`. Default: "categorical".
        use_bias: Bool, whether to add a bias. Default: True.
        kernel_initializer: Keras initializer of the weights. Default: "glorot_uniform".
        kernel_regularizer: Keras regularizer of the weights. Default: None.

    Input shape:
        [batch, ..., features]

    Output shape:
        [batch, ..., N, K], [batch, ..., N] for Bernoulli latents, or [batch, ..., N * D, r] for trees.

    Raises:
        ValueError: A size is out of range, or the inputs have no axis of features.

    Example:
        >>> import tensorflow as tf
        >>> LatentHead(num_variables=3, num_categories=4)(tf.zeros([2, 8])).shape
        TensorShape([2, 3, 4])
    """

    def __init__(
        self,
        num_variables: int = 20,
        num_categories: int = 10,
        latents: str = "categorical",
        use_bias: bool = True,
        kernel_initializer: str | keras.Initializer | Config = "glorot_uniform",
        kernel_regularizer: str | keras.Regularizer | Config | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.latent_spec = LatentSpec(num_variables, num_categories, latents)
        self.supports_masking = True
        self.dense = keras.layers.Dense(
            self.latent_spec.num_logits,
            use_bias=checks.flag("use_bias", use_bias),
            kernel_initializer=checks.keras_part(
                "kernel_initializer", kernel_initializer, keras.initializers.get
            ),
            kernel_regularizer=checks.keras_part(
                "kernel_regularizer", kernel_regularizer, keras.regularizers.get
            ),
            dtype=self.dtype_policy,
            name="dense",
        )

    def build(self, inputs_shape: Shape) -> None:
        if len(inputs_shape) < 2:
            raise ValueError(
                "inputs must be [batch, ..., features]. Add the axis that is missing. "
                f"Received: inputs.shape={tuple(inputs_shape)}"
            )
        self.dense.build(inputs_shape)
        self.built = True

    def call(self, inputs: Tensor) -> Tensor:
        lead = keras.ops.shape(inputs)[:-1]
        return keras.ops.reshape(self.dense(inputs), (*lead, *self.latent_spec.logits_shape))

    def compute_output_shape(self, inputs_shape: Shape) -> tuple[int | None, ...]:
        return (*inputs_shape[:-1], *self.latent_spec.logits_shape)

    def get_config(self) -> Config:
        dense = self.dense.get_config()
        keys = ("use_bias", "kernel_initializer", "kernel_regularizer")
        return {
            **super().get_config(),
            "num_variables": self.latent_spec.num_variables,
            "num_categories": self.latent_spec.num_categories,
            "latents": self.latent_spec.latents,
            **{key: dense[key] for key in keys},
        }
