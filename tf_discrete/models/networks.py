"""Encoders and decoders by name: Keras functional models, so that any of them can be saved.

An encoder maps [B, *data_shape] to logits, `num_outputs` of them in any shape. A decoder maps latents
[B, *latent_shape] to the parameters of the likelihood, [B, *output_shape]. A user's own Keras model with
that interface serves as well.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from keras.src.models.functional import Functional

from tf_discrete._internal.input_checks import shaped
from tf_discrete._internal.registry import Registry
from tf_discrete._internal.serialization import check_serializable, deserialize
from tf_discrete.distributions import LatentSpec
from tf_discrete.estimators import Estimator
from tf_discrete.layers.code_embedding import CodeEmbedding
from tf_discrete.types import ActivationLike, NetworkLike, Tensor

_Shape = Sequence[int]
_ALIKE_IN_TRAINING = (
    keras.Sequential,
    Functional,
    keras.layers.Dense,
    keras.layers.EinsumDense,
)
"""Layers that take `training` to hand it on, or for quantised weights."""


class Builders(NamedTuple):
    """The functions that build the encoder and the decoder of one name."""

    encoder: Callable[..., keras.Model]
    decoder: Callable[..., keras.Model]


REGISTRY: Registry[Builders] = Registry("network", "a Keras model; a function cannot be saved")


def names() -> list[str]:
    """Names that `encoder` and `decoder` take."""
    return REGISTRY.names()


def register(
    name: str, encoder: Callable[..., keras.Model], decoder: Callable[..., keras.Model]
) -> None:
    """Makes a pair of builders known by a name, for the flags and `CategoricalVAE`.

    Args:
        name: new.
        encoder: (data_shape, num_outputs, hidden_units, activation) -> keras.Model.
        decoder: (latent_shape, output_shape, hidden_units, activation) -> keras.Model.

    Raises:
        ValueError: other builders have the name.
    """
    REGISTRY.add(name, Builders(encoder, decoder))


def encoder(
    identifier: NetworkLike,
    data_shape: _Shape,
    num_outputs: int,
    hidden_units: _Shape,
    activation: ActivationLike,
    argument: str = "encoder",
) -> keras.Model:
    """Builds an encoder by name, or checks the user's own model; messages call it `argument`.

    Raises:
        ValueError: unknown name, a model that cannot be saved or that does not fit.
    """
    if isinstance(identifier, str):
        build = REGISTRY.entry(identifier, argument).encoder
        return build(tuple(data_shape), num_outputs, tuple(hidden_units), activation)
    return _own(identifier, argument, tuple(data_shape), num_outputs)


def decoder(
    identifier: NetworkLike,
    latent_shape: _Shape,
    output_shape: _Shape,
    hidden_units: _Shape,
    activation: ActivationLike,
) -> keras.Model:
    """Builds a decoder by name, or checks the user's own model.

    Raises:
        ValueError: unknown name, a model that cannot be saved or that does not fit.
    """
    if isinstance(identifier, str):
        build = REGISTRY.entry(identifier, "decoder").decoder
        return build(tuple(latent_shape), tuple(output_shape), tuple(hidden_units), activation)
    return _own(identifier, "decoder", tuple(latent_shape), math.prod(output_shape))


def check_code_embeddings(
    network: keras.Model, spec: LatentSpec, estimators: Sequence[Estimator]
) -> None:
    """Refuses a decoder with a `CodeEmbedding` that cannot read what the estimators sample.

    Raises:
        ValueError: see `CodeEmbedding.check_model`.
    """
    for layer in network._flatten_layers():
        if isinstance(layer, CodeEmbedding):
            layer.check_model(spec, estimators)


def has_table(network: keras.layers.Layer) -> bool:
    """Returns whether a network has a table of rows, of which a step reads few; see `CodeEmbedding`."""
    return any(
        isinstance(layer, CodeEmbedding) and layer.has_rows for layer in network._flatten_layers()
    )


def check(name: str, identifier: NetworkLike) -> NetworkLike:
    """Returns a known name or a Keras model, which may be given by its config.

    Raises:
        ValueError: Names the argument.
    """
    if isinstance(identifier, dict) and "class_name" in identifier:
        identifier = deserialize(name, identifier)
    if not isinstance(identifier, keras.layers.Layer):
        REGISTRY.entry(identifier, name)
    return identifier


def flatten(x: Tensor, shape: tuple[int, ...], name: str = "x") -> tf.Tensor:
    """Returns observations [B, *shape] as vectors [B, numbers]; messages call them `name`.

    Raises:
        ValueError: observations of another shape.
    """
    x = shaped(x, shape, name)
    return tf.reshape(x, [tf.shape(x)[0], math.prod(shape)])


def without_gradient(network: keras.Model) -> Callable[..., tf.Tensor]:
    """The network as a function of (x, training) through which gradients reach x, but not its weights."""

    def apply(x: Tensor, training: bool = False) -> tf.Tensor:
        weights = [tf.stop_gradient(tf.convert_to_tensor(v)) for v in network.trainable_variables]
        others = network.non_trainable_variables
        return network.stateless_call(weights, others, x, training=training)[0]

    return apply


def differs_in_training(network: keras.layers.Layer) -> bool:
    """Returns whether a layer inside a network takes `training`, so that its outputs may depend on it.

    Example:
        >>> inputs = keras.Input([4])
        >>> plain = keras.Model(inputs, keras.layers.Dense(3)(inputs))
        >>> noisy = keras.Model(inputs, keras.layers.Dropout(0.5)(plain.outputs[0]))
        >>> differs_in_training(plain), differs_in_training(noisy)
        (False, True)
    """
    return any(
        layer._call_has_training_arg and type(layer) not in _ALIKE_IN_TRAINING
        for layer in network._flatten_layers()
    )


def mlp_encoder(
    data_shape: _Shape, num_outputs: int, hidden_units: _Shape, activation: ActivationLike
) -> keras.Model:
    """Flatten, one dense layer for each of `hidden_units`, an affine map to the logits."""
    inputs = keras.Input(data_shape)
    x = keras.layers.Flatten()(inputs)
    for units in hidden_units:
        x = keras.layers.Dense(units, activation=activation)(x)
    return keras.Model(inputs, keras.layers.Dense(num_outputs)(x), name="encoder")


def mlp_decoder(
    latent_shape: _Shape, output_shape: _Shape, hidden_units: _Shape, activation: ActivationLike
) -> keras.Model:
    """Builds the mirror image of `mlp_encoder`: `hidden_units` are read from the last to the first."""
    inputs = keras.Input(latent_shape)
    x = keras.layers.Flatten()(inputs)
    for units in reversed(hidden_units):
        x = keras.layers.Dense(units, activation=activation)(x)
    x = keras.layers.Dense(math.prod(output_shape))(x)
    return keras.Model(inputs, keras.layers.Reshape(output_shape)(x), name="decoder")


def set_output_bias(network: keras.Model, outputs: np.ndarray) -> None:
    """Lets a network start near given outputs: sets the bias of its last layer that has one.

    Args:
        network: of this module, or any whose last layer with a bias gives the outputs, or channels of them.
        outputs: [*output_shape], averaged over the places that share a bias.

    Raises:
        ValueError: no such layer, or one of another size.
    """
    biases = [layer.bias for layer in _in_order(network) if hasattr(layer, "bias")]
    bias = next((bias for bias in reversed(biases) if bias is not None), None)
    if bias is None or np.size(outputs) % bias.shape[0]:
        raise ValueError(
            f"The last layer must have a bias for each of {np.size(outputs)} outputs, or for each channel. "
            f"Received: {network.name} with a bias of shape {None if bias is None else bias.shape}"
        )
    bias.assign(np.reshape(outputs, [-1, bias.shape[0]]).mean(axis=0))


def _in_order(layer: keras.layers.Layer) -> Iterator[keras.layers.Layer]:
    """Yields a layer and those within it in their order, which Keras' own list of them does not keep."""
    yield layer
    for part in layer.layers if isinstance(layer, keras.Model) else layer._layers:
        yield from _in_order(part)


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
    """Builds two strided 3x3 convolutions (32 and 64 filters), then `mlp_encoder`."""
    inputs = keras.Input(image_shape(data_shape))
    x = inputs
    for filters in (32, 64):
        x = Conv2D(filters, 3, strides=2, padding="same", activation=activation)(x)
    outputs = mlp_encoder(x.shape[1:], num_outputs, hidden_units, activation)(x)
    return keras.Model(inputs, outputs, name="encoder")


