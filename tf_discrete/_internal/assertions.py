"""Assertions about values that only the run of a graph shows."""

from __future__ import annotations

import tensorflow as tf

from tf_discrete.types import Tensor


def is_known(x: Tensor) -> bool:
    """Returns whether the values of a tensor can be read now, so that a check need not wait for the graph.

    Example:
        >>> is_known(tf.constant(1)), bool(tf.function(lambda x: tf.constant(is_known(x)))(tf.constant(1)))
        (True, False)
    """
    return hasattr(x, "numpy")


def required(value: Tensor, condition: Tensor, rule: str, *received: Tensor) -> tf.Tensor:
    """Returns a value of a graph whose run is refused where a condition is false.

    XLA and TFLite leave assertions out: what must not be used there has to be marked in the value, too.

    Args:
        value: Tensor.
        condition: Scalar bool.
        rule: The message, to which the numbers in `received` are added.
        *received: Tensors.

    Raises:
        tf.errors.InvalidArgumentError: The condition is false, when the graph runs.

    Example:
        >>> tf.function(lambda n: required(n, n > 0, "n must be positive. Received: n =", n))(tf.constant(3))
        <tf.Tensor: shape=(), dtype=int32, numpy=3>
    """
    check = tf.raw_ops.Assert(condition=condition, data=[rule, *received])
    with tf.control_dependencies([check]):
        return tf.identity(value)
