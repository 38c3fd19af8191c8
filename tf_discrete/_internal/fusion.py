"""Parts of an evaluation that XLA compiles each for itself.

On a processor, XLA makes one fast loop of many small operations, but it multiplies matrices slowly, and
where it may fuse everything it computes some parts many times over. So the parts that gain are compiled
alone, and only where nothing is differentiated or exported: inside `enabled`.
"""

from __future__ import annotations

import contextlib
import contextvars
import functools
from collections.abc import Callable, Iterator
from typing import ParamSpec

import tensorflow as tf

_P = ParamSpec("_P")
_ENABLED = contextvars.ContextVar("fusion", default=False)


@contextlib.contextmanager
def enabled() -> Iterator[None]:
    """Compiles the parts that are traced or called inside, where XLA is available."""
    token = _ENABLED.set(_available())
    try:
        yield
    finally:
        _ENABLED.reset(token)


def is_enabled() -> bool:
    """Returns whether parts are compiled."""
    return _ENABLED.get()


def part(fn: Callable[_P, tf.Tensor]) -> Callable[_P, tf.Tensor]:
    """Decorates a pure function of tensors of known shapes, which is a part inside `enabled`.

    Example:
        >>> double = part(lambda x: 2 * x)
        >>> with enabled():
        ...     float(double(tf.constant(3.0)))
        6.0
    """
    compiled = tf.function(fn, jit_compile=True, autograph=False)

    @functools.wraps(fn)
    def call(*args: _P.args, **kwargs: _P.kwargs) -> tf.Tensor:
        return compiled(*args, **kwargs) if is_enabled() else fn(*args, **kwargs)

    return call


@functools.cache
def _available() -> bool:
    try:
        tf.function(tf.identity, jit_compile=True, autograph=False)(tf.constant(0.0))
    except (tf.errors.InvalidArgumentError, tf.errors.UnimplementedError):
        return False
    return True
