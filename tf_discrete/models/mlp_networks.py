"""Encoders and decoders of dense layers."""

from __future__ import annotations

import math
from collections.abc import Sequence

import keras

from tf_discrete.types import ActivationLike

_Shape = Sequence[int]


def mlp_encoder(
    data_shape: _Shape, num_outputs: int, hidden_units: _Shape, activation: ActivationLike
) -> keras.Model:
    """Builds an encoder: flatten, one dense layer for each of `hidden_units`, an affine map to the logits.

    Returns:
        Keras model of data [B, *data_shape] to logits [B, num_outputs].
    """
    inputs = keras.Input(data_shape)
    x = keras.layers.Flatten()(inputs)
    for units in hidden_units:
        x = keras.layers.Dense(units, activation=activation)(x)
    return keras.Model(inputs, keras.layers.Dense(num_outputs)(x), name="encoder")


def mlp_decoder(
    latent_shape: _Shape, output_shape: _Shape, hidden_units: _Shape, activation: ActivationLike
) -> keras.Model:
    """Builds the mirror image of `mlp_encoder`: `hidden_units` are read from the last to the first.

    Returns:
        Keras model of latents [B, *latent_shape] to parameters of the data [B, *output_shape].
    """
    inputs = keras.Input(latent_shape)
    x = keras.layers.Flatten()(inputs)
    for units in reversed(hidden_units):
        x = keras.layers.Dense(units, activation=activation)(x)
    x = keras.layers.Dense(math.prod(output_shape))(x)
    return keras.Model(inputs, keras.layers.Reshape(output_shape)(x), name="decoder")
