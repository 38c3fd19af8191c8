"""Encoders and decoders by name: Keras functional models, so that any of them can be saved.

An encoder maps [B, *data_shape] to logits, `num_outputs` of them in any shape. A decoder maps latents
[B, *latent_shape] to the parameters of the likelihood, [B, *output_shape]. A user's own Keras model with
that interface serves as well.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

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
from tf_discrete.models import convolutional_networks, mlp_networks
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


def set_output_bias(network: keras.Model, outputs: np.ndarray) -> None:
    """Lets a network start near given outputs: sets the bias of its last layer that has one.

    Args:
        network: of this module, or any whose last layer with a bias gives the outputs, or channels of them.
        outputs: [*output_shape], averaged over the places that share a bias.

    Raises:
        ValueError: see `output_bias`.
    """
    bias = output_bias(network, np.size(outputs))
    bias.assign(np.reshape(outputs, [-1, bias.shape[0]]).mean(axis=0))


def output_bias(network: keras.Model, num_outputs: int) -> keras.Variable:
    """Returns the bias of the last layer that has one: a number for each output, or for each channel.

    Raises:
        ValueError: no such layer, or one of another size.
    """
    biases = [layer.bias for layer in _in_order(network) if hasattr(layer, "bias")]
    bias = next((bias for bias in reversed(biases) if bias is not None), None)
    if bias is None or num_outputs % bias.shape[0]:
        raise ValueError(
            f"The last layer must have a bias for each of {num_outputs} outputs, or for each channel. "
            f"Received: {network.name} with a bias of shape {None if bias is None else bias.shape}"
        )
    return bias


def _in_order(layer: keras.layers.Layer) -> Iterator[keras.layers.Layer]:
    """Yields a layer and those within it in their order, which Keras' own list of them does not keep."""
    yield layer
    for part in layer.layers if isinstance(layer, keras.Model) else layer._layers:
        yield from _in_order(part)


register("mlp", mlp_networks.mlp_encoder, mlp_networks.mlp_decoder)
register("conv", convolutional_networks.conv_encoder, convolutional_networks.conv_decoder)
register("conv_grid", convolutional_networks.grid_encoder, convolutional_networks.grid_decoder)


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
