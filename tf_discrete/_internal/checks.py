"""Checks of single arguments. Each returns the value as a plain Python object, or raises a `ValueError`.

No number is changed: a fraction is not cut to an integer, a boolean is no number, and a string is neither.
NumPy scalars, and arrays and eager tensors without axes, count as the Python number that they hold.
"""

from __future__ import annotations

import math
import numbers
import os
from collections.abc import Callable, Sequence
from typing import Any, NoReturn, TypeVar

import numpy as np

INT32_MAX = 2**31 - 1
"""The largest size of an axis that TensorFlow takes everywhere."""
INT64_MAX = 2**63 - 1
"""The largest step that a counter reaches."""
_SHOWN = 200
_FLOAT32 = np.finfo(np.float32)

_T = TypeVar("_T")


def choice(name: str, value: object, choices: Sequence[str]) -> str:
    """Returns one of several names.

    Example:
        >>> choice("mode", "both", ("joint", "per_variable"))
        Traceback (most recent call last):
        ...
        ValueError: mode must be one of joint, per_variable. Received: mode='both'
    """
    if not isinstance(value, str) or value not in choices:
        refuse(name, f"one of {', '.join(choices)}", value)
    return value


def flag(name: str, value: object) -> bool:
    """Returns True or False; 0, 1 and strings are refused."""
    found = plain(value)
    if not isinstance(found, bool):
        refuse(name, "True or False", value)
    return found


def whole(name: str, value: object, lowest: int = 1, highest: int = INT32_MAX) -> int:
    """Returns an integer in [lowest, highest]; 20.0 is refused, too.

    Example:
        >>> whole("num_variables", 2.7)
        Traceback (most recent call last):
        ...
        ValueError: num_variables must be an integer >= 1. Received: num_variables=2.7
    """
    found = plain(value)
    if isinstance(found, bool) or not isinstance(found, numbers.Integral):
        refuse(name, f"an integer >= {lowest}", value)
    found = int(found)
    if found < lowest:
        refuse(name, f"at least {lowest}", value)
    if found > highest:
        refuse(name, f"at most {highest}", value)
    return found


def number(
    name: str,
    value: object,
    lowest: float = -math.inf,
    below: float = math.inf,
    *,
    above: float = -math.inf,
    highest: float = math.inf,
) -> float:
    """Returns a finite number within bounds, which may be one-sided.

    Args:
        name: Name of the argument, for the message.
        value: The argument.
        lowest: Smallest value that is taken. Default: no bound.
        below: The value must be smaller than this. Default: no bound.
        above: The value must be larger than this. Default: no bound.
        highest: Largest value that is taken. Default: no bound.

    Example:
        >>> number("decay", 1.0, lowest=0.0, below=1.0)
        Traceback (most recent call last):
        ...
        ValueError: decay must be in [0, 1). Received: decay=1.0
    """
    found = _real(value)
    if not (math.isfinite(found) and lowest <= found < below and above < found <= highest):
        refuse(name, _interval(lowest, below, above, highest), value)
    return _in_float32(name, value, found)


def positive(name: str, value: object) -> float:
    """Returns a finite number above 0."""
    found = _real(value)
    if not 0 < found < math.inf:
        refuse(name, "positive and finite", value)
    if found < _FLOAT32.tiny:
        refuse(name, f"at least {_FLOAT32.tiny:.3g}, the smallest number in float32", value)
    return _in_float32(name, value, found)


def fraction(name: str, value: object) -> float:
    """Returns a number in [0, 1]."""
    return number(name, value, lowest=0.0, highest=1.0)


def seed(name: str, value: object) -> int:
    """Returns an integer of up to 64 bits, signed or unsigned.

    Example:
        >>> seed("seed", "3")
        Traceback (most recent call last):
        ...
        ValueError: seed must be an integer of at most 64 bits. Received: seed='3'
    """
    found = plain(value)
    integer = isinstance(found, numbers.Integral) and not isinstance(found, bool)
    if not integer or not -(2**63) <= found < 2**64:
        refuse(name, "an integer of at most 64 bits", value)
    return int(found)


def text(name: str, value: object) -> str:
    """Returns a string of printable characters, which may be empty."""
    if not isinstance(value, str):
        refuse(name, "a string", value)
    if not value.isprintable():
        refuse(name, "a string of printable characters", value)
    return str(value)


