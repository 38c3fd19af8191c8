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

import numpy as np

from tf_discrete import codes, export, models
from tf_discrete._internal import keras_files, reading, writing
from tf_discrete.datasets import image_cache
from trainers.common.checkpoints import CheckpointFolder
from trainers.common.run_directory import RunDirectory

_LONGEST = 10.0
"""Seconds from a write to a kill."""
SIZES: dict[str, Any] = {"data_shape": (2, 2, 1), "num_variables": 2, "hidden_units": (3,)}


class Kind(NamedTuple):
    """One kind of files.

    Attributes:
        write: (folder) -> function that writes a state; called in the process of a writer.
        read: (folder) -> function that returns the numbers of all parts that were read, equal if they are
            of one state; called in the process of a reader.
        names: Pattern of what may be in the folder between two writes.
        share: Of the kills. Default: 10; fewer where a write takes seconds.
    """

    write: Callable[[pathlib.Path], Callable[[int], None]]
    read: Callable[[pathlib.Path], Callable[[], list[int]]]
    names: str
    share: int = 10


def _model() -> Any:
    model = models.CategoricalVAE(**SIZES)
    model.build((None, 2, 2, 1))
    return model


def _set(model: Any, state: int) -> None:
    for weight in model.weights:
        if len(weight.shape) == 2:
            weight.assign(np.full(weight.shape, state, np.float32))


def _states(weights: Any) -> list[int]:
    return [int(value) for weight in weights for value in np.unique(np.asarray(weight))]


def _write_model(folder: pathlib.Path) -> Callable[[int], None]:
    model = _model()

    def write(state: int) -> None:
        _set(model, state)
        with writing.replaced_file(RunDirectory(folder).model_path) as new:
            model.save(new)

    return write


def _read_model(folder: pathlib.Path) -> Callable[[], list[int]]:
    path = RunDirectory(folder).model_path
    return lambda: _states(
        weight for weight in keras_files.load_keras(path).weights if len(weight.shape) == 2
    )


def _write_export(folder: pathlib.Path) -> Callable[[int], None]:
    model = _model()

    def write(state: int) -> None:
        _set(model, state)
        export.save(model, folder / "saved_model", metadata={"state": state}, overwrite=True)

    return write


def _read_export(folder: pathlib.Path) -> Callable[[], list[int]]:
    import tensorflow as tf

    def both(path: pathlib.Path) -> list[int]:
        state = export.load_manifest(path).metadata["state"]
        reader = tf.train.load_checkpoint(str(path / "variables" / "variables"))
        shapes = reader.get_variable_to_shape_map()
        names = [name for name, shape in shapes.items() if len(shape) == 2]
        return [state, *_states(reader.get_tensor(name) for name in names)]

    return lambda: reading.read_folder(folder / "saved_model", both)


def _write_index(folder: pathlib.Path) -> Callable[[int], None]:
    def write(state: int) -> None:
        made = codes.CodeIndex(
            np.full([50, 4], state), 2**16, [str(state)] * 50, None, {"i": state}
        )
        made.save(folder / "index", overwrite=True)

    return write


def _read_index(folder: pathlib.Path) -> Callable[[], list[int]]:
    def read() -> list[int]:
        found = codes.CodeIndex.load(folder / "index")
        return [*np.unique(found.codes).tolist(), *map(int, found.ids), found.metadata["i"]]

    return read


def _write_checkpoint(folder: pathlib.Path) -> Callable[[int], None]:
    return _checkpoints(folder)[1]


def _checkpoints(folder: pathlib.Path) -> tuple[Any, Callable[[int], None], Any]:
    import tensorflow as tf

    matrix, step = tf.Variable(tf.zeros([100, 3])), tf.Variable(0, dtype=tf.int64)
    checkpoint = tf.train.Checkpoint(matrix=matrix, step=step)
    kept = CheckpointFolder(checkpoint, folder / "last", keep=2)

    def write(state: int) -> None:
        matrix.assign(tf.fill([100, 3], float(state)))
        step.assign(state)
        kept.save(state)

    return kept, write, (matrix, step)


def _read_checkpoint(folder: pathlib.Path) -> Callable[[], list[int]]:
    kept, _, weights = _checkpoints(folder)

    def read() -> list[int]:
        for _ in range(100):  # As `trainers.callbacks.Checkpoints` does.
            for epoch in kept.epochs():
                try:
                    kept.read(epoch)
                except (FileNotFoundError, reading.DamagedFileError):
                    continue
                return [epoch, *_states(weights)]
        raise FileNotFoundError("no checkpoint")

    return read


def _write_history(folder: pathlib.Path) -> Callable[[int], None]:
    directory = RunDirectory(folder)
    last = max((row["epoch"] for row in directory.history()), default=0)
    directory.history(last_epoch=last)

    def write(state: int) -> None:
        directory.append_history({"epoch": state, "step": state, "seconds": 0.5})

    return write


def _read_history(folder: pathlib.Path) -> Callable[[], list[int]]:
    def read() -> list[int]:
        row = RunDirectory(folder).history()[-1]
        return [row["epoch"], row["step"]]

    return read


def _write_cache(folder: pathlib.Path) -> Callable[[int], None]:
    image_cache.MEMORY_BYTES = 1

    def write(state: int) -> None:
        key = f"{os.getpid()} {state}"  # One that is cached already would not be written.
        chunks = [(np.full([50, 4, 4, 1], state % 256, np.uint8), np.full(50, state % 256))] * 2
        image_cache.fill(100, (4, 4, 1), lambda: chunks, cache_dir=str(folder), key=key)

    return write


def _read_cache(folder: pathlib.Path) -> Callable[[], list[int]]:
    def read() -> list[int]:
        found = [entry.path for entry in os.scandir(folder) if not entry.name.startswith(".")]
        parts = [np.load(os.path.join(found[-1], f"{name}.npy")) for name in ("images", "labels")]
        return [int(value) for part in parts for value in np.unique(part)]

    return read


KINDS = {
    "index": Kind(_write_index, _read_index, r"index"),
    "model": Kind(_write_model, _read_model, r"model\.keras"),
    "checkpoint": Kind(
        _write_checkpoint, _read_checkpoint, r"last(/checkpoint|/ckpt-\d+\.(index|data-.*))?"
    ),
    "history": Kind(_write_history, _read_history, r"metrics\.jsonl"),
    "cache": Kind(_write_cache, _read_cache, r"[0-9a-f]{24}"),
    "export": Kind(_write_export, _read_export, r"saved_model", share=2),
}


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
