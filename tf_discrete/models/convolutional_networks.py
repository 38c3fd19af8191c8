"""Encoders and decoders of images: convolutions before dense layers, and convolutions alone over a grid."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from tf_discrete.models.mlp_networks import mlp_encoder
from tf_discrete.types import ActivationLike, Tensor

_Shape = Sequence[int]


class _AnyBatch:
    """Makes a convolution right for an empty batch, for which TensorFlow's kernels on CPU are not."""

    def call(self, inputs: Tensor, **kwargs: Any) -> Tensor:
        rows = tf.shape(inputs)[0]
        extra = tf.zeros([1, *inputs.shape[1:]], inputs.dtype)[: tf.cast(rows == 0, tf.int32)]
        return super().call(tf.concat([inputs, extra], axis=0), **kwargs)[:rows]  # type: ignore[misc]

    def compute_output_spec(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        shape = self.compute_output_shape(inputs.shape)  # type: ignore[attr-defined]
        return keras.KerasTensor(shape, dtype=self.compute_dtype)  # type: ignore[attr-defined]


@keras.saving.register_keras_serializable("tf_discrete.models")
class Conv2D(_AnyBatch, keras.layers.Conv2D):
    """Keras' `Conv2D` for batches of any size, 0 too."""


@keras.saving.register_keras_serializable("tf_discrete.models")
class Conv2DTranspose(_AnyBatch, keras.layers.Conv2DTranspose):
    """Keras' `Conv2DTranspose` for batches of any size, 0 too."""


def conv_encoder(
    data_shape: _Shape, num_outputs: int, hidden_units: _Shape, activation: ActivationLike
) -> keras.Model:
    """Builds two strided 3x3 convolutions (32 and 64 filters), then `mlp_encoder`.

    Returns:
        Keras model of images [B, *data_shape] to logits [B, num_outputs].

    Raises:
        ValueError: `data_shape` is not [height, width, channels].
    """
    inputs = keras.Input(image_shape(data_shape))
    x = inputs
    for filters in (32, 64):
        x = Conv2D(filters, 3, strides=2, padding="same", activation=activation)(x)
    outputs = mlp_encoder(x.shape[1:], num_outputs, hidden_units, activation)(x)
    return keras.Model(inputs, outputs, name="encoder")


def conv_decoder(
    latent_shape: _Shape, output_shape: _Shape, hidden_units: _Shape, activation: ActivationLike
) -> keras.Model:
    """Builds the mirror image of `conv_encoder`, for images of any height and width.

    Returns:
        Keras model of latents [B, *latent_shape] to parameters of the pixels [B, *output_shape].

    Raises:
        ValueError: `output_shape` does not begin with [height, width, channels].
    """
    height, width, channels = image_shape(output_shape[:3])
    channels *= math.prod(output_shape[3:])
    small = (math.ceil(math.ceil(height / 2) / 2), math.ceil(math.ceil(width / 2) / 2), 64)
    inputs = keras.Input(latent_shape)
    x = keras.layers.Flatten()(inputs)
    for units in (*reversed(hidden_units), math.prod(small)):
        x = keras.layers.Dense(units, activation=activation)(x)
    x = keras.layers.Reshape(small)(x)
    x = Conv2DTranspose(32, 3, strides=2, padding="same", activation=activation)(x)
    x = Conv2DTranspose(32, 3, strides=2, padding="same", activation=activation)(x)
    x = keras.layers.Cropping2D(((0, 4 * small[0] - height), (0, 4 * small[1] - width)))(x)
    x = Conv2D(channels, 3, padding="same")(x)
    return keras.Model(inputs, keras.layers.Reshape(output_shape)(x), name="decoder")


def grid_shape(data_shape: _Shape, hidden_units: _Shape) -> tuple[int, int]:
    """Returns height and width of the grid of `grid_encoder`: each convolution halves both, rounded up.

    Example:
        >>> grid_shape((28, 28, 1), (32, 64)), grid_shape((28, 28, 1), (32, 64, 64))
        ((7, 7), (4, 4))
    """
    height, width, _ = image_shape(data_shape)
    scale = 2 ** len(hidden_units)
    return -(-height // scale), -(-width // scale)


def check_grid_axes(latent_shape: _Shape, data_shape: _Shape, hidden_units: _Shape) -> None:
    """Refuses a `latent_shape` of three or more axes whose first two are not rows and columns of the grid.

    Raises:
        ValueError: The first two axes are not the rows and columns of the grid.
    """
    rows, columns = grid_shape(data_shape[:3], hidden_units)
    if len(latent_shape) > 2 and tuple(latent_shape[:2]) != (rows, columns):
        raise ValueError(
            f"Rows and columns of a latent_shape must be those of the grid of {rows} x {columns} cells. Give "
            f"({rows}, {columns}, size of a vector), or other hidden_units. Received: "
            f"latent_shape={tuple(latent_shape)}, data_shape={tuple(data_shape)}, "
            f"hidden_units={tuple(hidden_units)}"
        )


def grid_encoder(
    data_shape: _Shape, num_outputs: int, hidden_units: _Shape, activation: ActivationLike
) -> keras.Model:
    """Builds a strided 3x3 convolution for each of `hidden_units`, its filters, and one to the logits.

    There are no dense layers: the logits are those of the cells of a grid, row by row, and each cell depends
    on the pixels around it alone.

    Returns:
        Keras model of images [B, *data_shape] to logits [B, num_outputs].

    Raises:
        ValueError: `data_shape` is not [height, width, channels], or the cells do not divide `num_outputs`.
    """
    cells = math.prod(grid_shape(data_shape, hidden_units))
    if num_outputs % cells:
        raise ValueError(
            f"Networks of a grid return as many numbers for each of its {cells} cells. Give a latent_shape "
            f"whose size is a multiple of {cells}, or other hidden_units. Received: {num_outputs} numbers, "
            f"data_shape={tuple(data_shape)}, hidden_units={tuple(hidden_units)}"
        )
    inputs = keras.Input(data_shape)
    x = inputs
    for filters in hidden_units:
        x = Conv2D(filters, 3, strides=2, padding="same", activation=activation)(x)
    x = Conv2D(num_outputs // cells, 3, padding="same")(x)
    return keras.Model(inputs, keras.layers.Flatten()(x), name="encoder")


def grid_decoder(
    latent_shape: _Shape, output_shape: _Shape, hidden_units: _Shape, activation: ActivationLike
) -> keras.Model:
    """Builds the mirror image of `grid_encoder`, for images of any height and width.

    Returns:
        Keras model of latents [B, *latent_shape] to parameters of the pixels [B, *output_shape].

    Raises:
        ValueError: `output_shape` does not begin with [height, width, channels], a cell would share a
            variable with another, or the first of three or more axes of `latent_shape` are not rows and
            columns of the grid.
    """
    height, width, channels = image_shape(output_shape[:3])
    rows, columns = grid_shape((height, width, channels), hidden_units)
    check_grid_axes(latent_shape, output_shape, hidden_units)
    variables = math.prod(latent_shape[:-1] or latent_shape)
    if variables % (rows * columns):
        raise ValueError(
            f"Each of the {rows} x {columns} cells of a grid must have as many variables. Give a multiple of "
            f"{rows * columns}, or other hidden_units. Received: latent_shape={tuple(latent_shape)}, "
            f"output_shape={tuple(output_shape)}, hidden_units={tuple(hidden_units)}"
        )
    inputs = keras.Input(latent_shape)
    depth = math.prod(latent_shape) // (rows * columns)
    x = keras.layers.Reshape((rows, columns, depth))(inputs)
    for filters in reversed(hidden_units):
        x = Conv2DTranspose(filters, 3, strides=2, padding="same", activation=activation)(x)
    scale = 2 ** len(hidden_units)
    rest = ((0, scale * rows - height), (0, scale * columns - width))
    x = keras.layers.Cropping2D(rest)(x)
    x = Conv2D(channels * math.prod(output_shape[3:]), 3, padding="same")(x)
    return keras.Model(inputs, keras.layers.Reshape(output_shape)(x), name="decoder")


def image_shape(shape: _Shape) -> tuple[int, int, int]:
    """Returns the shape of an image, [height, width, channels]; others are refused."""
    if len(shape) != 3:
        raise ValueError(
            "Convolutional networks read images [height, width, channels]. Use the mlp networks for "
            f"other data. Received: data_shape={tuple(shape)}"
        )
    return (shape[0], shape[1], shape[2])
