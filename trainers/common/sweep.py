"""A small sweep over learning rates and temperatures, judged by the validation bound."""

from __future__ import annotations

import dataclasses
import itertools
import math
import pathlib
from typing import Any

from tf_discrete import estimators, evaluation
from tf_discrete._internal import reading
from tf_discrete._internal.counted import counted
from tf_discrete._internal.writing import write_json

from ..flags.config import check
from . import compiling, data, identity, narration
from . import run as run_lib
from .callbacks import TrainingDiverged
from .run_directory import RunDirectory
from .task import Task

SCORED_ALIKE = ("epochs", "early_stopping", "bound_samples")
"""Fields that set the length of a run and its score: runs with other values cannot be compared."""

MAY_DIFFER = (
    *(name for name in run_lib.MAY_DIFFER if name not in SCORED_ALIKE),
    "sweep_learning_rates",
    "sweep_temperatures",
)
"""A sweep that goes on may have a larger grid, but runs that are finished stay as they are."""


def run(task: Task, config: Any) -> tuple[Any, dict[str, Any]]:
    """Runs what is missing of a sweep, prints its table and finishes its best run.

    The folder holds a run for each point of the grid, and sweep.json with what they came to. A sweep that
    was interrupted continues with the run that it was in; finished ones are not repeated.

    Args:
        task: What is trained.
        config: Of the task, with `sweep`.

    Returns:
        config: of the best run, whose folder holds its pictures and its models.
        results: of the best run.

    Raises:
        ValueError: a grid that makes no sense; nothing has been written then.
        TrainingDiverged: every run of the grid has diverged.
    """
    check(config)
    compiling.refuse_workers(config, "A sweep")
    config = run_lib.with_output_dir(config, f"sweep-{task.name}")
    grid(config)  # Refuses before data are read.
    directory = RunDirectory(config.output_dir)
    with directory.lock():
        splits = data.load_splits(config, task.load_split)
        config = identity.claim(
            directory, task.name, config, MAY_DIFFER, identity.of_splits(splits)
        )
        points = grid(config)
        path = directory.path / "sweep.json"
        found = _read(path) if path.exists() else {}
        for number, (name, settings) in enumerate(points.items(), 1):
            if name not in found:
                print(f"Sweep, {number} of {len(points)}: {name}")
                found[name] = _outcome(task, settings)
                write_json(path, found)
        rows = {name: found[name] for name in points}
        print(table(rows))
        best = max(rows, key=lambda name: rows[name].get("bound_nats", -math.inf))
        if "bound_nats" not in rows[best]:
            raise TrainingDiverged(f"Every run of the sweep has diverged. {rows[best]['diverged']}")
        result = _finished(task, points[best])
    print(f"\nThe best run, with its pictures and the exported model, is {points[best].output_dir}")
    return points[best], result


def grid(config: Any) -> dict[str, Any]:
    """The configuration of each run of a sweep, by the name of its folder.

    Raises:
        ValueError: numbers that are not positive, temperatures for an estimator without one, or layers
            with temperatures of their own.
    """
    names = config.estimator if isinstance(config.estimator, tuple) else (config.estimator,)
    heated = any(
        "temperature" in estimators.arguments(estimators.get_class(name)) for name in names
    )
    if config.sweep_temperatures and not heated:
        raise ValueError(
            "sweep_temperatures go with an estimator that has a temperature. Leave them out. "
            f"Received: sweep_temperatures={config.sweep_temperatures}, estimator={config.estimator!r}"
        )
    if getattr(config, "layer_temperatures", ()):
        raise ValueError(
            "A sweep gives all layers one temperature after the other. Leave layer_temperatures out. "
            f"Received: layer_temperatures={config.layer_temperatures}"
        )
    if isinstance(config.temperature, tuple):
        raise ValueError(
            "A sweep gives all layers one temperature after the other. Give temperature once. "
            f"Received: temperature={config.temperature}"
        )
    rate = config.learning_rate
    rates = config.sweep_learning_rates or (rate / 3, rate, rate * 3)
    temperatures = config.sweep_temperatures or (0.5, 0.75, 1.0)
    for name, values in (("sweep_learning_rates", rates), ("sweep_temperatures", temperatures)):
        if min(values) <= 0 or not all(math.isfinite(value) for value in values):
            raise ValueError(f"{name} must be positive. Received: {name}={values}")
    if not heated:
        temperatures = (0.0,)
    constant = config.temperature_schedule == "auto"
    points = {}
    for rate, temperature in itertools.product(dict.fromkeys(rates), dict.fromkeys(temperatures)):
        name = f"learning_rate-{rate:.4g}" + (f"-temperature-{temperature:.4g}" if heated else "")
        if name in points:
            raise ValueError(
                "Values of a sweep must differ in their first four digits, which name the folders. "
                f"Received: {name} twice"
            )
        points[name] = dataclasses.replace(
            config,
            output_dir=f"{config.output_dir}/{name}",
            learning_rate=rate,
            temperature=temperature,
            temperature_schedule="constant" if constant else config.temperature_schedule,
            sweep=False,
            sweep_learning_rates=(),
            sweep_temperatures=(),
        )
    return points


