"""Checks of integers that models and exports are given: codes, labels and counts.

Values that are known are checked at once, and refused by a `ValueError`. In a graph the same rule is an
assertion that comes before all computation. XLA and TFLite leave assertions out: there refused integers
become smaller than the smallest that is allowed, and `input_checks.blank` marks what is made of them.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tf_discrete._internal import checks
from tf_discrete._internal.assertions import is_known, required
from tf_discrete.codes.packing import check_codes
from tf_discrete.types import Tensor


def codes(
    values: Tensor, num_categories: int, num_variables: int, dtype: tf.DType = tf.int32
) -> tf.Tensor:
    """Returns codes as integers [B, N], if they are codes of this size.

    Args:
        values: integers or booleans [B, N] in [0, K); B may be 0.
        num_categories: K.
        num_variables: N.
        dtype: Dtype of the result, in which K - 1 must have a place. Default: int32.

    Raises:
        ValueError: another shape, no integers, or values out of range;
            tf.errors.InvalidArgumentError where only the graph's run shows it.

    Example:
        >>> codes([[0, 3]], num_categories=3, num_variables=2)
        Traceback (most recent call last):
        ...
        ValueError: codes must lie in [0, num_categories) = [0, 3). Give the num_categories of their model. \
Received: minimum=0, maximum=3
    """
    if not tf.is_tensor(values) or is_known(values):
        return tf.constant(check_codes(np.asarray(values), num_categories, num_variables), dtype)
    if not (values.dtype.is_integer or values.dtype.is_bool):
        raise ValueError(
            "codes must be integers. Take the argmax of one-hot samples, or round bits. "
            f"Received: codes.dtype={values.dtype.name}"
        )
    if not values.shape.is_compatible_with([None, num_variables]):
        raise ValueError(
            f"codes must be [B, {num_variables}], one category a variable. Give what the model's encode "
            f"returns. Received: codes.shape={tuple(values.shape)}"
        )
    values = tf.ensure_shape(values, [None, num_variables])
    return integers_in(values, 0, num_categories - 1, "codes", dtype)


def integers_in(
    values: Tensor, lowest: int, highest: int, name: str, dtype: tf.DType = tf.int32
) -> tf.Tensor:
    """Returns integers in a dtype, if they lie in [lowest, highest].

    Raises:
        ValueError: others; tf.errors.InvalidArgumentError in a graph. Where the assertion is left out, they
            become `lowest - 1`.
    """
    if is_known(values):
        known = values.numpy()
        if known.size and not lowest <= known.min() <= known.max() <= highest:
            raise ValueError(
                f"{name} must be in {lowest}..{highest}. "
                f"Received: minimum={known.min()}, maximum={known.max()}"
            )
        return tf.cast(values, dtype)
    if values.dtype.is_bool or values.dtype.is_unsigned:
        values = tf.cast(values, tf.int64)
    low, high = max(lowest, values.dtype.min), min(highest, values.dtype.max)
    inside = (values >= low) & (values <= high)
    values = required(
        values,
        tf.reduce_all(inside),
        f"{name} must be in {lowest}..{highest}. Received: minimum, maximum =",
        tf.reduce_min(values),
        tf.reduce_max(values),
    )
    return tf.where(inside, tf.cast(values, dtype), tf.cast(lowest - 1, dtype))


def count(value: Tensor, name: str, lowest: int = 0, highest: int | None = None) -> int | tf.Tensor:
    """Returns how many of something are asked for, if the number is in [lowest, highest].

    Args:
        value: whole number, or an integer scalar tensor.
        name: Name of the argument in messages.
        lowest: smallest number. Default: 0.
        highest: largest number. Default: None, for no limit.

    Raises:
        ValueError: no whole number, or one out of range; tf.errors.InvalidArgumentError in a graph.

    Example:
        >>> count(10**9, "num_samples", lowest=1, highest=10_000)
        Traceback (most recent call last):
        ...
        ValueError: num_samples must be at most 10000. Received: num_samples=1000000000
    """
    if tf.is_tensor(value) and not is_known(value):
        if not value.dtype.is_integer or not value.shape.is_compatible_with([]):
            raise ValueError(
                f"{name} must be an integer. Received: {name} of dtype {value.dtype.name} and shape "
                f"{tuple(value.shape)}"
            )
        rule = f"at least {lowest}" if highest is None else f"in {lowest}..{highest}"
        inside = (value >= lowest) & (value <= (value.dtype.max if highest is None else highest))
        return required(value, inside, f"{name} must be {rule}. Received: {name} =", value)
    number = checks.whole(name, checks.plain(value), lowest)
    if highest is not None and number > highest:
        raise ValueError(f"{name} must be at most {highest}. Received: {name}={number}")
    return value if tf.is_tensor(value) else number


def check_label_dtype(dtype: np.dtype | tf.DType, name: str = "label") -> None:
    """Refuses labels that are no integers: names, fractions and booleans are never converted.

    Args:
        dtype: Dtype of NumPy or TensorFlow.
        name: Name of the argument in messages. Default: "label".

    Raises:
        ValueError: Names the dtype and how to get integers.

    Example:
        >>> check_label_dtype(np.asarray(["cat", "dog"]).dtype)
        Traceback (most recent call last):
        ...
        ValueError: Labels must be integers. Number the classes from 0: classes, label = \
np.unique(names, return_inverse=True). Received: label.dtype=str
    """
    dtype = np.dtype(dtype.as_numpy_dtype if isinstance(dtype, tf.DType) else dtype)
    if np.issubdtype(dtype, np.integer):
        return
    if dtype.kind in "OSU":
        remedy = (
            f"Number the classes from 0: classes, {name} = np.unique(names, return_inverse=True)"
        )
    else:
        remedy = f"If they are whole, convert them: {name}.astype('int32')"
    received = {"O": "object", "S": "str", "U": "str"}.get(dtype.kind, dtype.name)
    raise ValueError(f"Labels must be integers. {remedy}. Received: {name}.dtype={received}")


def rows_in(values: Tensor, lowest: int, highest: int) -> tf.Tensor:
    """Returns whether all integers of each row [B, ...] lie in [lowest, highest], bool [B]."""
    inside = (values >= lowest) & (values <= highest)
    return tf.reduce_all(inside, axis=list(range(1, values.shape.rank)))
