"""The time of a training step by class of operation.

    python -m benchmarks.speed.profile --model=linear_categorical --contender=ours_loop

trains one of our contenders of `benchmarks.speed.training` under TensorFlow's profiler and prints the time of
the processor in each class, as own time: that of an operation without those it contains. Under XLA
(`ours_loop_xla`) the fused loops are counted by what XLA calls them. The events of the runtime are left
out, for their own time holds the waiting for other threads. A profile slows the step that it watches, so its
shares say more than its milliseconds. --record adds it to benchmarks/results/training_profile.jsonl, and
`python -m tools.tables --write` the shares to the table of benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import collections
import pathlib
import re
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from benchmarks import provenance, store
from benchmarks.speed import setting
from benchmarks.speed.contenders import ours
from benchmarks.speed.interleaved import Turn
from trainers.common import tables

CLASSES = {
    "matrix products": r"_?(Fused|Batch)?MatMul(V2)?|dot|Dot|custom-call|__onednn",
    "optimizer": r"(Resource)?Apply.*|FusedAdam.*",
    "random numbers": r"Stateless.*|Random.*|rng.*|threefry.*|philox.*",
    "exponentials and logarithms": r"Exp|Log|Log1p|Expm1|Softplus|Sigmoid|Softmax|LogSoftmax|Tanh|.*Xent.*",
    "reductions": r"Sum|Mean|Max|Min|Prod|All|Any|L2Loss|reduce.*|ArgMax",
    "data and metrics": r"Gather.*|Iterator.*|.*Dataset.*|.*VariableOp|.*AddVariableOp|Assert.*",
    "control": r"While|If|StatelessWhile|StatelessIf|Switch|Merge|Enter|Exit|NextIteration|LoopCond|.*Call.*",
    "other fused loops": r".*fusion.*|copy.*|transpose.*|while.*|call.*",
}
"""Names of operations by class, the first that fits counts; all others are "other elementwise"."""
REST = "other elementwise"
RESULTS = "training_profile"
_EXECUTOR = re.compile(
    r"KernelAndDevice|Executor|Instantiated|TFE_Py|FunctionRun|EagerKernel|EagerLocal|ParallelFor|Thunk|PjRt|"
    r"Xla|Cpu|Run|Session|Thread|Wait|Process|Schedule|Allocate|Buffer"
)
"""Events of the runtime, which enclose operations."""


class Row(NamedTuple):
    """A class of operations.

    Attributes:
        name: What the class is called.
        milliseconds: Own time in a step, over all threads.
        calls: Operations in a step.
    """

    name: str
    milliseconds: float
    calls: float


class Event(NamedTuple):
    """An interval of a thread, in microseconds."""

    name: str
    start: float
    duration: float


def own_times(events: Iterable[Event]) -> Iterator[tuple[str, float]]:
    """Yields the name and the own time of each event of one thread, where events contain others."""
    open_events: list[list[Any]] = []  # End, name, own time.
    for event in sorted(events, key=lambda e: (e.start, -e.duration)):
        while open_events and open_events[-1][0] <= event.start:
            yield tuple(open_events.pop()[1:])
        if open_events:
            open_events[-1][2] -= event.duration
        open_events.append([event.start + event.duration, event.name, event.duration])
    while open_events:
        yield tuple(open_events.pop()[1:])


def class_of(name: str) -> str:
    """Returns the class of an operation, by its name; oneDNN's are called _MklX or _MklNativeX."""
    name = re.sub(r"^_Mkl(Native)?", "", name)
    return next((key for key, names in CLASSES.items() if re.fullmatch(names, name)), REST)


def rows(times: Iterable[tuple[str, float]], steps: int) -> list[Row]:
    """Adds up own times in microseconds by class, the largest first."""
    sums: Mapping[str, list[float]] = collections.defaultdict(list)
    for name, own in times:
        if not _EXECUTOR.match(name):
            sums[class_of(name)].append(own)
    found = [
        Row(name, sum(values) / steps / 1000, len(values) / steps) for name, values in sums.items()
    ]
    return sorted(found, key=lambda row: -row.milliseconds)


def read(folder: pathlib.Path) -> list[list[Event]]:
    """Reads the events of each thread of the processor from what the profiler has written."""
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    space = xplane_pb2.XSpace()
    (path,) = folder.rglob("*.xplane.pb")
    space.ParseFromString(path.read_bytes())
    planes = [plane for plane in space.planes if "CPU" in plane.name]
    return [
        [
            Event(
                _operation(plane.event_metadata[event.metadata_id].name),
                event.offset_ps / 1e6,
                event.duration_ps / 1e6,
            )
            for event in line.events
        ]
        for plane in planes
        for line in plane.lines
    ]