def table(rows: dict[str, Any]) -> str:
    """The runs of a sweep, the best first, as text.

    Example:
        >>> rows = {"a": {"learning_rate": 0.001, "temperature": 0.5, "bound_nats": -90.123,
        ...               "bound_standard_error_nats": 0.5, "best_epoch": 7}}
        >>> print(table(rows))
        learning_rate  temperature  validation bound (nats)  best epoch
                0.001          0.5         -90.12 +- 0.50            7
    """
    head = "learning_rate  temperature  validation bound (nats)  best epoch"
    ordered = sorted(rows.values(), key=lambda row: -row.get("bound_nats", -math.inf))
    lines = [head]
    for row in ordered:
        heat = f"{row['temperature']:.4g}" if row["temperature"] else "-"
        bound, epoch = "diverged", "-"
        if "bound_nats" in row:
            bound = f"{row['bound_nats']:.2f} +- {row['bound_standard_error_nats']:.2f}"
            epoch = str(row["best_epoch"])
        lines.append(f"{row['learning_rate']:>13.4g}  {heat:>11}  {bound:>21}  {epoch:>11}")
    return "\n".join(lines)


def _read(path: pathlib.Path) -> dict[str, Any]:
    """Returns what sweep.json holds.

    Raises:
        DamagedFileError: It holds something else than the table shows.
    """
    expected = "the results of a sweep, a JSON object with an object of numbers for each run"
    remedy = "Remove it; the same command writes it again from the runs, which are not repeated."
    found = reading.read_json(path, expected, remedy)
    with reading.reading(path, expected, remedy):
        table(found)
        for row in found.values():
            if "bound_nats" not in row and not isinstance(row["diverged"], str):
                raise ValueError(f"diverged={row['diverged']!r}")
    return found


def _outcome(task: Task, settings: Any) -> dict[str, Any]:
    """Trains one run and returns its score on the validation split."""
    result_path = RunDirectory(settings.output_dir).result_path
    if result_path.exists() and "bound_nats" not in RunDirectory(settings.output_dir).result():
        result_path.unlink()  # Of the test split, where sweep.json was removed.
    point = {"learning_rate": settings.learning_rate, "temperature": settings.temperature}

    def score(model: Any, config: Any, _: RunDirectory, splits: data.Splits) -> dict[str, Any]:
        validation = splits["validation"]
        batches = validation.batches(min(100, len(validation)))
        samples = counted(config.bound_samples, "sample")
        name = f"Bound with {samples}, {counted(len(validation), 'validation image')}"
        with narration.phase(name, len(validation)) as advance:
            bound = evaluation.evaluate_bound(
                model, batches, config.bound_samples, progress=advance
            )
        return {
            "bound_nats": bound.mean_nats,
            "bound_standard_error_nats": bound.standard_error_nats,
            "bound_samples": bound.num_samples,
        }

    try:
        return {**point, **run_lib.train(task, settings, score)}
    except TrainingDiverged as error:
        return {**point, "diverged": str(error)}


def _finished(task: Task, settings: Any) -> dict[str, Any]:
    """The results of the best run on the test split, which it is read for once."""
    directory = RunDirectory(settings.output_dir)
    result_path = directory.result_path
    if result_path.exists() and "bound_nats" in directory.result():
        result_path.unlink()  # Of the validation; it is in sweep.json.
    return run_lib.train(task, settings)
