"""Damage for files and values, and a judge of what a reader does with it: shared by all fuzzers.

Every mutation is a function of the random generator alone, so a case is found again by its number.
`TF_DISCRETE_FUZZ_CASES` sets how many cases each fuzzer runs; without it, a few seconds' worth.
"""

from __future__ import annotations

import contextlib
import copy
import json
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

SECONDS = 10
"""A reader that takes longer hangs."""
MAX_GROWTH = 2**30
"""Bytes that a small file may make the process grow by."""

HOSTILE_VALUES: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    1,
    -1,
    2,
    2**31,
    2**40,
    2**63,
    -(2**63),
    10**30,
    0.5,
    -0.0,
    1e308,
    float("nan"),
    float("inf"),
    "",
    "x",
    "NaN",
    "../../etc/passwd",
    "\ud800",
    "\x00",
    [],
    [None],
    [0] * 1000,
    {},
    {"": None},
)
"""What JSON can hold and a reader does not expect."""


def cases(default: int) -> int:
    """Returns the number of cases of a fuzzer."""
    return int(os.environ.get("TF_DISCRETE_FUZZ_CASES", default))


def generator(case: int) -> np.random.Generator:
    """Returns the random numbers of one case."""
    return np.random.default_rng(case)


# Damage to bytes.


