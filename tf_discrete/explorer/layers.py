"""Keras networks as lists of layers that a page computes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import keras
import numpy as np
import tensorflow as tf

from tf_discrete import likelihoods
from tf_discrete.explorer import packed
from tf_discrete.layers.code_embedding import CodeEmbedding
from tf_discrete.layers.stateless_dropout import StatelessDropout
from tf_discrete.models import convolutional_networks
from tf_discrete.models.feature_networks import LikelihoodMean
from tf_discrete.models.sum_of_rows import layers_in_turn
from tf_discrete.types import JsonObject

ACTIVATIONS = (
    "linear",
    "relu",
    "leaky_relu",
    "elu",
    "selu",
    "gelu",
    "silu",
    "softplus",
    "sigmoid",
    "tanh",
)
"""Names of the activations that a page computes."""

_Shape = tuple[int, ...]
_Convert = Callable[[keras.layers.Layer, _Shape, _Shape, str], list[JsonObject]]


def of_network(
    network: keras.layers.Layer, input_shape: Sequence[int], precision: str, argument: str
) -> list[JsonObject]:
    """Returns the layers of a network as JSON holds them, each with its name under "kind".

    Args:
        network: Keras model whose layers read one another in turn.
        input_shape: Shape of one input.
        precision: Of the weights, see `packed.pack_weights`.
        argument: Name of the network for messages.

    Raises:
        ValueError: A network of another form, or a layer or an activation that a page cannot compute.

    Example:
        >>> from tf_discrete.models import mlp_networks
        >>> network = mlp_networks.mlp_decoder((2, 3), (4, 4, 1), (8,), "relu")
        >>> [layer["kind"] for layer in of_network(network, (2, 3), "int8", "decoder")]
        ['reshape', 'dense', 'activation', 'dense', 'reshape']
    """
    is_network = isinstance(network, keras.Model)
    layers = layers_in_turn(network) if is_network else [network]
    if not layers:
        raise ValueError(
            f"The {argument} of a page must be layers that read one another in turn, such as a "
            "keras.Sequential. Export the model with trainers.export instead. "
            f"Received: {argument}={network!r}"
        )
    found: list[JsonObject] = []
    shape: _Shape = tuple(input_shape)
    for layer in layers:
        after = tuple(layer(tf.zeros([1, *shape])).shape[1:])
        if isinstance(layer, keras.Model) and type(layer) not in _CONVERT:
            found += of_network(layer, shape, precision, argument)
        else:
            found += _convert(layer, argument)(layer, shape, after, precision)
        shape = after
    return found


def of_mean(likelihood: likelihoods.Likelihood) -> list[JsonObject]:
    """Returns the layers from the parameters of a likelihood to its mean.

    Raises:
        ValueError: A likelihood whose mean a page cannot compute.
    """
    if isinstance(likelihood, likelihoods.Bernoulli):
        return _activation("sigmoid", "likelihood")
    if isinstance(likelihood, likelihoods.Gaussian):
        return [] if likelihood.scale else [{"kind": "first_of", "count": 2}]
    if isinstance(likelihood, likelihoods.CategoricalIntensity):
        return [{"kind": "mean_level", "levels": likelihood.levels}]
    raise ValueError(
        "The likelihood of a page must be bernoulli, gaussian or categorical_intensity. Train with one of "
        f"them. Received: likelihood={type(likelihood).__name__}"
    )


def _convert(layer: keras.layers.Layer, argument: str) -> _Convert:
    if type(layer) not in _CONVERT:
        known = ", ".join(sorted({kind.__name__ for kind in _CONVERT}))
        raise ValueError(
            f"The {argument} of a page must be made of {known}. Train with --encoder=mlp or conv, or export "
            f"the model with trainers.export instead. Received: {argument} with {type(layer).__name__}"
        )
    return _CONVERT[type(layer)]


def _reshape(
    layer: keras.layers.Layer, before: _Shape, after: _Shape, precision: str
) -> list[JsonObject]:
    return [{"kind": "reshape", "shape": list(after)}]


def _nothing(
    layer: keras.layers.Layer, before: _Shape, after: _Shape, precision: str
) -> list[JsonObject]:
    return []


def _dense(
    layer: keras.layers.Dense, before: _Shape, after: _Shape, precision: str
) -> list[JsonObject]:
    weights = _weights(layer.kernel, layer.bias, after[-1], precision)
    return [{"kind": "dense", **weights}, *_own_activation(layer)]


def _code_embedding(
    layer: CodeEmbedding, before: _Shape, after: _Shape, precision: str
) -> list[JsonObject]:
    if layer.mode == "one_hot" or layer.table is None:
        return [{"kind": "reshape", "shape": list(after)}]
    return [{"kind": "dense", **_weights(layer.table, None, after[-1], precision)}]


def _conv(
    layer: keras.layers.Conv2D, before: _Shape, after: _Shape, precision: str
) -> list[JsonObject]:
    _check_convolution(layer)
    padding = [
        _padding(layer, *sizes)
        for sizes in zip(layer.kernel_size, layer.strides, before, after, strict=False)
    ]
    weights = _weights(layer.kernel, layer.bias, after[-1], precision)
    found = {"strides": list(layer.strides), "padding": padding, "output": list(after)}
    return [{"kind": "conv", **found, **weights}, *_own_activation(layer)]


def _conv_transpose(
    layer: keras.layers.Conv2DTranspose, before: _Shape, after: _Shape, precision: str
) -> list[JsonObject]:
    _check_convolution(layer)
    padding = [  # Of the convolution whose gradient this is.
        _padding(layer, kernel, stride, large, small)
        for kernel, stride, small, large in zip(
            layer.kernel_size, layer.strides, before, after, strict=False
        )
    ]
    weights = _weights(layer.kernel, layer.bias, after[-1], precision)
    found = {"strides": list(layer.strides), "padding": padding, "output": list(after)}
    return [{"kind": "conv_transpose", **found, **weights}, *_own_activation(layer)]


def _crop(
    layer: keras.layers.Cropping2D, before: _Shape, after: _Shape, precision: str
) -> list[JsonObject]:
    (top, _), (left, _) = layer.cropping
    return [{"kind": "crop", "corner": [top, left], "output": list(after)}]


def _activation_layer(
    layer: keras.layers.Activation, before: _Shape, after: _Shape, precision: str
) -> list[JsonObject]:
    return _own_activation(layer)


def _batch_norm(
    layer: keras.layers.BatchNormalization, before: _Shape, after: _Shape, precision: str
) -> list[JsonObject]:
    _check_last_axis(layer, len(after))
    scale = 1.0 / np.sqrt(np.asarray(layer.moving_variance) + layer.epsilon)
    scale = scale * np.asarray(layer.gamma) if layer.scale else scale
    offset = -np.asarray(layer.moving_mean) * scale
    offset = offset + np.asarray(layer.beta) if layer.center else offset
    return [{"kind": "affine", "scale": packed.pack(scale), "offset": packed.pack(offset)}]


def _layer_norm(
    layer: keras.layers.LayerNormalization, before: _Shape, after: _Shape, precision: str
) -> list[JsonObject]:
    _check_last_axis(layer, len(after))
    ones, zeros = np.ones(after[-1]), np.zeros(after[-1])
    scale = np.asarray(layer.gamma) if layer.scale else ones
    offset = np.asarray(layer.beta) if layer.center else zeros
    return [
        {"kind": "standardize", "epsilon": layer.epsilon},
        {"kind": "affine", "scale": packed.pack(scale), "offset": packed.pack(offset)},
    ]


def _mean(layer: LikelihoodMean, before: _Shape, after: _Shape, precision: str) -> list[JsonObject]:
    return of_mean(layer.likelihood)


_CONVERT: dict[type, Callable[..., list[JsonObject]]] = {
    keras.layers.Reshape: _reshape,
    keras.layers.Flatten: _reshape,
    keras.layers.Dropout: _nothing,
    StatelessDropout: _nothing,
    keras.layers.Dense: _dense,
    CodeEmbedding: _code_embedding,
    keras.layers.Conv2D: _conv,
    convolutional_networks.Conv2D: _conv,
    keras.layers.Conv2DTranspose: _conv_transpose,
    convolutional_networks.Conv2DTranspose: _conv_transpose,
    keras.layers.Cropping2D: _crop,
    keras.layers.Activation: _activation_layer,
    keras.layers.BatchNormalization: _batch_norm,
    keras.layers.LayerNormalization: _layer_norm,
    LikelihoodMean: _mean,
}


def _weights(
    kernel: keras.Variable, bias: keras.Variable | None, outputs: int, precision: str
) -> JsonObject:
    offset = np.zeros(outputs) if bias is None else np.asarray(bias)
    return {
        "kernel": packed.pack_weights(np.asarray(kernel), precision),
        "bias": packed.pack(offset.astype(np.float32)),
    }


def _own_activation(layer: keras.layers.Layer) -> list[JsonObject]:
    return _activation(keras.activations.serialize(layer.activation), layer.name)


def _activation(name: object, argument: str) -> list[JsonObject]:
    if name not in ACTIVATIONS:
        raise ValueError(
            f"The activations of a page must be among {', '.join(ACTIVATIONS)}. Train with one of them. "
            f"Received: activation={name!r} of {argument}"
        )
    return [] if name == "linear" else [{"kind": "activation", "name": name}]


def _padding(layer: keras.layers.Layer, kernel: int, stride: int, large: int, small: int) -> int:
    """Returns how many rows (or columns) of zeros come before the first of the larger side."""
    if layer.padding == "valid":
        return 0
    return max((small - 1) * stride + kernel - large, 0) // 2


def _check_convolution(layer: keras.layers.Layer) -> None:
    plain = layer.data_format == "channels_last" and math.prod(layer.dilation_rate) == 1
    same = (
        type(layer) in (keras.layers.Conv2D, convolutional_networks.Conv2D)
        or layer.padding == "same"
    )
    if not (plain and same and getattr(layer, "groups", 1) == 1):
        raise ValueError(
            "Convolutions of a page must have channels_last, no dilation and no groups, and transposed ones "
            "padding='same'. Change the network, or export the model with trainers.export instead. "
            f"Received: {layer.name} with padding={layer.padding!r}, dilation_rate={layer.dilation_rate}, "
            f"groups={getattr(layer, 'groups', 1)}"
        )


def _check_last_axis(layer: keras.layers.Layer, rank: int) -> None:
    axis = layer.axis if isinstance(layer.axis, int) else layer.axis[0]
    if axis not in (-1, rank):
        raise ValueError(
            "Normalisation of a page must be over the last axis. Export the model with trainers.export "
            f"instead. Received: {layer.name} with axis={layer.axis}"
        )
