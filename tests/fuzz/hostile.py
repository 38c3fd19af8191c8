"""Hostile values for arguments, and the judgement of what a constructor or a function makes of them."""

from __future__ import annotations

import contextlib
import inspect
import math
import numbers
import signal
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

VALUES: dict[str, Callable[[], Any]] = {
    "nan": lambda: math.nan,
    "inf": lambda: math.inf,
    "-1": lambda: -1,
    "0": lambda: 0,
    "2.7": lambda: 2.7,
    "10**20": lambda: 10**20,
    "True": lambda: True,
    "'3'": lambda: "3",
    "'False'": lambda: "False",
    "None": lambda: None,
    "[]": lambda: [],
    "{}": lambda: {},
    "object()": object,
    "b'x'": lambda: b"x",
    "np.array([1.0, 2.0])": lambda: np.array([1.0, 2.0]),
}
"""Fifteen values, each made anew for every case."""

MORE: dict[str, Callable[[], Any]] = {
    "-inf": lambda: -math.inf,
    "-0.5": lambda: -0.5,
    "1e-320": lambda: 1e-320,
    "1e300": lambda: 1e300,
    "1.0": lambda: 1.0,
    "2**31": lambda: 2**31,
    "-2**63": lambda: -(2**63),
    "False": lambda: False,
    "np.float32('nan')": lambda: np.float32("nan"),
    "np.bool_(True)": lambda: np.bool_(True),
    "1j": lambda: 1j,
    "''": lambda: "",
    "'\\0'": lambda: "\0",
    "()": lambda: (),
    "(0,)": lambda: (0,),
    "[None]": lambda: [None],
    "[math.nan]": lambda: [math.nan],
    "{'class_name': 'x'}": lambda: {"class_name": "x"},
    "set()": set,
    "int": lambda: int,
    "lambda": lambda: lambda *_: None,
    "range(3)": lambda: range(3),
    "np.array(None)": lambda: np.array(None),
    "np.zeros([0])": lambda: np.zeros([0]),
    "tf.constant(math.nan)": lambda: tf.constant(math.nan),
    "tf.constant('x')": lambda: tf.constant("x"),
    "tf.zeros([0, 3])": lambda: tf.zeros([0, 3]),
}
"""Values of the long campaign."""

GOOD = ("refused", "works")
SECONDS = 20
"""A case that takes longer counts as one that hangs."""


class NotFinite(AssertionError):
    """A result of the smallest use is NaN or infinite."""


class Subject(NamedTuple):
    """A class or a function with its smallest use.

    Attributes:
        name: for reports.
        make: the constructor or function.
        given: the smallest arguments that work.
        arguments: the names that are attacked.
        use: what is done with an object that was made; raises if it does not work.
        anything: arguments that take any value by design.
        default: names of arguments whose None stands for a default.
        later: arguments that only the first use can judge, such as a user's function; a `ValueError`
            or `TypeError` from there will do.
        tensors: arguments that may be tensors, whose values nobody reads: NaN in, NaN out.
    """

    name: str
    make: Callable[..., Any]
    given: Callable[[], dict[str, Any]]
    arguments: tuple[str, ...]
    use: Callable[[Any], None]
    anything: tuple[str, ...] = ()
    default: tuple[str, ...] = ()
    later: tuple[str, ...] = ()
    tensors: tuple[str, ...] = ()


class Outcome(NamedTuple):
    """What became of one hostile value: "refused", "works", "unclear", "fails later" or "changed"."""

    subject: str
    argument: str
    value: str
    verdict: str
    detail: str = ""


def attacks(subject: Subject, values: Mapping[str, Callable[[], Any]]) -> Iterator[Outcome]:
    """Gives every argument of a subject every hostile value, one at a time."""
    subject.use(subject.make(**subject.given()))
    for argument in subject.arguments:
        for label, value in values.items():
            yield attack_all(subject, {argument: value()}, argument, label)