def _place(data: bytes, random: np.random.Generator) -> tuple[int, int]:
    """The beginning and the end of a range, short ones and the first bytes preferred."""
    size = max(len(data), 1)
    start = int(random.integers(min(size, 256) if random.random() < 0.4 else size))
    length = int(min(size, 1 + random.integers(8 if random.random() < 0.5 else 1 + size // 2)))
    return start, min(start + length, len(data))


def truncate(data: bytes, random: np.random.Generator) -> bytes:
    """Cuts the end off."""
    return data[: int(random.integers(len(data) + 1))]


def extend(data: bytes, random: np.random.Generator) -> bytes:
    """Adds random bytes."""
    return data + random.bytes(1 + int(random.integers(64)))


def flip_bits(data: bytes, random: np.random.Generator) -> bytes:
    """Flips one to eight bits."""
    array = bytearray(data)
    for _ in range(1 + int(random.integers(8))):
        if array:
            start, _ = _place(data, random)
            array[min(start, len(array) - 1)] ^= 1 << int(random.integers(8))
    return bytes(array)


def zero_range(data: bytes, random: np.random.Generator) -> bytes:
    """Writes zeros over a range."""
    start, end = _place(data, random)
    return data[:start] + bytes(end - start) + data[end:]


def noise_range(data: bytes, random: np.random.Generator) -> bytes:
    """Writes random bytes over a range."""
    start, end = _place(data, random)
    return data[:start] + random.bytes(end - start) + data[end:]


def delete_range(data: bytes, random: np.random.Generator) -> bytes:
    """Removes a range."""
    start, end = _place(data, random)
    return data[:start] + data[end:]


def repeat_range(data: bytes, random: np.random.Generator) -> bytes:
    """Writes a range twice."""
    start, end = _place(data, random)
    return data[:end] + data[start:]


def swap_ranges(data: bytes, random: np.random.Generator) -> bytes:
    """Exchanges two neighbouring ranges."""
    start, end = _place(data, random)
    middle = (start + end) // 2
    return data[:start] + data[middle:end] + data[start:middle] + data[end:]


def extreme_number(data: bytes, random: np.random.Generator) -> bytes:
    """Writes a small or a huge integer over one, two, four or eight bytes."""
    start, _ = _place(data, random)
    size = int(random.choice([1, 2, 4, 8]))
    values = [0, 1, 2 ** (8 * size) - 1, 2 ** (8 * size - 1), 2 ** (8 * size - 1) - 1]
    value = values[int(random.integers(len(values)))]
    number = value.to_bytes(size, "little" if random.random() < 0.7 else "big")
    return data[:start] + number + data[start + size :]


def replace_all(data: bytes, random: np.random.Generator) -> bytes:
    """Puts a file of another kind there."""
    others = (b"", b"\x00", b"PK\x03\x04", b"\x93NUMPY", b"{}", b"[" * 50_000, b"\xff" * 100)
    return others[int(random.integers(len(others)))]


BYTES: tuple[Callable[[bytes, np.random.Generator], bytes], ...] = (
    truncate,
    extend,
    flip_bits,
    flip_bits,
    zero_range,
    noise_range,
    delete_range,
    repeat_range,
    swap_ranges,
    extreme_number,
    replace_all,
)


def damage_bytes(data: bytes, random: np.random.Generator) -> tuple[str, bytes]:
    """Returns the name of a mutation and what it makes of a file."""
    mutation = BYTES[int(random.integers(len(BYTES)))]
    return mutation.__name__, mutation(data, random)


# Damage to values that JSON holds.


def _paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The places in a value, outermost first; long lists by their first three elements."""
    yield path
    if isinstance(value, dict):
        for key in value:
            yield from _paths(value[key], (*path, key))
    elif isinstance(value, list):
        for number in range(min(len(value), 3)):
            yield from _paths(value[number], (*path, number))


def _at(value: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        value = value[key]
    return value


def damage_value(value: Any, random: np.random.Generator) -> tuple[str, Any]:
    """Returns the name of a mutation and a changed copy of a value of dicts, lists and scalars."""
    value = copy.deepcopy(value)
    paths = list(_paths(value))
    path = paths[int(random.integers(len(paths)))]
    name = ".".join(map(str, path)) or "all"
    hostile = copy.deepcopy(HOSTILE_VALUES[int(random.integers(len(HOSTILE_VALUES)))])
    if not path:
        return f"all = {hostile!r:.40}", hostile
    holder, key, old = _at(value, path[:-1]), path[-1], _at(value, path)
    kind = int(random.integers(6))
    if kind == 0:
        del holder[key]
        return f"{name} missing", value
    if kind == 1 and isinstance(holder, dict):
        holder[f"{key}_"] = holder.pop(key)
        return f"{name} renamed", value
    if kind == 2 and isinstance(old, (int, float)) and not isinstance(old, bool):
        changes = (old + 1, old - 1, -old, old * 2, float(old), str(old), bool(old), [old])
        holder[key] = changes[int(random.integers(len(changes)))]
        return f"{name} = {holder[key]!r:.40}", value
    if kind == 3 and isinstance(old, list):
        holder[key] = old[:-1] if random.random() < 0.5 else [*old, *old[:1], None][: len(old) + 1]
        return f"{name} with another length", value
    if kind == 4:
        for _ in range(int(random.integers(1, 200))):
            old = [old]
        holder[key] = old
        return f"{name} nested", value
    holder[key] = hostile
    return f"{name} = {hostile!r:.40}", value


def damage_json(text: str | bytes, random: np.random.Generator) -> tuple[str, bytes]:
    """Returns the name of a mutation and what it makes of a JSON file: of its values, or of its bytes."""
    data = text.encode() if isinstance(text, str) else text
    choice = random.random()
    if choice < 0.3:
        return damage_bytes(data, random)
    if choice < 0.35:
        depth = 100_000
        return "deep nesting", b"[" * depth + b"]" * depth
    if choice < 0.4:
        return "long number", data.replace(b"1", b"1" * 5000, 1)
    name, value = damage_value(json.loads(data), random)
    return name, json.dumps(value).encode()


# The judge.


class Verdict(NamedTuple):
    """What a reader did with one damaged input.

    Attributes:
        kind: "harmless" (right content), "clear" (one clear error), "unclear", "silent" (wrong content),
            "slow" or "huge".
        detail: what was raised or returned, shortened.
    """

    kind: str
    detail: str = ""


GOOD = ("harmless", "clear")


def judge(
    read: Callable[[], Any],
    is_right: Callable[[Any], bool],
    named: str,
    errors: tuple[type[BaseException], ...] = (ValueError, OSError),
) -> Verdict:
    """Runs a reader on damaged input and says what it did.

    Args:
        read: The reader.
        is_right: Whether what it returned is right, or may not be called wrong for lack of a checksum.
        named: What a clear message must hold, such as the name of the file.
        errors: Exceptions that are clear if their message is.
    """
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
    try:
        with time_limit(SECONDS):
            result = read()
            right = is_right(result)
    except BaseException as error:
        if isinstance(error, (KeyboardInterrupt, SystemExit)):
            raise
        message = str(error)
        # A subclass such as UnicodeDecodeError or JSONDecodeError has escaped from a parser.
        ours = isinstance(error, errors) and not isinstance(
            error, (UnicodeError, json.JSONDecodeError)
        )
        clear = ours and "Received: " in message and named in message and len(message) < 2000
        verdict = Verdict(
            "clear" if clear else "unclear", f"{type(error).__name__}: {message:.300}"
        )
    else:
        verdict = Verdict("harmless" if right else "silent", f"{result!r:.200}")
    if time.monotonic() - start > SECONDS:  # A reader may have caught the interruption.
        return Verdict("slow", str(verdict))
    growth = 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
    return Verdict("huge", f"{growth} bytes; {verdict}") if growth > MAX_GROWTH else verdict


@contextlib.contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Interrupts the block after some time, in the main thread.

    Raises:
        TimeoutError: The block was interrupted.
    """

    def interrupt(*_: object) -> None:
        raise TimeoutError(f"more than {seconds} s")

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


class Tally:
    """Counts verdicts, and keeps the first bad ones.

    Example:
        >>> tally = Tally("manifest")
        >>> tally.add("case 3: truncate", Verdict("clear"))
        >>> str(tally)
        'manifest: 1 cases, 0 harmless, 1 clear, 0 bad'
    """

    def __init__(self, name: str):
        self.name = name
        self.counts: dict[str, int] = {}
        self.bad: list[str] = []

    def add(self, case: str, verdict: Verdict) -> None:
        """Counts one case."""
        self.counts[verdict.kind] = self.counts.get(verdict.kind, 0) + 1
        if verdict.kind not in GOOD:
            self.bad.append(f"{case}: {verdict.kind}: {verdict.detail}")

    def check(self, show: int = 10) -> None:
        """Prints the counts, and fails where a case was bad.

        Raises:
            AssertionError: Shows the first bad cases.
        """
        print(self, file=sys.stderr)
        assert not self.bad, "\n".join([str(self), *self.bad[:show]])

    def __str__(self) -> str:
        good = [f"{self.counts.get(kind, 0)} {kind}" for kind in GOOD]
        bad = [f"{count} {kind}" for kind, count in self.counts.items() if kind not in GOOD]
        total = f"{self.name}: {sum(self.counts.values())} cases"
        return ", ".join([total, *good, *(bad or ["0 bad"])])
