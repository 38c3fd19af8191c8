"""`DigitNetwork`: small networks from features and the digits before to the logits of the next digit."""

from __future__ import annotations

import keras
import tensorflow as tf

from tf_discrete.types import ActivationLike, Shape, Tensor


class DigitNetwork(keras.layers.Layer):
    """One hidden layer for each depth d, read by all nodes at that depth. A part of a layer, which saves it.

    Args:
        branching: The children of a node at each depth, the outputs of its network.
        hidden_units: Width of the hidden layers.
        activation: Their Keras activation.
    """

    def __init__(
        self,
        branching: tuple[int, ...],
        hidden_units: int,
        activation: ActivationLike,
        **kwargs: object,
    ):
        super().__init__(**kwargs)
        self.branching, self.hidden_units = branching, hidden_units
        self.activation = keras.activations.get(activation)

        def dense(units: int, name: str, use_bias: bool = True) -> keras.layers.Dense:
            return keras.layers.Dense(units, use_bias=use_bias, dtype=self.dtype_policy, name=name)

        depths = range(len(branching))
        self.contexts = [dense(hidden_units, f"context_{depth}") for depth in depths]
        self.prefixes = [dense(hidden_units, f"prefix_{depth}", False) for depth in depths[1:]]
        self.outputs = [dense(branching[depth], f"output_{depth}") for depth in depths]

    def build(self, context_shape: Shape) -> None:
        for depth, (context, output) in enumerate(zip(self.contexts, self.outputs, strict=True)):
            context.build((None, context_shape[-1]))
            output.build((None, self.hidden_units))
            if depth:
                self.prefixes[depth - 1].build((None, depth * max(self.branching)))
        self.built = True

    def logits(self, depth: int, context: Tensor, before: Tensor) -> tf.Tensor:
        """Computes the logits of the children, [*A, b_d].

        Args:
            depth: Int in [0, D).
            context: float [*A, F].
            before: float [*A, depth, r], the digits before.
        """
        hidden = self.contexts[depth](context)
        if depth:
            shape = tf.concat([tf.shape(before)[:-2], [depth * max(self.branching)]], axis=0)
            hidden += self.prefixes[depth - 1](tf.reshape(before, shape))
        return self.outputs[depth](self.activation(hidden))
