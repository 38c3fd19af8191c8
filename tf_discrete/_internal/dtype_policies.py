"""Keras' dtype policy for a while, and for the parts that a layer or model makes."""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import Callable, Iterator
from typing import Any

import keras


@contextlib.contextmanager
def used(dtype: Any) -> Iterator[None]:
    """Has another policy for all layers that are made inside, or the same one for None.

    Example:
        >>> with used("mixed_bfloat16"):
        ...     keras.layers.Dense(3).compute_dtype
        'bfloat16'
    """
    before = keras.config.dtype_policy()
    if dtype is not None:
        keras.config.set_dtype_policy(keras.dtype_policies.get(dtype))
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def given_to_parts(init: Callable[..., None]) -> Callable[..., None]:
    """Makes a constructor give the policy of its argument `dtype` to the layers that it makes."""

    @functools.wraps(init)
    def with_policy(self: Any, *args: Any, **kwargs: Any) -> None:
        with used(kwargs.get("dtype")):
            init(self, *args, **kwargs)

    with_policy.__signature__ = inspect.signature(init)  # type: ignore[attr-defined]  # Keras reads it.
    return with_policy
