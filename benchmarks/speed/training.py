"""Speed of training against PyTorch and JAX: the same model, step for step, on the same cores.

All train one of the models of `benchmarks.speed.setting` with Gumbel-Softmax at temperature 1, binary images
from memory, Adam at 1e-3 and the loss -E[log p(x | z)] + KL(q(z | x) || p(z)); `m2` the semi-supervised model
with a class that is inferred with the style in one pass, and as many labelled images, the same in all steps,
as unlabelled ones. Ours is `fit` with 20 steps per execution, its metrics and the discrete ELBO included,
plain and in the compiled loop. PyTorch runs a bare loop, eager and compiled, with each of its Adams, under
autocast with --dtype=bfloat16; JAX a jitted scan. Every contender is a process of its own; they take turns,
in a new order each round.

    pip install tf_discrete[bench]
    python -m benchmarks.speed.training
    python -m benchmarks.speed.training --model=mlp --batch=1000 --dtype=bfloat16 --threads=1

add a row to benchmarks/results/training_speed.jsonl; `python -m tools.tables --write` then fills the table of
benchmarks/README.md. A row is recorded only of all contenders on an idle machine: the race waits for it
up to --patience seconds, and records nothing if others used it meanwhile. --no_record shows the times alone.
"""

from __future__ import annotations

import argparse
import importlib
import pathlib
import statistics
import sys
import tempfile
from collections.abc import Mapping
from typing import Any

import numpy as np

from benchmarks import provenance, store
from benchmarks.speed import idle
from benchmarks.speed import interleaved as turns
from benchmarks.speed.contenders import in_jax, ours, pytorch
from benchmarks.speed.setting import DTYPES, MODELS, TITLES, Setting, binary_images
from trainers.common import tables

RESULTS = "training_speed"
CONTENDERS = {**ours.TITLES, **pytorch.TITLES, **in_jax.TITLES}
MODULES = {"ours": "ours", "torch": "pytorch", "jax": "in_jax"}
PACKAGES = {
    "ours": ("tensorflow-cpu", "tensorflow", "keras", "numpy"),
    "torch": ("torch", "numpy"),
    "jax": ("jax", "jaxlib", "numpy"),
}
DISTURBED = 0.3
"""Cores in use by others, before any turn, with which a race is not recorded."""
HEADER = (
    *("model", "batch", "dtype", "threads", "`fit`", "loop", "loop, XLA"),
    *("PyTorch", "JAX", "PyTorch / ours", "share of limit", "processor"),
)


def work(arguments: argparse.Namespace) -> None:
    """One contender's process."""
    kind = arguments.worker.split("_")[0]
    module = importlib.import_module(f"benchmarks.speed.contenders.{MODULES[kind]}")
    images = np.load(arguments.images)
    turns.serve(lambda: module.make(images, _setting(arguments), arguments.worker), PACKAGES[kind])


def race(arguments: argparse.Namespace) -> dict[str, Any]:
    """Runs all rounds; the record."""
    setting = _setting(arguments)
    pythons = {"ours": sys.executable, "torch": arguments.torch_python, "jax": arguments.jax_python}
    with tempfile.TemporaryDirectory() as folder:
        images = pathlib.Path(folder) / "images.npy"
        binary_images(images)
        commands = {}
        for name in arguments.contenders:
            options = {**setting._asdict(), "worker": name, "images": images}
            words = [f"--{key}={value}" for key, value in options.items()]
            python = pythons[name.split("_")[0]]
            commands[name] = [python, "-m", "benchmarks.speed.training", *words]
        found = turns.race(commands, arguments.rounds, setting.steps, setting.threads)
    made = found["provenance"]
    flags = {**setting._asdict(), "rounds": arguments.rounds}
    command = " ".join(f"--{name}={value}" for name, value in flags.items())
    return {
        "name": f"{setting.model}, batch {setting.batch}, {setting.dtype}, {setting.threads} threads, "
        f"{made['processor']}",
        "command": f"python -m benchmarks.speed.training {command}",
        **setting._asdict(),
        **found,
    }


def limit(record: Mapping[str, Any]) -> float | None:
    """Returns the milliseconds that a step's matrix products take at the best peak of all frameworks."""
    peaks = [facts["peak"] for facts in record.get("facts", {}).values()]
    if not peaks:
        return None
    setting = Setting(*(record[field] for field in Setting._fields))
    return setting.operations / max(peaks) / 1e6


