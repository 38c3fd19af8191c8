"""The layers of a page, computed by NumPy: what the page computes by JavaScript, for its checks."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from tf_discrete.explorer import packed
from tf_discrete.types import JsonObject

_ERF = np.vectorize(math.erf, otypes=[float])
_SELU = (1.0507009873554805, 1.6732632423543772)

ACTIVATIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "relu": lambda x: np.maximum(x, 0),
    "leaky_relu": lambda x: np.where(x > 0, x, 0.2 * x),
    "elu": lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
    "selu": lambda x: _SELU[0] * np.where(x > 0, x, _SELU[1] * np.expm1(np.minimum(x, 0))),
    "gelu": lambda x: 0.5 * x * (1 + _ERF(x / math.sqrt(2))),
    "silu": lambda x: x / (1 + np.exp(-x)),
    "softplus": lambda x: np.logaddexp(x, 0),
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "tanh": np.tanh,
}


def compute(layers: Sequence[JsonObject], x: np.ndarray) -> np.ndarray:
    """Returns the outputs, float [B, ...], of layers as `layers.of_network` gives them.

    Args:
        layers: Of a page.
        x: float [B, *input_shape].

    Example:
        >>> bias = packed.pack(np.array([1.0]))
        >>> kernel = packed.pack_weights(np.array([[2.0], [0.5]]), "int16")
        >>> compute([{"kind": "dense", "kernel": kernel, "bias": bias}], np.ones([1, 2])).round(3).tolist()
        [[3.5]]
    """
    x = np.asarray(x, np.float32)
    for layer in layers:
        x = _LAYERS[layer["kind"]](layer, x)
    return x


def _dense(layer: JsonObject, x: np.ndarray) -> np.ndarray:
    return x @ packed.unpack(layer["kernel"]) + packed.unpack(layer["bias"])


def _conv(layer: JsonObject, x: np.ndarray) -> np.ndarray:
    kernel, outputs = packed.unpack(layer["kernel"]), layer["output"]
    (rows, columns), (top, left) = layer["strides"], layer["padding"]
    height, width = kernel.shape[:2]
    extra = [(0, 0), (top, height * rows), (left, width * columns), (0, 0)]
    padded = np.pad(x, extra)
    found = np.zeros([len(x), *outputs], np.float32) + packed.unpack(layer["bias"])
    for i in range(height):
        for j in range(width):
            part = padded[:, i::rows, j::columns][:, : outputs[0], : outputs[1]]
            found += part @ kernel[i, j]
    return found


def _conv_transpose(layer: JsonObject, x: np.ndarray) -> np.ndarray:
    kernel, outputs = packed.unpack(layer["kernel"]), layer["output"]
    (rows, columns), (top, left) = layer["strides"], layer["padding"]
    height, width = kernel.shape[:2]
    size = [len(x), outputs[0] + 2 * height + rows, outputs[1] + 2 * width + columns, outputs[2]]
    padded = np.zeros(size, np.float32)
    for i in range(height):
        for j in range(width):
            down, right = i + rows * x.shape[1], j + columns * x.shape[2]
            padded[:, i:down:rows, j:right:columns] += x @ kernel[i, j].T
    found = padded[:, top : top + outputs[0], left : left + outputs[1]]
    return found + packed.unpack(layer["bias"])


def _crop(layer: JsonObject, x: np.ndarray) -> np.ndarray:
    (top, left), (height, width, _) = layer["corner"], layer["output"]
    return x[:, top : top + height, left : left + width]


def _standardize(layer: JsonObject, x: np.ndarray) -> np.ndarray:
    mean, variance = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
    return (x - mean) / np.sqrt(variance + layer["epsilon"])


def _affine(layer: JsonObject, x: np.ndarray) -> np.ndarray:
    return x * packed.unpack(layer["scale"]) + packed.unpack(layer["offset"])


def _mean_level(layer: JsonObject, x: np.ndarray) -> np.ndarray:
    levels = layer["levels"]
    logits = x.reshape([len(x), -1, levels])
    weights = np.exp(logits - logits.max(-1, keepdims=True))
    return (weights / weights.sum(-1, keepdims=True)) @ np.linspace(0, 1, levels)


_LAYERS: dict[str, Callable[[JsonObject, np.ndarray], np.ndarray]] = {
    "reshape": lambda layer, x: x.reshape([len(x), *layer["shape"]]),
    "dense": _dense,
    "conv": _conv,
    "conv_transpose": _conv_transpose,
    "crop": _crop,
    "standardize": _standardize,
    "affine": _affine,
    "activation": lambda layer, x: ACTIVATIONS[layer["name"]](x),
    "first_of": lambda layer, x: x.reshape([len(x), -1, layer["count"]])[..., 0],
    "mean_level": _mean_level,
}
