"""Shapes, sizes and codes of the values of a kind of latents.

All of it is of the class, and needs no logits.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tf_discrete._internal import checks
from tf_discrete.types import JsonObject, Tensor

Axes = tuple[Any, ...]
"""Sizes of axes, integers; None where the graph does not know one."""


class DiscreteValues:
    """The values of N variables of K categories of one kind; `Discrete` is their distribution.

    Attributes:
        latents: Name of the kind, as the arguments `latents=` take it.
        event_rank: Number of axes of one value, and of its logits.
        code_meaning: What the number of a code stands for, for a manifest.
        code_dtype: Dtype of codes.
        factorized: Whether the logits alone are the distribution of a value, digit by digit. Where they are
            not, a model has the distribution, and each digit an estimator of the kind of `formulas`.
    """

    latents: str
    event_rank = 2
    code_meaning = "category"
    code_dtype = tf.int32
    factorized = True

    @classmethod
    def value_shape(cls, num_variables: int | None, num_categories: int | None) -> Axes:
        """Returns the shape of one value."""
        return (num_variables, num_categories)

    @classmethod
    def logits_shape(cls, num_variables: int | None, num_categories: int | None) -> Axes:
        """Returns the shape of the logits of one value."""
        return cls.value_shape(num_variables, num_categories)

    @classmethod
    def uniform_logits(cls, num_categories: int | None) -> np.ndarray:
        """Returns the logits of the uniform distribution, broadcastable against those of any N."""
        return np.zeros([])

    @classmethod
    def sizes_of(cls, logits_shape: Sequence[int | None]) -> tuple[int | None, int | None]:
        """N and K of logits of a shape [*logits_shape]."""
        num_variables, num_categories = logits_shape
        return num_variables, num_categories

    @classmethod
    def static_sizes(cls, logits: Tensor) -> tuple[int, int]:
        """N and K of logits [..., *logits_shape], as estimators see them: of a tree, those of its digits.

        Raises:
            ValueError: The graph does not know them.
        """
        sizes = cls.sizes_of(tuple(logits.shape[-cls.event_rank :]))
        num_variables, num_categories = sizes
        if num_variables is None or num_categories is None:
            raise ValueError(
                "Enumeration needs the number of variables and categories when the graph is built. Fix the "
                f"last {cls.event_rank} axes of the logits. "
                f"Received: logits.shape={logits.shape}"
            )
        return cls.digit_sizes(num_variables, num_categories)

    @classmethod
    def digit_sizes(cls, num_variables: int, num_categories: int) -> tuple[int, int]:
        """Returns the number of digits of N variables, and of their categories; N and K of most kinds."""
        return num_variables, num_categories

    @classmethod
    def check_sizes(cls, num_variables: object, num_categories: object) -> tuple[int, int]:
        """Returns N and K as integers; sizes that make no sense are refused."""
        num_variables = checks.whole("num_variables", num_variables)
        num_categories = checks.whole("num_categories", num_categories, lowest=2)
        if num_variables * num_categories > checks.INT32_MAX:
            raise ValueError(
                f"Latents may have at most {checks.INT32_MAX} logits. Use fewer variables or categories. "
                f"Received: num_variables={num_variables}, num_categories={num_categories}"
            )
        return num_variables, num_categories

    @classmethod
    def check_logits(cls, shape: Sequence[int | None]) -> None:
        """Refuses logits, of a shape [batch, ..., *logits_shape], that lack an axis."""
        if len(shape) <= cls.event_rank:
            raise ValueError(
                f"Logits of {cls.latents} latents must have an axis for the batch and {cls.event_rank} for "
                f"the latents. Add the axis that is missing. Received: inputs.shape={tuple(shape)}"
            )

    @classmethod
    def masked(cls, logits: tf.Tensor) -> tf.Tensor:
        """Returns logits with -inf where no value of the kind has a category; most kinds have none there.

        Estimators and distributions read logits from outside through it.
        """
        return logits

    @classmethod
    def concatenate_logits(cls, logits: Sequence[Tensor], num_categories: int) -> tf.Tensor:
        """Concatenates logits along the variables, each with `num_categories` categories.

        Args:
            logits: float [*A, *logits_shape] each; categories that they lack get logits of -inf.
            num_categories: K of the result.
        """
        padded = []
        for one in logits:
            _, own = cls.sizes_of(tuple(one.shape[-cls.event_rank :]))
            if own is not None and own < num_categories:
                paddings = [[0, 0]] * (one.shape.rank - 1) + [[0, num_categories - own]]
                one = tf.pad(one, paddings, constant_values=-math.inf)
            padded.append(one)
        return tf.concat(padded, axis=-cls.event_rank)

    # Values and codes.

    @classmethod
    def digits(cls, code: Tensor) -> Tensor:
        """Returns the digits that codes int [..., N] consist of: the codes themselves, but for trees."""
        return code

    @classmethod
    def join_digits(cls, digits: Tensor) -> Tensor:
        """Returns the codes of digits, the inverse of `digits`."""
        return digits

    @classmethod
    def describe_codes(cls) -> JsonObject:
        """Returns what a manifest says of a code: its dtype, and what its number stands for."""
        return {"dtype": cls.code_dtype.name, "value": cls.code_meaning}

    @classmethod
    def over_categories(cls, value: Tensor) -> tf.Tensor:
        """Returns a value as one-hot vectors over the categories, [..., N, K]; linear in the value."""
        return tf.convert_to_tensor(value)

    @classmethod
    def from_categories(cls, value: Tensor) -> tf.Tensor:
        """Returns vectors over the categories, [..., N, K], as a value; the inverse of `over_categories`."""
        return tf.convert_to_tensor(value)

    @classmethod
    def flatten(cls, value: Tensor) -> tf.Tensor:
        """Returns a value [..., *value_shape] as one vector, [..., D]."""
        size = math.prod(value.shape[-cls.event_rank :])
        return tf.reshape(value, tf.concat([tf.shape(value)[: -cls.event_rank], [size]], axis=0))
