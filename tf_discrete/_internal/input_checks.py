"""Checks of what models, losses and exports are given: observations, codes, labels and counts.

Values that are known are checked at once, and refused by a `ValueError`. In a graph the same rule is an
assertion that comes before all computation. XLA and TFLite leave assertions out: there the values of a
refused example become NaN, so that its loss is NaN, and `blank` does the same to its row of an answer.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tf_discrete._internal import checks, fusion
from tf_discrete.codes.packing import check_codes
from tf_discrete.types import Tensor

Support = tuple[float, float]
"""The smallest and the largest value that an observation may have; infinite where there is no bound."""

REAL: Support = (-math.inf, math.inf)
"""The support of finite numbers of any size."""

ROUNDING = 1e-3
"""By how much a value may leave its support: half precision rounds by that much."""

_SLICES = 16
"""Slices of a row that a compiled check takes together, one number of each at a time."""


def observations(
    x: Tensor, shape: Sequence[int], support: Support | None = REAL, name: str = "x"
) -> tf.Tensor:
    """Returns observations as a floating tensor, if a model of them can read them.

    Args:
        x: Numbers [B, *shape]; B may be 0.
        shape: Shape of one observation.
        support: bounds of the values, see `Likelihood.support`; None for no check. Default: finite numbers.
        name: Name of the argument in messages. Default: "x".

    Returns:
        x: float [B, *shape]. In a graph that leaves assertions out, rows outside the support are NaN.

    Raises:
        ValueError: another shape, no numbers, or values outside the support;
            tf.errors.InvalidArgumentError where only the graph's run shows it.

    Example:
        >>> observations(np.ones([5, 8, 8, 1]), (8, 8, 1), support=(0.0, 1.0)).shape
        TensorShape([5, 8, 8, 1])
    """
    return in_support(shaped(x, shape, name), support, name)


def shaped(x: Tensor, shape: Sequence[int], name: str = "x") -> tf.Tensor:
    """Returns examples as a floating tensor [B, *shape], checked except for their values.

    Raises:
        ValueError: another shape, or no numbers.
    """
    x, shape = _numbers(x, name), tuple(shape)
    if not tf.TensorShape([None, *shape]).is_compatible_with(x.shape):
        raise ValueError(
            f"Each example must have the shape {shape} that the model was made for"
            f"{_shape_remedy(tuple(x.shape), shape, name)}. Received: {name}.shape={tuple(x.shape)}"
        )
    return x if _is_known(x) else tf.ensure_shape(x, [None, *shape])


def in_support(x: Tensor, support: Support | None, name: str = "x") -> tf.Tensor:
    """Returns a floating tensor [B, ...], if its values are finite and lie in the support.

    Raises:
        ValueError: other values; tf.errors.InvalidArgumentError in a graph.
    """
    x = _numbers(x, name)
    if support is None:
        return x
    if _is_known(x):
        check_array(x.numpy(), support, name)
        return x
    low, high = _bounds(support, x.dtype)
    fused = fusion.compiles(x) and x.shape[1:].is_fully_defined()
    if fused:
        x_inside = _inside(tf.reshape(x, [-1, math.prod(x.shape[1:])]), low, high)
    else:
        x_inside = (x >= low) & (x <= high)
    valid = tf.reduce_all(x_inside, axis=list(range(1, x_inside.shape.rank)))
    refused = tf.reduce_sum(tf.cast(~valid, tf.int32))

    def ends() -> tuple[tf.Tensor, tf.Tensor]:
        return tf.reduce_min(x), tf.reduce_max(x)

    found = ends() if not fused else tf.cond(refused > 0, ends, lambda: (x.dtype.min, x.dtype.max))
    check = tf.raw_ops.Assert(
        condition=tf.equal(refused, 0),
        data=[
            f"{_support_rule(support, name)} Received: examples outside, minimum, maximum =",
            refused,
            *found,
        ],
    )
    with tf.control_dependencies([check]):
        # Where only parts are compiled, the check is always run, and no wrong row goes on.
        return tf.identity(x) if fused else _fill(x, valid)


@fusion.training_part
def _inside(x: Tensor, low: float, high: float) -> tf.Tensor:
    """Returns which values of each row [B, D] lie in [low, high], taken together over slices of the row."""
    size = x.shape[1]
    width = -(-size // _SLICES)
    starts = sorted({min(k * width, size - width) for k in range(_SLICES)})
    slices = [x[:, start : start + width] for start in starts]
    return functools.reduce(tf.logical_and, [(part >= low) & (part <= high) for part in slices])


def check_array(array: np.ndarray, support: Support, name: str = "x") -> None:
    """Refuses numbers that are not finite or lie outside the support; reads them twice, copies nothing.

    Raises:
        ValueError: Names the range that was received.
    """
    if not array.size:
        return
    low, high = (float(value) for value in (array.min(), array.max()))
    finite = math.isfinite(low) and math.isfinite(high)
    if not finite or low < support[0] - ROUNDING or high > support[1] + ROUNDING:
        raise ValueError(
            f"{_support_rule(support, name)} Received: {name} from {low:g} to {high:g}"
        )


def same_batch(x: Tensor, y: Tensor, names: tuple[str, str] = ("x", "y")) -> tf.Tensor:
    """Returns `y`, if it has as many examples as `x`, which would otherwise be repeated for it.

    Raises:
        ValueError: another number; tf.errors.InvalidArgumentError where only the graph's run shows it.
    """
    one, other = x.shape[0], y.shape[0]
    rule = f"{names[0]} and {names[1]} must have as many examples."
    if one is not None and other is not None:
        if one != other:
            raise ValueError(f"{rule} Received: len({names[0]})={one}, len({names[1]})={other}")
        return y
    sizes = tf.shape(x)[0], tf.shape(y)[0]
    check = tf.raw_ops.Assert(
        condition=tf.equal(*sizes), data=[f"{rule} Received: their numbers =", *sizes]
    )
    with tf.control_dependencies([check]):
        return tf.identity(y)


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
    if not tf.is_tensor(values) or _is_known(values):
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
    if _is_known(values):
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
    check = tf.raw_ops.Assert(
        condition=tf.reduce_all(inside),
        data=[
            f"{name} must be in {lowest}..{highest}. Received: minimum, maximum =",
            tf.reduce_min(values),
            tf.reduce_max(values),
        ],
    )
    with tf.control_dependencies([check]):
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
    if tf.is_tensor(value) and not _is_known(value):
        if not value.dtype.is_integer or not value.shape.is_compatible_with([]):
            raise ValueError(
                f"{name} must be an integer. Received: {name} of dtype {value.dtype.name} and shape "
                f"{tuple(value.shape)}"
            )
        rule = f"at least {lowest}" if highest is None else f"in {lowest}..{highest}"
        inside = (value >= lowest) & (value <= (value.dtype.max if highest is None else highest))
        check = tf.raw_ops.Assert(
            condition=inside, data=[f"{name} must be {rule}. Received: {name} =", value]
        )
        with tf.control_dependencies([check]):
            return tf.identity(value)
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


def blank(answer: Tensor, x: Tensor, batch_axis: int = 0) -> tf.Tensor:
    """Returns an answer whose rows are NaN, or -1 for integers, where those of the input were refused.

    Outside a graph a refused input has raised, and the answer is returned as it is.

    Args:
        answer: [..., B, ...].
        x: what `observations` or `in_support` has returned, [B, ...], or bool [B], true where the input
            was accepted.
        batch_axis: Batch axis of the result. Default: 0.
    """
    if _is_known(x):
        return answer
    if x.dtype.is_bool:
        valid = x
    else:
        valid = tf.reduce_all(tf.abs(x) <= x.dtype.max, axis=list(range(1, x.shape.rank)))
    return _fill(answer, valid, batch_axis)


def rows_in(values: Tensor, lowest: int, highest: int) -> tf.Tensor:
    """Returns whether all integers of each row [B, ...] lie in [lowest, highest], bool [B]."""
    inside = (values >= lowest) & (values <= highest)
    return tf.reduce_all(inside, axis=list(range(1, values.shape.rank)))


def _fill(values: tf.Tensor, valid: tf.Tensor, batch_axis: int = 0) -> tf.Tensor:
    shape = [1] * values.shape.rank
    shape[batch_axis] = -1
    fill = math.nan if values.dtype.is_floating else -1
    return tf.where(tf.reshape(valid, shape), values, tf.cast(fill, values.dtype))


def _numbers(x: Tensor, name: str) -> tf.Tensor:
    try:
        x = tf.convert_to_tensor(x)
    except (TypeError, ValueError):
        raise ValueError(
            f"{name} must be an array of numbers, one row for each example. "
            f"Received: {name}={type(x).__name__}"
        ) from None
    if x.dtype.is_floating:
        return x
    if not (x.dtype.is_integer or x.dtype.is_bool):
        raise ValueError(f"{name} must be numbers. Received: {name}.dtype={x.dtype.name}")
    return tf.cast(x, tf.float32)


def _is_known(x: Tensor) -> bool:
    """Returns whether the values can be read now."""
    return hasattr(x, "numpy")


def _bounds(support: Support, dtype: tf.DType) -> tuple[float, float]:
    """Returns the support in a dtype, widened by rounding and without infinity."""
    low, high = support[0] - ROUNDING, support[1] + ROUNDING
    return max(low, float(dtype.min)), min(high, float(dtype.max))


def _support_rule(support: Support, name: str) -> str:
    low, high = support
    if math.isinf(low) and math.isinf(high):
        return f"{name} must be finite. Leave examples with NaN or infinity out."
    return (
        f"{name} must be finite and in [{low:g}, {high:g}], the support of the likelihood. Scale it, pixels "
        "of 0..255 by 1 / 255, or choose another likelihood, such as 'gaussian'."
    )


def _shape_remedy(received: tuple[Any, ...], shape: tuple[int, ...], name: str) -> str:
    """Returns a remedy for a shape that has the right numbers in the wrong places."""
    if received == shape:
        return f". Add the axis of the batch: {name}[np.newaxis]"
    if None in received[1:] or math.prod(received[1:]) != math.prod(shape):
        return ""
    if len(received) == len(shape) + 1:
        return f". Transpose {name} to it"
    return f". Reshape {name} to {(-1, *shape)}"
