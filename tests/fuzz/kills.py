"""Kills writers at random moments while readers load, and counts what is lost, mixed or left behind.

python -m tests.fuzz.kills [--kills=200] [--seed=0] [NAME ...]

A writer writes state 1, 2, 3, ... of one thing, over and over, until SIGKILL. A reader loads it all the
time. After every kill the thing is loaded once more, the next writer writes once, and the folder is listed.

Args:
    --kills: Number of kills in all.
    --seed: Of the moments.
    NAME: Only these kinds of files.
"""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import os
import pathlib
import random
import re
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from tests.fuzz.file_kinds import KINDS, Kind

_LONGEST = 10.0
"""Seconds from a write to a kill."""


class Counts(NamedTuple):
    """What was seen.

    Attributes:
        kills: of a writer.
        writes: that ended, at least.
        reads: while writers wrote, and one after each kill.
        lost: reads that failed although something had been written.
        mixed: reads of parts of several states, or of an older state than a write that had ended.
        stale: temporary files and folders that stood after the next write.
    """

    kills: int = 0
    writes: int = 0
    reads: int = 0
    lost: int = 0
    mixed: int = 0
    stale: int = 0


def attack(name: str, kills: int, moments: random.Random) -> tuple[Counts, list[str]]:
    """Kills writers of one kind; returns what was seen, and the first things that should not be."""
    kind, seen = KINDS[name], Counts(kills)
    notes: list[str] = []
    state, longest = 0, 0.0
    with tempfile.TemporaryDirectory() as root, _reader(kind, pathlib.Path(root)) as read:
        for number in range(kills + 1):  # The last writer is not killed, and cleans up.
            writer, ours = _start_writer(kind, pathlib.Path(root), state + 1)
            state, seconds = ours.recv()
            longest = max(longest, seconds)
            left = _left(pathlib.Path(root), kind)
            seen = seen._replace(stale=seen.stale + len(left), writes=seen.writes + 1)
            notes += [f"kill {number}: left {', '.join(left[:3])}"] if left else []
            if number < kills:
                ours.send("go on")
                time.sleep(moments.uniform(0, min(3 * longest, _LONGEST)))
            os.kill(writer.pid, signal.SIGKILL)  # type: ignore[arg-type]
            writer.join()
            with contextlib.suppress(EOFError, OSError):
                while ours.poll():
                    state, _ = ours.recv()
                    seen = seen._replace(writes=seen.writes + 1)
            reads, newest, faults = read(state)
            seen = seen._replace(
                reads=seen.reads + reads,
                lost=seen.lost + sum(fault.startswith("lost") for fault in faults),
                mixed=seen.mixed + sum(fault.startswith("mixed") for fault in faults),
            )
            notes += [f"kill {number}: {fault}" for fault in faults]
            state = max(state, newest)
    return seen, notes


def _start_writer(kind: Kind, folder: pathlib.Path, state: int) -> tuple[Any, Any]:
    ours, theirs = multiprocessing.Pipe()
    writer = multiprocessing.get_context("fork").Process(
        target=_write_for_ever, args=(kind, folder, state, theirs), daemon=True
    )
    writer.start()
    theirs.close()
    return writer, ours


def _write_for_ever(kind: Kind, folder: pathlib.Path, state: int, pipe: Any) -> None:
    write = kind.write(folder)
    for number in range(state, sys.maxsize):
        start = time.monotonic()
        write(number)
        pipe.send((number, time.monotonic() - start))
        if number == state:  # The folder is listed now.
            pipe.recv()


@contextlib.contextmanager
def _reader(
    kind: Kind, folder: pathlib.Path
) -> Iterator[Callable[[int], tuple[int, int, list[str]]]]:
    """A process that reads all the time; yields a function that waits for one read after its call."""
    ours, theirs = multiprocessing.Pipe()
    reader = multiprocessing.get_context("fork").Process(
        target=_read_for_ever, args=(kind, folder, theirs), daemon=True
    )
    reader.start()
    theirs.close()

    def read(at_least: int) -> tuple[int, int, list[str]]:
        ours.send(at_least)
        return ours.recv()

    try:
        yield read
    finally:
        reader.kill()
        reader.join()


def _read_for_ever(kind: Kind, folder: pathlib.Path, pipe: Any) -> None:
    read, reads, begun, faults = kind.read(folder), 0, False, []
    while True:
        asked = pipe.recv() if pipe.poll(0 if begun or _any(folder) else None) else None
        states: list[int] = []
        try:
            states = read()
            begun = True
            if len(set(states)) != 1:
                faults.append(f"mixed: {sorted(set(states))[:5]}")
        except Exception as error:
            if begun or asked:
                faults.append(f"lost: {type(error).__name__}: {error}"[:300])
        reads += 1
        if asked is not None:
            # The names of caches are digests, in no order.
            if states and "cache" not in kind.write.__name__ and max(states) < asked:
                faults.append(f"mixed: {max(states)} after {asked}")
            pipe.send((reads, max(states, default=0), faults))
            reads, faults = 0, []


def _any(folder: pathlib.Path) -> bool:
    return any(not entry.name.startswith(".") for entry in os.scandir(folder))


def _left(root: pathlib.Path, kind: Kind) -> list[str]:
    """What stands in the folder between two writes and should not."""
    depth = 2 if "/" in kind.names else 1
    found = [*root.glob("*"), *(root.glob("*/*") if depth == 2 else ())]
    names = [path.relative_to(root).as_posix() for path in found]
    return [name for name in names if not re.fullmatch(kind.names, name)]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*", choices=[[], *KINDS], default=[])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    names = options.names or list(KINDS)
    total = Counts()
    shares = [KINDS[name].share for name in names]
    ends = [options.kills * sum(shares[: i + 1]) // sum(shares) for i in range(len(names))]
    for number, name in enumerate(names):
        kills = ends[number] - (ends[number - 1] if number else 0)
        seen, notes = attack(name, kills, random.Random(options.seed + number))
        print(name, seen, *notes[:10], sep="\n  ", flush=True)
        total = Counts(*map(sum, zip(total, seen, strict=True)))
    print(total)
    sys.exit(1 if total.lost or total.mixed or total.stale else 0)


if __name__ == "__main__":
    main()
