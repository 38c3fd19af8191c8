"""The runs and measurements of a comparison of estimators, read from its folder."""

from __future__ import annotations

import pathlib
import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tf_discrete._internal import reading

from ..common import run_directory
from ..common.history_fields import MONITORED
from ..common.run_directory import RunDirectory

DIVERGED = "diverged.json"
"""In the folder of a run that has diverged: what it said."""
MACHINE = "machine.json"
"""In the folder of a finished run: what it was trained on."""
GRADIENTS, COSTS = "gradients.json", "cost.json"
"""Files in the folder of a comparison with the measurements that are not runs."""
BOUNDS = ("test/hard_elbo_nats", "test/bound_nats")


def read_run(folder: pathlib.Path) -> dict[str, Any] | None:
    """Reads one run; None if it has not begun.

    Returns:
        status: "finished", "diverged" or "unfinished".
        message: of a run that has diverged, else None.
        seed: of the run.
        result: what metrics.json holds, or {}.
        history: steps, training seconds and hard validation bound of each epoch.
    """
    directory = RunDirectory(folder)
    if not directory.config_path.exists():
        return None
    rows = directory.history()
    diverged = folder / DIVERGED
    message = _value(diverged, "message", str, "Remove it to train the run again.")
    finished = directory.result_path.exists()
    remedy = run_directory.HISTORY_REMEDY
    with reading.reading(directory.history_path, run_directory.HISTORY, remedy):
        history = {
            "step": [row["step"] for row in rows],
            "seconds": [row["seconds"] for row in rows],
            "hard_elbo_nats": [row[MONITORED] for row in rows],
        }
    return {
        "status": "diverged" if message else "finished" if finished else "unfinished",
        "message": message,
        "seed": _value(directory.config_path, "seed", int, run_directory.CONFIG_REMEDY),
        "result": _result(directory) if finished else {},
        "history": history,
    }


def _value(path: pathlib.Path, name: str, kind: type, remedy: str) -> Any:
    """Returns one value of a JSON object in a file, or None where the file is missing."""
    if not path.exists():
        return None
    expected = f"a JSON object with {name}, of type {kind.__name__}"
    value = reading.read_json(path, expected, remedy).get(name)
    if not isinstance(value, kind):
        raise reading.damaged(path, expected, remedy, f"{name}={str(value)[:80]!r}")
    return value


def measured(path: pathlib.Path, check: Callable[[Any], None]) -> dict[str, Any]:
    """Returns what was measured of each estimator, {} where the file is missing.

    Args:
        path: The file.
        check: Raises anything for an entry that cannot be used.

    Raises:
        DamagedFileError: The file holds something else.
    """
    remedy = "Remove it, and the same command measures it again."
    found = _value(path, "estimators", dict, remedy) or {}
    with reading.reading(path, "the measurements of a comparison", remedy):
        for entry in found.values():
            check(entry)
    return found


def check_gradients(entry: Any) -> None:
    """Raises KeyError, TypeError or ValueError where tables and figures could not use an entry."""
    values = [entry["evaluations"], *(row["step"] for row in entry["rows"])]
    for row in entry["rows"]:
        values.append(row["groups"]["encoder"]["variance"])
        for group in row["groups"].values():
            values.append(group["variance"])
            optional = ("signal_to_noise", "cosine", "mean_cosine", "relative_bias", "bias_noise")
            values += [group[field] for field in optional if group.get(field) is not None]
        if not isinstance(row["reference"], str):
            raise TypeError(f"reference={row['reference']!r}")
    _check_numbers(values)


def _check_cost(entry: Any) -> None:
    fields = ("ratio", "low", "high", "evaluations", "step_milliseconds")
    _check_numbers([entry[field] for field in fields])


def _check_numbers(values: Sequence[Any]) -> None:
    for value in values:
        if not isinstance(value, (int, float)):
            raise TypeError(f"{str(value)[:80]!r} is no number")


def _result(directory: RunDirectory) -> dict[str, Any]:
    """Returns the result of a run, with numbers where the comparison reads numbers."""
    found = directory.result()
    for name in (*BOUNDS, "test/bound_samples"):
        if not isinstance(found.get(name, 0), (int, float, type(None))):
            raise reading.damaged(
                directory.result_path,
                run_directory.RESULT,
                run_directory.RESULT_REMEDY,
                f"no number for {name}",
            )
    return found


def summary(runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Mean and standard deviation over the finished runs of one estimator, of both test bounds."""
    found: dict[str, Any] = {}
    for name in BOUNDS:
        values = [
            run["result"][name]
            for run in runs
            if run["status"] == "finished" and run["result"].get(name) is not None
        ]
        if values:
            found[name] = {
                "mean": statistics.fmean(values),
                "deviation": statistics.stdev(values) if len(values) > 1 else None,
                "lowest": min(values),
                "highest": max(values),
            }
    return found


def collect(folder: pathlib.Path, skipped: Mapping[str, str]) -> dict[str, Any]:
    """All that a comparison knows of each estimator; by name.

    Args:
        folder: of the comparison.
        skipped: why an estimator does not apply.
    """
    gradients = measured(folder / GRADIENTS, check_gradients)
    costs = measured(folder / COSTS, _check_cost)
    found: dict[str, Any] = {name: {"skipped": why} for name, why in skipped.items()}
    for path in sorted((folder / "runs").glob("*-*")):
        name, _, _ = path.name.rpartition("-")
        run = read_run(path)
        if run is not None:
            found.setdefault(name, {}).setdefault("runs", []).append(run)
    for name in (*gradients, *costs):  # Also of what was not trained.
        found.setdefault(name, {})
    for name, entry in found.items():
        entry["summary"] = summary(entry.get("runs", []))
        entry["cost"] = costs.get(name)
        entry["gradients"] = gradients.get(name)
    return found
