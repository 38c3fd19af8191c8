"""`Signature`: one named function of an exported model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import tensorflow as tf

SEED = tf.TensorSpec([2], tf.int32, name="seed")
"""The input that every signature with draws has: the same seed gives the same answer."""


class Signature(NamedTuple):
    """A function that a model offers to whoever serves it.

    Attributes:
        fn: takes one tensor for each of `inputs`, in that order; returns a dict of named tensors.
        inputs: named specs; None is the axis of the batch.
        deterministic: whether it draws nothing. Such signatures go into a TFLite file too.
    """

    fn: Callable[..., dict[str, Any]]
    inputs: tuple[tf.TensorSpec, ...]
    deterministic: bool


def batch_of(name: str, shape: Sequence[int], dtype: Any = tf.float32) -> tf.TensorSpec:
    """An input with a batch axis of any size."""
    return tf.TensorSpec([None, *shape], dtype, name=name)


def count(name: str) -> tf.TensorSpec:
    """An input that is a number, int32."""
    return tf.TensorSpec([], tf.int32, name=name)


def at_least_one(num_samples: Any) -> tf.Tensor:
    """A number of samples, checked when it is served."""
    check = tf.debugging.assert_positive(num_samples, "num_samples must be at least 1.")
    with tf.control_dependencies(in_graph([check])):
        return tf.identity(num_samples)


def in_graph(checks: list[Any]) -> list[Any]:
    """The checks that a graph must wait for; eager ones have been made already, and are None."""
    return [check for check in checks if check is not None]