def attack_all(subject: Subject, values: dict[str, Any], argument: str, label: str) -> Outcome:
    """Gives arguments hostile values and uses what is made; a refusal must name one of them."""

    def outcome(verdict: str, error: object = "") -> Outcome:
        detail = f"{type(error).__name__}: {error}" if isinstance(error, BaseException) else error
        return Outcome(subject.name, argument, label, verdict, str(detail)[:300])

    with _time_limit():
        try:
            made = subject.make(**{**subject.given(), **values})
        except Exception as error:
            return outcome("refused" if clear(error, values) else "unclear", error)
        try:
            for name, value in values.items():
                if name not in subject.anything and (wrong := changed(made, name, value, subject)):
                    return outcome("changed", wrong)
            subject.use(made)
        except Exception as error:
            late = isinstance(error, (TypeError, ValueError)) and any(
                name in subject.later for name in values
            )
            through = isinstance(error, NotFinite) and any(
                name in subject.tensors and np.ndim(value) > 0 for name, value in values.items()
            )
            verdict = "refused" if late else "works" if through else "fails later"
            return outcome(verdict, error)
    return outcome("works")


def clear(error: Exception, names: Mapping[str, Any]) -> bool:
    """Whether a refusal is a ValueError or TypeError that names an argument and says what came."""
    text = str(error)
    after = text.partition("Received: ")[2]
    return isinstance(error, (TypeError, ValueError)) and any(name in after for name in names)


def changed(made: Any, name: str, value: Any, subject: Subject) -> str:
    """How the value that an object stores differs from the one that was given; "" if it does not."""
    config = (
        made.get_config()
        if hasattr(made, "get_config")
        else vars(made)
        if hasattr(made, "__dict__")
        else {}
    )
    default = value is None or (isinstance(value, str) and value == "")
    if name not in config or (default and name in subject.default):
        return ""
    stored = _unwrapped(config[name])
    return "" if same(value, stored) else f"{value!r} is stored as {stored!r}"


def same(given: Any, stored: Any) -> bool:
    """Whether a stored value is the given one: a number for a number, a boolean for a boolean."""
    if isinstance(stored, tf.Tensor):  # Computed in float32.
        return np.array_equal(np.float32(given), np.float32(stored), equal_nan=True)
    if isinstance(given, (bool, np.bool_)) or isinstance(stored, (bool, np.bool_)):
        return isinstance(given, (bool, np.bool_)) and isinstance(stored, bool) and given == stored
    if isinstance(given, numbers.Number) and isinstance(stored, (list, tuple)) and stored:
        return all(same(given, value) for value in stored)  # One value for all layers.
    if isinstance(given, numbers.Number) and isinstance(stored, numbers.Number):
        return bool(given == stored)
    if isinstance(given, (list, tuple, np.ndarray)) and isinstance(
        stored, (list, tuple, np.ndarray)
    ):
        return len(given) == len(stored) and all(map(same, given, stored))
    if callable(given) and isinstance(stored, dict):  # A user's function, as Keras serialises it.
        return True
    return given is stored or (type(given) is type(stored) and bool(given == stored))


def finite(*tensors: Any) -> None:
    """Refuses results that are not finite."""
    for tensor in tensors:
        if not np.isfinite(np.asarray(tensor, np.float64)).all():
            raise NotFinite("a result is not finite")


def round_trip(made: Any) -> Any:
    """The object that its own config makes, whose config must be the same."""
    again = type(made).from_config(made.get_config())
    if repr(again.get_config()) != repr(made.get_config()):
        raise AssertionError("the config does not survive a round trip")
    return again


def _unwrapped(stored: Any) -> Any:
    """The number of a serialised constant schedule or baseline, or what is stored itself."""
    if isinstance(stored, dict) and stored.get("class_name") == "Constant":
        return stored["config"]["value"]
    return stored


@contextlib.contextmanager
def _time_limit() -> Iterator[None]:
    def stop(*_: Any) -> None:
        raise AssertionError(f"it takes more than {SECONDS} seconds")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


KERAS = ("args", "kwargs", "dtype", "reduction")
"""Arguments that are Keras' own."""


def arguments_of(cls: Callable[..., Any], more: Iterable[str] = ()) -> tuple[str, ...]:
    """The names of a constructor's own arguments, and those that it hands to its base."""
    own = [name for name in inspect.signature(cls).parameters if name not in KERAS]
    return (*own, *more)


def subject(
    cls: Any,
    use: Callable[[Any], None],
    given: Callable[[], dict[str, Any]] = dict,
    more: Iterable[str] = (),
    **options: Any,
) -> Subject:
    name = f"{cls.__module__.removeprefix('tf_discrete.')}.{cls.__name__}"
    return Subject(name, cls, given, arguments_of(cls, more), use, **options)
