"""Keeps the result of a finished run: python -m benchmarks.record --run=runs/mnist --name=mnist.

Writes benchmarks/results/TRAINER/NAME.json with the numbers, the command that made them, the versions and
the hardware, and copies the pictures to docs/images/NAME-*.png.

    python -m benchmarks.record --comparison=runs/comparison-binarized_mnist

keeps a comparison of estimators: every run in benchmarks/results/estimators/DATA-MODEL/NAME-SEED.json, the
cost of a step and the gradients in NAME.json beside them.

    python -m benchmarks.record --sweep=runs/sweep-categorical_vae --name=linear_20x10

keeps what every run of a sweep came to, in benchmarks/results/sweeps/NAME.json.

    python -m benchmarks.record --study=runs/semantic_hashing_study

keeps all cells of a study of semantic hashing in benchmarks/results/semantic_hashing_study.json, and its
picture.
"""

from __future__ import annotations

import dataclasses
import shlex
import shutil
from pathlib import Path
from typing import Any

from PIL import Image

from benchmarks import semantic_hashing_study
from tf_discrete._internal.writing import write_json
from trainers.common import command_line, machine, task
from trainers.common.run_directory import RunDirectory, read_json
from trainers.common.task import Task
from trainers.comparison import comparison_report
from trainers.comparison import settings as comparison_config
from trainers.flags.config import option
from trainers.tasks import categorical_vae

RESULTS = Path(__file__).parent / "results"
IMAGES = Path(__file__).parent.parent / "docs" / "images"
COMPARISON_PICTURES = ("bound_vs_steps", "bound_vs_seconds", "gradient_variance")
MODEL = ("num_variables", "num_categories", "latents", "num_layers", "hidden_units", "prior")
"""Fields of a configuration that say what was trained, where a trainer has them."""

STUDY = "semantic_hashing_study"

POINTS = 100
"""Of a run's history that are kept."""


@dataclasses.dataclass(frozen=True)
class Config:
    """Which run is kept, under which name."""

    run: str = option("", "Folder of the finished run.")
    name: str = option("", "Of the result.")
    pictures: tuple[str, ...] = option(
        ("reconstructions", "samples"), "Pictures of the run to keep, by name."
    )
    comparison: str = option("", "Folder of a comparison of estimators to keep instead of a run.")
    sweep: str = option("", "Folder of a trainer's --sweep to keep instead of a run.")
    study: str = option("", "Folder of a study of semantic hashing to keep instead of a run.")


def run(config: Config) -> None:
    """Writes the JSON and the pictures."""
    if config.comparison:
        keep_comparison(Path(config.comparison))
        return
    if config.sweep:
        keep_sweep(Path(config.sweep), config.name)
        return
    if config.study:
        keep_study(Path(config.study))
        return
    directory = RunDirectory(config.run)
    if not directory.result_path.exists():
        raise ValueError(f"--run must name a finished run. Received: run={config.run!r}")
    settings, result = read_json(directory.config_path), read_json(directory.result_path)
    trained = task.get(settings["task"])
    target = RESULTS / trained.name
    target.mkdir(parents=True, exist_ok=True)
    write_json(
        target / f"{config.name}.json",
        {
            "name": config.name,
            "command": command(settings, trained),
            "dataset": settings["dataset"],
            "binarization": settings["binarization"],
            "model": {key: settings[key] for key in MODEL if key in settings},
            "likelihood": settings["likelihood"],
            "estimator": settings.get("estimator", settings.get("inference")),
            "seeds": [settings["seed"]],
            "result": result,
            "validation_hard_elbo_nats": [
                [row["epoch"], round(row["validation/hard_elbo_nats"], 3)]
                for row in directory.history()
            ],
            "hardware": machine.hardware(),
            "versions": machine.versions(),
        },
    )
    IMAGES.mkdir(parents=True, exist_ok=True)
    for picture in config.pictures:
        with Image.open(directory.path / f"{picture}.png") as image:
            image.thumbnail((1200, 1200))
            image.convert("RGB").quantize(64).save(IMAGES / f"{config.name}-{picture}.png")


def keep_comparison(folder: Path) -> Path:
    """Writes a small JSON for each run and each estimator of a comparison; returns their folder."""
    path = folder / "comparison.json"
    if not path.exists():
        raise ValueError(
            f"--comparison must name a finished comparison. Received: comparison={str(folder)!r}"
        )
    comparison = read_json(path)
    settings = comparison["config"]
    target = RESULTS / "estimators" / model_name(settings)
    target.mkdir(parents=True, exist_ok=True)
    for name, entry in comparison["estimators"].items():
        for run in entry.get("runs", []):
            if run["status"] != "unfinished":
                made = folder / "runs" / f"{name}-{run['seed']}"
                write_json(
                    target / f"{name}-{run['seed']}.json", kept_run(run, name, settings, made)
                )
        if entry["cost"] or entry["gradients"]:
            measured = {key: entry[key] for key in ("cost", "gradients")}
            where = {key: comparison[key] for key in ("hardware", "versions")}
            write_json(target / f"{name}.json", {"estimator": name, **measured, **where})
    IMAGES.mkdir(parents=True, exist_ok=True)
    for picture in COMPARISON_PICTURES:
        if (folder / f"{picture}.png").exists():
            shutil.copy(folder / f"{picture}.png", IMAGES / f"{target.name}-{picture}.png")
    return target