def _operation(name: str) -> str:
    """Returns the type of an operation: TensorFlow writes "name:Type", XLA "fusion.12"."""
    if ":" in name and "::" not in name:
        return name.rsplit(":", 1)[-1]
    return re.sub(r"\.\d+$", "", name.split("#")[0])


def profile(turn: Turn, steps: int) -> tuple[list[Row], float]:
    """Profiles one turn of a contender that is warm.

    Returns:
        rows: Classes, the largest first.
        milliseconds: Of a step without the profiler, by the clock.
    """
    import tensorflow as tf

    for _ in range(2):
        next(turn)
    began = time.perf_counter()
    next(turn)
    plain = 1000 * (time.perf_counter() - began) / steps
    options = tf.profiler.experimental.ProfilerOptions(host_tracer_level=2, python_tracer_level=0)
    with tempfile.TemporaryDirectory() as folder:
        tf.profiler.experimental.start(folder, options=options)
        next(turn)
        tf.profiler.experimental.stop()
        threads = read(pathlib.Path(folder))
    return rows((own for events in threads for own in own_times(events)), steps), plain


def table(found: list[Row]) -> str:
    """The classes in Markdown."""
    total = sum(row.milliseconds for row in found)
    cells = [
        (row.name, f"{row.milliseconds:.3f}", f"{row.milliseconds / total:.0%}", f"{row.calls:.1f}")
        for row in found
    ]
    return tables.markdown(("operations", "ms a step", "share", "calls a step"), cells)


def recorded(records: Mapping[str, Mapping[str, Any]]) -> str:
    """The shares of the recorded profiles, a row for each setting, whose last profile counts.

    Args:
        records: As `store.oldest_first` returns them.
    """
    names = list(dict.fromkeys([*CLASSES, REST]))
    rows: dict[tuple[str, ...], tuple[list[str], str]] = {}
    for record in records.values():
        times = {name: milliseconds for name, milliseconds, _ in record["rows"]}
        total = sum(times.values())
        shares = [f"{times.get(name, 0.0) / total:.0%}" for name in names]
        size = (setting.TITLES[record["model"]], str(record["batch"]), record["dtype"])
        made = record["provenance"]
        where = (str(record["threads"]), made["processor"])
        line = f"{provenance.machine(made)}, {made['date']}, commit {provenance.short(made)}.\n"
        rows[(*size, ours.TITLES[record["contender"]], *where)] = (shares, line)
    header = ("model", "batch", "dtype", "route", "threads", "processor", *names)
    cells = [(*given, *shares) for given, (shares, _) in sorted(rows.items())]
    lines = sorted({line for _, line in rows.values()})
    return f"{tables.markdown(header, cells)}\n{''.join(lines)}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", choices=setting.MODELS, default="linear_categorical")
    parser.add_argument("--batch", type=int, default=100, help="images of a step")
    parser.add_argument("--dtype", choices=setting.DTYPES, default="float32")
    parser.add_argument("--contender", choices=ours.TITLES, default="ours_loop")
    parser.add_argument("--steps", type=int, default=200, help="training steps that are profiled")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--record", action="store_true", help="add it to benchmarks/results")
    arguments = parser.parse_args()
    if arguments.steps % ours.STEPS_PER_EXECUTION:
        parser.error(f"--steps must be a multiple of {ours.STEPS_PER_EXECUTION}")
    given = setting.Setting(*(getattr(arguments, name) for name in setting.Setting._fields))
    with tempfile.TemporaryDirectory() as folder:
        images = pathlib.Path(folder) / "images.npy"
        setting.binary_images(images)
        turn, _ = ours.make(np.load(images), given, arguments.contender)
        found, milliseconds = profile(turn, arguments.steps)
    made = provenance.record()
    if arguments.record:
        chosen = {**given._asdict(), "contender": arguments.contender}
        name = ", ".join(map(str, [*chosen.values(), made["processor"]]))
        store.append(RESULTS, {"name": name, **chosen, "rows": found, "provenance": made})
    print(
        f"{arguments.model}, {ours.TITLES[arguments.contender]}, threads={arguments.threads}: "
        f"{milliseconds:.3f} ms a step without the profiler\n\n{table(found)}"
    )


if __name__ == "__main__":
    main()
