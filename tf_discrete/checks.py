"""Checks of single arguments. Each returns the value in its type, or says what is taken and what came."""

from __future__ import annotations

import math
import numbers
from collections.abc import Sequence
from typing import Any

import numpy as np


def choice(name: str, value: Any, choices: Sequence[str]) -> str:
    """One of several names.

    Example:
        >>> choice("mode", "both", ("joint", "per_variable"))
        Traceback (most recent call last):
        ...
        ValueError: mode must be one of joint, per_variable. Received: mode='both'
    """
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(choices)}. Received: {name}={value!r}")
    return value


def flag(name: str, value: Any) -> bool:
    """True or False, and nothing that only counts as one of them."""
    if not isinstance(value, (bool, np.bool_)):
        raise ValueError(f"{name} must be True or False. Received: {name}={value!r}")
    return bool(value)


def whole(name: str, value: Any, lowest: int = 1) -> int:
    """A whole number of at least `lowest`."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise ValueError(f"{name} must be a whole number. Received: {name}={value!r}")
    if value < lowest:
        raise ValueError(f"{name} must be at least {lowest}. Received: {name}={value!r}")
    return int(value)


def number(name: str, value: Any, lowest: float = -math.inf, below: float = math.inf) -> float:
    """A finite number in [lowest, below).

    Example:
        >>> number("decay", 1.0, lowest=0.0, below=1.0)
        Traceback (most recent call last):
        ...
        ValueError: decay must be in [0, 1). Received: decay=1.0
    """
    real = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not real or not math.isfinite(value) or not lowest <= value < below:
        if below < math.inf:
            rule = f"in [{lowest:g}, {below:g})"
        else:
            rule = "a finite number" + (f" >= {lowest:g}" if lowest > -math.inf else "")
        raise ValueError(f"{name} must be {rule}. Received: {name}={value!r}")
    return float(value)


def positive(name: str, value: Any) -> float:
    """A finite number above 0."""
    real = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not real or not 0 < value < math.inf:
        raise ValueError(f"{name} must be positive and finite. Received: {name}={value!r}")
    return float(value)


def sizes(name: str, value: Any, each: str = "axis") -> tuple[int, ...]:
    """Whole numbers of at least 1, one for each axis of a shape or whatever else; maybe none."""
    try:
        return tuple(whole(name, size) for size in value)
    except (TypeError, ValueError):
        raise ValueError(
            f"{name} must be a sequence of whole numbers of at least 1, one for each {each}. "
            f"Received: {name}={value!r}"
        ) from None