def row(record: Mapping[str, Any]) -> tuple[str, ...]:
    """A row of the table, times in milliseconds by the clock: the median of all rounds."""
    times = record["milliseconds_per_step"]
    medians = {name: statistics.median(values) for name, values in times.items()}

    def best(kind: str) -> str | None:
        names = [name for name in medians if name.split("_")[0] == kind and name in CONTENDERS]
        return min(names, key=medians.__getitem__, default=None)

    own, torch, jax = best("ours"), best("torch"), best("jax")
    pairs = zip(times[torch], times[own], strict=True) if torch and own else ()
    ratios = [theirs / mine for theirs, mine in pairs]
    bound = limit(record)
    return (
        *(TITLES[record["model"]], str(record["batch"]), record["dtype"], str(record["threads"])),
        *(f"{medians[name]:.2f}" if name in medians else "" for name in ours.TITLES),
        f"{medians[torch]:.2f} ({CONTENDERS[torch].removeprefix('PyTorch ')})" if torch else "",
        f"{medians[jax]:.2f}" if jax else "",
        f"**{statistics.median(ratios):.2f}**" if ratios else "",
        f"{bound / medians[own]:.0%}" if bound and own else "",
        record["provenance"]["processor"],
    )


def table(records: Mapping[str, Mapping[str, Any]]) -> str:
    """All races in Markdown, a row each."""

    def order(record: Mapping[str, Any]) -> tuple[Any, ...]:
        fields = (record[field] for field in ("threads", "dtype", "batch"))
        return (record["provenance"]["processor"], *fields, list(MODELS).index(record["model"]))

    found = sorted(records.values(), key=order)
    made = sorted({_made(record) for record in found})
    return tables.markdown(HEADER, [row(record) for record in found]) + "\n" + "".join(made)


def _made(record: Mapping[str, Any]) -> str:
    made = record["provenance"]
    versions = ", ".join(f"{name} {version}" for name, version in made["versions"].items())
    return f"{provenance.machine(made)}, {made['date']}, commit {provenance.short(made)}: {versions}.\n"


def _setting(arguments: argparse.Namespace) -> Setting:
    return Setting(*(getattr(arguments, field) for field in Setting._fields))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", choices=MODELS, default="mlp", help="that is trained")
    parser.add_argument("--batch", type=int, default=100, help="images of a step")
    parser.add_argument("--dtype", choices=DTYPES, default="float32", help="of matrix products")
    parser.add_argument("--threads", type=int, default=2, help="of each framework")
    parser.add_argument("--steps", type=int, default=200, help="training steps of a turn")
    parser.add_argument("--rounds", type=int, default=15, help="turns of each contender")
    parser.add_argument("--contenders", nargs="+", choices=CONTENDERS, default=list(CONTENDERS))
    parser.add_argument(
        "--torch_python", default=sys.executable, help="interpreter that has PyTorch"
    )
    parser.add_argument("--jax_python", default=sys.executable, help="interpreter that has JAX")
    parser.add_argument(
        "--patience", type=float, default=60.0, help="seconds to wait for an idle machine"
    )
    parser.add_argument("--no_record", action="store_true", help="show the times alone")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    parser.add_argument("--images", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.steps % ours.STEPS_PER_EXECUTION:
        parser.error(f"--steps must be a multiple of {ours.STEPS_PER_EXECUTION}")
    if arguments.worker:
        work(arguments)
        return
    record = not arguments.no_record
    if record and set(arguments.contenders) != set(CONTENDERS):
        parser.error("Only a race of all contenders is recorded. Add --no_record.")
    if record and not idle.wait(arguments.patience):
        sys.exit("The machine is busy, and nothing would be recorded. Add --no_record to race.")
    found = race(arguments)
    times = found["milliseconds_per_step"]
    print("\n" + turns.table(times, CONTENDERS) + "\n" + tables.markdown(HEADER, [row(found)]))
    if record and found["others"] > DISTURBED:
        sys.exit(f"Not recorded: other programs used up to {found['others']} cores meanwhile.")
    if record:
        store.append(RESULTS, found)


if __name__ == "__main__":
    main()
