"""Checks of the observations that models, losses and exports are given; `integer_checks` has those of codes.

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

from tf_discrete._internal import fusion
from tf_discrete._internal.assertions import is_known, required
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
    return x if is_known(x) else tf.ensure_shape(x, [None, *shape])


def in_support(x: Tensor, support: Support | None, name: str = "x") -> tf.Tensor:
    """Returns a floating tensor [B, ...], if its values are finite and lie in the support.

    Raises:
        ValueError: other values; tf.errors.InvalidArgumentError in a graph.
    """
    x = _numbers(x, name)
    if support is None:
        return x
    if is_known(x):
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
    x = required(
        x,
        tf.equal(refused, 0),
        f"{_support_rule(support, name)} Received: examples outside, minimum, maximum =",
        refused,
        *found,
    )
    # Where only parts are compiled, the check is always run, and no wrong row goes on.
    return x if fused else _fill(x, valid)


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
    return required(y, tf.equal(*sizes), f"{rule} Received: their numbers =", *sizes)


def blank(answer: Tensor, x: Tensor, batch_axis: int = 0) -> tf.Tensor:
    """Returns an answer whose rows are NaN, or -1 for integers, where those of the input were refused.

    Outside a graph a refused input has raised, and the answer is returned as it is.

    Args:
        answer: [..., B, ...].
        x: what `observations` or `in_support` has returned, [B, ...], or bool [B], true where the input
            was accepted.
        batch_axis: Batch axis of the result. Default: 0.
    """
    if is_known(x):
        return answer
    if x.dtype.is_bool:
        valid = x
    else:
        valid = tf.reduce_all(tf.abs(x) <= x.dtype.max, axis=list(range(1, x.shape.rank)))
    return _fill(answer, valid, batch_axis)


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
