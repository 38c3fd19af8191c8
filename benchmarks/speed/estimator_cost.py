"""The cost of a step under each estimator, relative to Gumbel-Softmax, in this checkout and in others.

    python -m benchmarks.speed.estimator_cost --checkouts=. --checkouts=../before

trains 784-(20 x 10), or 784-200 bits where an estimator takes no categories, on dynamically binarised MNIST
with each estimator in turn, see `trainers.comparison.step_cost`, in a process for each checkout. An estimator
that a checkout does not have is left out there. The record in benchmarks/results/estimator_cost.jsonl has the
ratios, medians of the rounds, by commit. The data are those of TF_DISCRETE_DATA_DIR.
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

RESULTS = "estimator_cost"
REFERENCE = "gumbel_softmax"
LISTING = ("enumeration", "sum_and_sample")
"""Estimators that list configurations, of which these codes have too many."""
SIZES = {"categorical": (20, 10), "bernoulli": (200, 2)}


def measure(rounds: int) -> dict[str, Any]:
    """Times all estimators of the package that this process imports, by kind of latents."""
    import importlib

    import keras

    from tf_discrete import datasets, estimators, models
    from tf_discrete.optimizers import FusedAdam

    try:
        step_cost: Any = importlib.import_module("trainers.comparison.step_cost")
    except ImportError:  # Of earlier commits.
        step_cost = importlib.import_module("trainers.step_cost")
    split = datasets.get(
        "mnist", "train", binarization="dynamic", data_dir=os.environ["TF_DISCRETE_DATA_DIR"]
    )
    left, found = [name for name in estimators.names() if name not in LISTING], {}
    for latents, size in SIZES.items():
        made = {}
        for name in sorted({*left, REFERENCE}):
            keras.utils.set_random_seed(0)
            try:
                model = models.CategoricalVAE(
                    (28, 28, 1), *size, latents=latents, hidden_units=(), estimator=name
                )
                model.compile(FusedAdam(1e-3), steps_per_execution=20, jit_compile=False)
                model.optimizer.build(model.trainable_variables)
            except ValueError:  # Of another kind of latents.
                continue
            made[name] = model
        found[latents] = step_cost.measure(made, split, 100, REFERENCE, rounds)
        left = [name for name in left if name not in made]
    return found


def run(checkouts: list[str], rounds: int) -> dict[str, Any]:
    """Runs a process for each checkout; returns the record."""
    from benchmarks import provenance

    made, ratios = provenance.record(), {}
    for checkout in checkouts:
        folder = pathlib.Path(checkout).resolve()
        # By its text: run as a file, its neighbours would hide modules of the language, such as `profile`.
        own = pathlib.Path(__file__).read_text()
        command = [sys.executable, "-c", own, "--worker"]
        printed = subprocess.run(
            [*command, f"--rounds={rounds}"],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(folder)},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        ).stdout
        commit = subprocess.check_output(["git", "rev-parse", "HEAD"], cwd=folder, text=True)
        ratios[commit.strip()[:8]] = json.loads(printed.splitlines()[-1])
    flags = " ".join(f"--checkouts={checkout}" for checkout in checkouts)
    command_line = f"python -m benchmarks.speed.estimator_cost {flags} --rounds={rounds}"
    return {"command": command_line, "commits": ratios, "provenance": made}


def table(record: Mapping[str, Any]) -> str:
    """The ratios of each estimator in Markdown, a column for each commit, the earliest first."""
    from benchmarks import provenance
    from trainers.common import tables

    commits = record["commits"]
    rows = []
    for latents, size in SIZES.items():
        names = sorted({name for found in commits.values() for name in found.get(latents, {})})
        for name in names:
            known = [found.get(latents, {}).get(name) for found in commits.values()]
            ratios = (f"{cost['ratio']:.2f}" if cost else "" for cost in known)
            times = (f"{cost['step_milliseconds']:.2f}" if cost else "" for cost in known)
            rows.append((f"`{name}`", f"{size[0]} x {size[1]}", *ratios, *times))
    header = (
        *("estimator", "code", *(f"times {REFERENCE}, {commit}" for commit in commits)),
        *(f"ms, {commit}" for commit in commits),
    )
    return f"{tables.markdown(header, rows)}\n{provenance.line(record['provenance'], record['command'])}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "--checkouts", action="append", help="folders of checkouts, the earliest first"
    )
    parser.add_argument("--rounds", type=int, default=5, help="turns of each estimator")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        print(json.dumps(measure(arguments.rounds)))
        return
    if "TF_DISCRETE_DATA_DIR" not in os.environ:
        parser.error("TF_DISCRETE_DATA_DIR must name the folder of prepared TFDS data")
    from benchmarks import store

    print(table(store.append(RESULTS, run(arguments.checkouts or ["."], arguments.rounds))))


if __name__ == "__main__":
    main()