def path(name: str, value: object) -> str:
    """Returns a path as a string. It may not be empty."""
    found = os.fspath(value) if isinstance(value, os.PathLike) else value
    if not isinstance(found, str) or not found or "\0" in found:
        refuse(name, "a path, a non-empty string or an os.PathLike", value)
    return found


def sizes(name: str, value: Any, each: str = "axis") -> tuple[int, ...]:
    """Returns integers >= 1, one for each axis of a shape or layer of a network; there may be none."""
    if isinstance(value, (list, tuple, range, np.ndarray)) or hasattr(value, "as_list"):
        try:
            return tuple(whole(name, size) for size in value)
        except (TypeError, ValueError):
            pass
    refuse(name, f"a sequence of integers >= 1, one for each {each}", value)


def optional(
    check: Callable[..., _T], name: str, value: object, *rules: object, **more: object
) -> _T | None:
    """Returns None for None, and what another check returns for anything else.

    Example:
        >>> optional(whole, "num_samples", None), optional(whole, "num_samples", 3)
        (None, 3)
    """
    return None if value is None else check(name, value, *rules, **more)


def instance(name: str, value: object, kind: type[_T], rule: str) -> _T:
    """Returns an object of a class; `rule` says which, such as "a Keras model"."""
    if not isinstance(value, kind):
        refuse(name, rule, value)
    return value


def having(name: str, value: object, attributes: Sequence[str], rule: str) -> Any:
    """Returns an object with some attributes; `rule` says what such an object is."""
    missing = [attribute for attribute in attributes if not hasattr(value, attribute)]
    if missing or isinstance(value, type):
        refuse(name, f"{rule}, with {', '.join(attributes)}", value)
    return value


def keras_part(name: str, value: object, get: Callable[[Any], _T]) -> _T:
    """Returns what a `get` of Keras finds, such as `keras.initializers.get`.

    Example:
        >>> import keras
        >>> keras_part("activation", "rellu", keras.activations.get)
        Traceback (most recent call last):
        ...
        ValueError: activation must be a name, object or config that Keras knows. Received: activation='rellu'
    """
    try:
        if value is None or isinstance(value, (str, dict)) or callable(value):
            found = get(value)
            if found is None or (callable(found) and not isinstance(found, type)):
                return found
    except (AttributeError, KeyError, TypeError, ValueError):
        pass
    refuse(name, "a name, object or config that Keras knows", value)


def plain(value: object) -> Any:
    """Returns the Python object inside a NumPy scalar or an array or eager tensor without axes."""
    if isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, np.generic) or (isinstance(value, np.ndarray) and value.ndim == 0):
        return value.item()
    if hasattr(value, "numpy") and getattr(value, "shape", None) == ():
        return np.asarray(value.numpy()).item()
    return value


def refuse(name: str, rule: str, value: object) -> NoReturn:
    """Raises the `ValueError` of an argument that breaks a rule."""
    raise ValueError(f"{name} must be {rule}. Received: {name}={shown(value)}")


def shown(value: object) -> str:
    """Returns a value as a message shows it: on one line, and not for ever."""
    try:
        found = " ".join(repr(value).splitlines())
    except Exception:  # An integer of 5000 digits, or an object that cannot be shown.
        found = f"<{type(value).__name__}>"
    return found if len(found) <= _SHOWN else f"{found[:_SHOWN]}..."


def _real(value: object) -> float:
    """Returns the value as a float; NaN, which no rule takes, for what is no number."""
    found = plain(value)
    if isinstance(found, bool) or not isinstance(found, numbers.Real):
        return math.nan
    try:
        return float(found)
    except OverflowError:
        return math.inf


def _in_float32(name: str, value: object, found: float) -> float:
    """Refuses a number that would overflow where it is used."""
    if abs(found) > float(_FLOAT32.max):
        refuse(name, f"at most {_FLOAT32.max:.3g} in size, the largest number in float32", value)
    return found


def _interval(lowest: float, below: float, above: float, highest: float) -> str:
    """Returns the rule of `number` in words."""
    open_left, open_right = (
        above >= lowest and above > -math.inf,
        below <= highest and below < math.inf,
    )
    left, right = max(lowest, above), min(below, highest)
    if left > -math.inf and right < math.inf:
        return f"in {'(' if open_left else '['}{left:g}, {right:g}{')' if open_right else ']'}"
    if left > -math.inf:
        return f"a finite number {'>' if open_left else '>='} {left:g}"
    if right < math.inf:
        return f"a finite number {'<' if open_right else '<='} {right:g}"
    return "a finite number"
