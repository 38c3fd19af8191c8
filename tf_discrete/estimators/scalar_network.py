"""The networks that estimators train for themselves: multi-layer perceptrons with one output."""

from __future__ import annotations

from collections.abc import Sequence

import keras


def scalar_network(
    hidden_units: Sequence[int],
    final: str = "glorot_uniform",
    weight_factor: float = 1.0,
) -> keras.Sequential:
    """Returns tanh layers and a linear one with one output, in float32 under every dtype policy.

    Args:
        hidden_units: Sizes of the hidden layers.
        final: Initializer of the last kernel. Default: "glorot_uniform".
        weight_factor: By which every layer multiplies its weights, which start that many times smaller: the
            same function of the input, whose weights move that many times further in a step of an
            optimizer whose steps, like those of Adam, do not depend on the size of gradients. Default: 1.0.

    Example:
        >>> network = scalar_network([8], weight_factor=10.0)
        >>> network(keras.ops.ones([5, 3])).shape
        TensorShape([5, 1])
    """
    layers: list[keras.layers.Layer] = []
    for units in hidden_units:
        layers += _dense(units, "tanh", "glorot_uniform", weight_factor)
    return keras.Sequential([*layers, *_dense(1, "linear", final, weight_factor)])


def _dense(
    units: int, activation: str, initializer: str, weight_factor: float
) -> list[keras.layers.Layer]:
    """A dense layer, in three parts where its weights are multiplied."""
    if weight_factor == 1.0:
        return [
            keras.layers.Dense(
                units, activation=activation, kernel_initializer=initializer, dtype="float32"
            )
        ]
    kernel = initializer
    if initializer == "glorot_uniform":
        kernel = keras.initializers.VarianceScaling(weight_factor**-2, "fan_avg", "uniform")
    return [
        keras.layers.Dense(units, kernel_initializer=kernel, dtype="float32"),
        keras.layers.Rescaling(weight_factor, dtype="float32"),
        keras.layers.Activation(activation, dtype="float32"),
    ]
