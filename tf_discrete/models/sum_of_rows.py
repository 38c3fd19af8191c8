"""A network on codes: its first affine map on one-hot values is a sum of rows of the kernel.

N rows are added in the place of a product with N * K numbers of which N are 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import keras
import tensorflow as tf
from keras.src.models.functional import Functional

from tf_discrete._internal import fusion
from tf_discrete.distributions import LatentSpec
from tf_discrete.types import Tensor

MIN_CATEGORIES = 6
"""With fewer, a matrix product of as many numbers is short; an estimate, measured at 10 categories alone."""
MAX_VARIABLES = 64
"""With more, the loop that XLA compiles is long; an estimate, measured at 20 variables alone."""


class Split(NamedTuple):
    """A network in two.

    Attributes:
        affine: its first layer with weights, which reads the flattened input.
        rest: the layers after it, in turn.
    """

    affine: keras.layers.Dense
    rest: Sequence[keras.layers.Layer]


def split(network: keras.Model, spec: LatentSpec) -> Split | None:
    """Splits a network on one-hot values after its first affine map; None if it has another form."""
    layers = layers_in_turn(network)
    if len(layers) < 2 or type(layers[0]) is not keras.layers.Flatten:
        return None
    affine = layers[1]
    if type(affine) is not keras.layers.Dense or affine.quantization_mode is not None:
        return None
    one_hot = spec.shape == (spec.num_variables, spec.num_categories)
    few = spec.num_categories < MIN_CATEGORIES or spec.num_variables > MAX_VARIABLES
    return Split(affine, layers[2:]) if one_hot and not few else None


def apply(parts: Split, spec: LatentSpec, codes: Tensor) -> tf.Tensor:
    """Applies a split network to codes int [R, N], at inference."""
    affine, rest = parts
    kernel = tf.convert_to_tensor(affine.kernel)
    bias = 0.0 if affine.bias is None else tf.convert_to_tensor(affine.bias)
    zero, one = (spec.network_input(tf.constant(value, kernel.dtype)) for value in (0.0, 1.0))
    bias += zero * tf.reduce_sum(kernel, axis=0)
    table = tf.reshape((one - zero) * kernel, [spec.num_variables, spec.num_categories, -1])
    outputs = tf.cast(_sum_of_rows(table, bias, codes), affine.compute_dtype)
    for layer in (affine.activation, *rest):
        at_inference = (
            {"training": False} if getattr(layer, "_call_has_training_arg", False) else {}
        )
        outputs = layer(outputs, **at_inference)
    return outputs


@fusion.part
def _sum_of_rows(table: tf.Tensor, bias: tf.Tensor, codes: tf.Tensor) -> tf.Tensor:
    """Bias [D] + sum over N of table [N, K, D] at codes [R, N], [R, D]: a loop over D reads each row once."""
    total = bias
    for variable in range(table.shape[0]):
        total += tf.gather(table[variable], codes[:, variable])
    return total


def layers_in_turn(network: keras.Model) -> list[keras.layers.Layer]:
    """Returns the layers of a network in turn if each reads what the one before returns, else none."""
    if isinstance(network, keras.Sequential):
        return list(network.layers)
    if not isinstance(network, Functional):
        return []
    found: list[keras.layers.Layer] = []
    before: list[int] = []
    for _, nodes in sorted(network._nodes_by_depth.items(), reverse=True):
        node = nodes[0]
        reads = [id(tensor) for tensor in node.input_tensors]
        if len(nodes) > 1 or reads != before or any(node.arguments.kwargs.values()):
            return []
        before = [id(tensor) for tensor in node.outputs]
        if not node.is_input:
            found.append(node.operation)
    return found