def conv_decoder(
    latent_shape: _Shape, output_shape: _Shape, hidden_units: _Shape, activation: ActivationLike
) -> keras.Model:
    """Builds the mirror image of `conv_encoder`, for images of any height and width."""
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


def grid_encoder(
    data_shape: _Shape, num_outputs: int, hidden_units: _Shape, activation: ActivationLike
) -> keras.Model:
    """Builds a strided 3x3 convolution for each of `hidden_units`, its filters, and one to the logits.

    There are no dense layers: the logits are those of the cells of a grid, row by row, and each cell depends
    on the pixels around it alone.

    Raises:
        ValueError: The cells do not divide `num_outputs`.
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

    Raises:
        ValueError: A cell would share a variable with another, or the first of three or more axes of
            `latent_shape` are not rows and columns of the grid.
    """
    height, width, channels = image_shape(output_shape[:3])
    rows, columns = grid_shape((height, width, channels), hidden_units)
    if len(latent_shape) > 2 and tuple(latent_shape[:2]) != (rows, columns):
        raise ValueError(
            f"Rows and columns of a latent_shape must be those of the grid of {rows} x {columns} cells. Give "
            f"({rows}, {columns}, size of a vector), or other hidden_units. Received: "
            f"latent_shape={tuple(latent_shape)}, output_shape={tuple(output_shape)}, "
            f"hidden_units={tuple(hidden_units)}"
        )
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


register("mlp", mlp_encoder, mlp_decoder)
register("conv", conv_encoder, conv_decoder)
register("conv_grid", grid_encoder, grid_decoder)


def _own(
    model: object, argument: str, input_shape: tuple[int, ...], num_outputs: int
) -> keras.Model:
    if isinstance(model, dict):
        model = deserialize(argument, model)
    if not isinstance(model, keras.layers.Layer):
        REGISTRY.refuse(model, argument)
    check_serializable(model, argument)
    output = model(keras.KerasTensor((None, *input_shape), dtype="float32"))
    if not hasattr(output, "shape") or math.prod(output.shape[1:]) != num_outputs:
        shape = getattr(output, "shape", type(output).__name__)
        raise ValueError(
            f"{argument} must give {num_outputs} values for each example of shape {input_shape}. "
            f"Change its last layer. Received: {argument} with output {shape}"
        )
    return model


def image_shape(shape: _Shape) -> tuple[int, int, int]:
    """Returns the shape of an image, [height, width, channels]; others are refused."""
    if len(shape) != 3:
        raise ValueError(
            "Convolutional networks read images [height, width, channels]. Use the mlp networks for "
            f"other data. Received: data_shape={tuple(shape)}"
        )
    return (shape[0], shape[1], shape[2])
