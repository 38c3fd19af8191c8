"""Parts of a computation that XLA compiles each for itself.

On a processor, XLA makes one fast loop of many small operations, but it multiplies matrices and adds up rows
slowly, and where it may fuse everything it computes some parts many times over. So the parts that gain are
compiled alone: all of them inside `enabled`, and inside `enabled_in_training` the training parts that read
many numbers.
"""

from __future__ import annotations

import contextlib
import contextvars
import functools
from collections.abc import Callable, Iterator
from typing import ParamSpec

import tensorflow as tf

_P = ParamSpec("_P")
_EVALUATION, _TRAINING = "evaluation", "training"
_MODE = contextvars.ContextVar("fusion", default="")
_MANY = 2**16
"""Numbers that a training part reads at least, such as 84 images of 28 x 28; small steps stay as they are."""


def enabled() -> contextlib.AbstractContextManager[None]:
    """Compiles the parts that are traced or called inside, where XLA is available.

    Nothing may be differentiated or exported inside.
    """
    return _set(_EVALUATION if _available() else "")


def enabled_in_training() -> contextlib.AbstractContextManager[None]:
    """Compiles the training parts that are traced or called inside, on a processor where XLA is available."""
    has_gpu = bool(tf.config.list_logical_devices("GPU"))
    return _set(_TRAINING if not has_gpu and _available() else "")


def is_enabled() -> bool:
    """Returns whether all parts are compiled."""
    return _MODE.get() == _EVALUATION


def compiles(x: tf.Tensor) -> bool:
    """Returns whether a training part that reads `x` first is compiled."""
    many = (x.shape.num_elements() or 0) >= _MANY
    return is_enabled() or (many and _MODE.get() == _TRAINING)


def part(fn: Callable[_P, tf.Tensor]) -> Callable[_P, tf.Tensor]:
    """Decorates a pure function of tensors of known shapes, which is a part inside `enabled`.

    Example:
        >>> double = part(lambda x: 2 * x)
        >>> with enabled():
        ...     float(double(tf.constant(3.0)))
        6.0
    """
    return _compiled_where(lambda _: is_enabled(), fn)


def training_part(fn: Callable[_P, tf.Tensor]) -> Callable[_P, tf.Tensor]:
    """As `part`, but also inside `enabled_in_training`; its gradient, if any, must be a part of its own."""
    return _compiled_where(compiles, fn)


def _compiled_where(
    condition: Callable[[tf.Tensor], bool], fn: Callable[_P, tf.Tensor]
) -> Callable[_P, tf.Tensor]:
    compiled = tf.function(fn, jit_compile=True, autograph=False)

    @functools.wraps(fn)
    def call(*args: _P.args, **kwargs: _P.kwargs) -> tf.Tensor:
        return (compiled if condition(args[0]) else fn)(*args, **kwargs)

    return call


@contextlib.contextmanager
def _set(mode: str) -> Iterator[None]:
    token = _MODE.set(mode)
    try:
        yield
    finally:
        _MODE.reset(token)


@functools.cache
def _available() -> bool:
    try:
        with tf.init_scope():  # Inside a graph nothing would run.
            tf.function(tf.identity, jit_compile=True, autograph=False)(tf.constant(0.0))
    except (tf.errors.InvalidArgumentError, tf.errors.UnimplementedError):
        return False
    return True
