"""`Signature`: one named function of an exported model."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

import tensorflow as tf

Limits: TypeAlias = tuple[float, float]
"""The smallest and the largest value of an input."""

SEED = tf.TensorSpec([2], tf.int32, name="seed")
"""The input that every signature with draws has: the same seed gives the same answer."""


MAX_COUNT = 10_000
"""The most samples that a request may ask for, so that none can hold a server for long."""

Outputs: TypeAlias = dict[str, tf.Tensor]
"""The answer of a signature: tensors by name."""


class Signature(NamedTuple):
    """A function that a model offers to whoever serves it.

    Attributes:
        fn: takes one tensor for each of `inputs`, in that order; returns a dict of named tensors.
        inputs: Named specs; None is the axis of the batch. What draws has the input `SEED`.
        limits: Name of an input -> the smallest and the largest value that `fn` answers, for the manifest;
            `fn` itself refuses others. Default: none.
    """

    fn: Callable[..., Outputs]
    inputs: tuple[tf.TensorSpec, ...]
    limits: Mapping[str, Limits] = {}

    @property
    def deterministic(self) -> bool:
        """Whether it draws nothing. Such signatures go into a TFLite file too."""
        return SEED not in self.inputs


def batch_of(name: str, shape: Sequence[int], dtype: tf.DType = tf.float32) -> tf.TensorSpec:
    """Returns an input with a batch axis of any size."""
    return tf.TensorSpec([None, *shape], dtype, name=name)


def count(name: str) -> tf.TensorSpec:
    """Returns an input that is a number, int32."""
    return tf.TensorSpec([], tf.int32, name=name)


def limits_of(support: Limits | None, name: str) -> dict[str, Limits]:
    """The limits of an input of observations with this support; none for finite numbers of any size."""
    if support is None or not all(math.isfinite(bound) for bound in support):
        return {}
    return {name: support}


def with_limits(
    signatures: Mapping[str, Signature], limits: Mapping[str, Limits]
) -> dict[str, Signature]:
    """Returns the signatures, each with the limits of those inputs that it has; its own ones stay."""
    found = {}
    for name, signature in signatures.items():
        own = {spec.name: limits[spec.name] for spec in signature.inputs if spec.name in limits}
        found[name] = signature._replace(limits={**own, **signature.limits})
    return found