def keep_sweep(folder: Path, name: str) -> Path:
    """Writes one JSON of the runs of a sweep; returns its path."""
    if not (name and (folder / "sweep.json").exists()):
        raise ValueError(
            "--sweep must name the folder of a sweep, and --name the result. Received: "
            f"sweep={str(folder)!r}, name={name!r}"
        )
    settings = read_json(folder / "config.json")
    target = RESULTS / "sweeps"
    target.mkdir(parents=True, exist_ok=True)
    write_json(
        target / f"{name}.json",
        {
            "name": name,
            "command": command(settings, task.get(settings["task"])),
            "estimator": settings["estimator"],
            "epochs": settings["epochs"],
            "runs": _rounded(list(read_json(folder / "sweep.json").values())),
            "hardware": machine.hardware(),
            "versions": machine.versions(),
        },
    )
    return target / f"{name}.json"


def keep_study(folder: Path) -> Path:
    """Writes one JSON of all cells of a study, and its picture; returns the JSON's path."""
    cells = [read_json(path) for path in sorted((folder / "cells").glob("*.json"))]
    if not cells:
        raise ValueError(f"--study must name a study with cells. Received: study={str(folder)!r}")
    settings = read_json(folder / "config.json")
    machines: list[dict[str, Any]] = []
    for cell in cells:
        made = {key: cell.pop(key) for key in ("hardware", "versions")}
        if made not in machines:
            machines.append(made)
    RESULTS.mkdir(parents=True, exist_ok=True)
    write_json(
        RESULTS / f"{STUDY}.json",
        {
            "command": command_of(
                "benchmarks.semantic_hashing_study", semantic_hashing_study.Config, settings
            ),
            "config": {
                key: value
                for key, value in settings.items()
                if key not in ("output_dir", "data_dir")
            },
            "classifier": _rounded(read_json(folder / "classifier.json")),
            "cells": _rounded(cells),
            "machines": machines,
        },
    )
    IMAGES.mkdir(parents=True, exist_ok=True)
    shutil.copy(folder / "study.png", IMAGES / f"{STUDY}.png")
    return RESULTS / f"{STUDY}.json"


def kept_run(
    run: dict[str, Any], estimator: str, settings: dict[str, Any], folder: Path
) -> dict[str, Any]:
    """What is kept of one run.

    Args:
        run: as `comparison_report.read_run` gives it.
        estimator: its name.
        settings: of the run or of the comparison.
        folder: of the run.
    """
    made = folder / comparison_report.MACHINE
    return {
        **run,
        "estimator": estimator,
        "history": _thinned(run["history"]),
        "settings": {
            key: value
            for key, value in settings.items()
            if key not in ("output_dir", "data_dir", *comparison_config.MAY_DIFFER)
        },
        **(read_json(made) if made.exists() else {}),
    }


def model_name(settings: dict[str, Any]) -> str:
    """Data set and model in a word, such as binarized_mnist-linear-20x10."""
    data = settings["dataset"].rstrip("/").split("/")[-1]
    units = "-".join(map(str, settings["hidden_units"])) or "linear"
    network = units if settings["encoder"] == "mlp" else f"{settings['encoder']}-{units}"
    return f"{data}-{network}-{settings['num_variables']}x{settings['num_categories']}"


def _thinned(history: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """At most `POINTS` epochs, the last among them; the seconds are summed up to each."""
    count = len(history["step"])
    kept = min(POINTS, count)
    chosen = [count - 1 - index * count // kept for index in reversed(range(kept))]
    seconds, total = [], 0.0
    for value in history["seconds"]:
        total += value
        seconds.append(round(total, 1))
    return {
        "step": [history["step"][i] for i in chosen],
        "seconds_so_far": [seconds[i] for i in chosen],
        "hard_elbo_nats": [round(history["hard_elbo_nats"][i], 3) for i in chosen],
    }


def _rounded(value: Any) -> Any:
    """JSON with its numbers cut to six digits."""
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_rounded(item) for item in value]
    return float(f"{value:.6g}") if isinstance(value, float) else value


def command(settings: dict[str, Any], trained: Task = categorical_vae.TASK) -> str:
    """The command line of a run: every flag that differs from its default."""
    return command_of(f"trainers.{trained.name}", trained.config_class, settings)


def command_of(
    program: str,
    config_class: Any,
    settings: dict[str, Any],
    leave_out: tuple[str, ...] = ("output_dir",),
) -> str:
    """The command line of a program whose flags are the fields of a configuration."""
    parts = [f"python -m {program}"]
    for field in dataclasses.fields(config_class):
        default = list(field.default) if isinstance(field.default, tuple) else field.default
        value = settings.get(field.name, default)
        if value == default or field.name in leave_out:
            continue
        if field.name == "data_dir":
            parts.append("--data_dir=$TF_DISCRETE_DATA_DIR")
            continue
        if isinstance(value, bool):
            parts.append(f"--{'' if value else 'no'}{field.name}")
        else:
            shown = ",".join(map(str, value)) if isinstance(value, list) else value
            parts.append(f"--{field.name}={shlex.quote(str(shown))}")
    return " ".join(parts)


if __name__ == "__main__":
    command_line.start(Config, lambda: run, __doc__)
