"""`DigitNetwork`: small networks from features and the digits before to the logits of the next digit."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from tf_discrete.models.named_parts import name_parts
from tf_discrete.types import ActivationLike, Shape, Tensor


class DigitNetwork(keras.layers.Layer):
    """A fully connected network for each depth d, the same for all nodes at that depth.

    A part of a layer, which saves its arguments.

    Args:
        branching: The children of a node at each depth, the outputs of its network.
        hidden_units: Widths of the hidden layers; () for an affine map.
        activation: Their Keras activation.
        starts_at_zero: Bool, whether all outputs are 0 before training. Default: False.
    """

    def __init__(
        self,
        branching: tuple[int, ...],
        hidden_units: tuple[int, ...],
        activation: ActivationLike,
        starts_at_zero: bool = False,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.branching, self.hidden_units = branching, hidden_units
        self.activation = keras.activations.get(activation)

        def dense(units: int, name: str, last: bool, use_bias: bool = True) -> keras.layers.Dense:
            return keras.layers.Dense(
                units,
                use_bias=use_bias,
                kernel_initializer="zeros" if last and starts_at_zero else "glorot_uniform",
                dtype=self.dtype_policy,
                name=name,
            )

        self.contexts, self.prefixes, self.others = [], [], []
        count = len(hidden_units)
        for depth, children in enumerate(branching):
            first, *widths = (*hidden_units, children)
            self.contexts.append(dense(first, f"context_{depth}", count == 0))
            if depth:
                self.prefixes.append(dense(first, f"prefix_{depth}", count == 0, use_bias=False))
            self.others.append(
                [
                    dense(width, f"dense_{depth}_{i}", i + 1 == count)
                    for i, width in enumerate(widths)
                ]
            )
        others = [layer for of_depth in self.others for layer in of_depth]
        name_parts(self, contexts=self.contexts, prefixes=self.prefixes, others=others)

    def build(self, context_shape: Shape) -> None:
        for depth in range(len(self.branching)):
            self.contexts[depth].build((None, context_shape[-1]))
            if depth:
                self.prefixes[depth - 1].build((None, depth * max(self.branching)))
            for width, layer in zip(self.hidden_units, self.others[depth], strict=True):
                layer.build((None, width))
        self.built = True

    def logits(self, depth: int, context: Tensor, before: Tensor) -> tf.Tensor:
        """Computes the logits of the children, [*A, b_d].

        Args:
            depth: Int in [0, D).
            context: float [*A, F].
            before: float [*A, depth, r], the digits before.
        """
        outputs = self.contexts[depth](context)
        if depth:
            shape = tf.concat([tf.shape(before)[:-2], [depth * max(self.branching)]], axis=0)
            outputs += self.prefixes[depth - 1](tf.reshape(before, shape))
        for layer in self.others[depth]:
            outputs = layer(self.activation(outputs))
        return outputs
