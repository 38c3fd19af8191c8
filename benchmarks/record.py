"""Keeps the result of a finished run: python -m benchmarks.record --run=runs/mnist --name=mnist.

Adds the numbers, the command that made them, the versions and the hardware to
benchmarks/results/TRAINER.jsonl, and copies the pictures to docs/images/NAME-*.png.

    python -m benchmarks.record --comparison=runs/comparison-binarized_mnist

adds a comparison of estimators to benchmarks/results/estimators.jsonl: every run as DATA-MODEL/NAME-SEED, the
cost of a step as DATA-MODEL/NAME/cost and the gradients as DATA-MODEL/NAME/gradients.

    python -m benchmarks.record --sweep=runs/sweep-categorical_vae --name=linear_20x10

adds what every run of a sweep came to to benchmarks/results/sweeps.jsonl.

    python -m benchmarks.record --bound_curve=runs/vae --name=vae

adds the bounds that `trainers.evaluate --bound_curve` wrote to benchmarks/results/bound_curve.jsonl, and
their picture as docs/images/bound_curve-NAME.png.
"""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from typing import Any

from benchmarks import help_flag, provenance, store
from trainers.common import command_line
from trainers.flags.config import option

if not help_flag.GIVEN:
    from PIL import Image

    from tf_discrete import plots
    from trainers.common import task
    from trainers.common.run_directory import RunDirectory, read_json
    from trainers.comparison import compared_runs, comparison_report
    from trainers.comparison import settings as comparison_config
    from trainers.saved_runs import bound_curve

COMPARISON_PICTURES = ("bound_vs_steps", "bound_vs_seconds", "gradient_variance")
MODEL = ("num_variables", "num_categories", "latents", "num_layers", "hidden_units", "prior")
"""Fields of a configuration that say what was trained, where a trainer has them."""

POINTS = 100
"""Recorded points of a run's history."""


@dataclasses.dataclass(frozen=True)
class Config:
    """Which run is recorded, under which name."""

    run: str = option("", "Folder of the finished run.")
    name: str = option("", "Of the result.")
    pictures: tuple[str, ...] = option(
        ("reconstructions", "samples"), "Pictures of the run to keep, by name."
    )
    comparison: str = option("", "Folder of a comparison of estimators to keep instead of a run.")
    sweep: str = option("", "Folder of a trainer's --sweep to keep instead of a run.")
    bound_curve: str = option("", "Folder of a run whose bounds on the test split to keep.")


def run(config: Config) -> None:
    """Adds the record and the pictures."""
    if config.comparison:
        keep_comparison(Path(config.comparison))
        return
    if config.sweep:
        keep_sweep(Path(config.sweep), config.name)
        return
    if config.bound_curve:
        keep_bound_curve(Path(config.bound_curve), config.name)
        return
    directory = RunDirectory(config.run)
    if not directory.result_path.exists():
        raise ValueError(f"--run must name a finished run. Received: run={config.run!r}")
    settings, result = read_json(directory.config_path), read_json(directory.result_path)
    trained = task.get(settings["task"])
    store.append(
        trained.name,
        {
            "name": config.name,
            "command": provenance.command(settings, trained),
            "dataset": settings["dataset"],
            "binarization": settings["binarization"],
            "model": {key: settings[key] for key in MODEL if key in settings},
            "likelihood": settings["likelihood"],
            "estimator": settings["estimator"],
            "seeds": [settings["seed"]],
            "result": result,
            "validation_hard_elbo_nats": [
                [row["epoch"], round(row["validation/hard_elbo_nats"], 3)]
                for row in directory.history()
            ],
            "provenance": _made(directory.path),
        },
    )
    store.IMAGES.mkdir(parents=True, exist_ok=True)
    for picture in config.pictures:
        with Image.open(directory.path / f"{picture}.png") as image:
            image.thumbnail((1200, 1200))
            image.convert("RGB").quantize(64).save(store.IMAGES / f"{config.name}-{picture}.png")


def keep_comparison(folder: Path) -> None:
    """Adds a record for each run of a comparison, and for the cost and the gradients of each estimator."""
    path = folder / "comparison.json"
    if not path.exists():
        raise ValueError(
            f"--comparison must name a finished comparison. Received: comparison={str(folder)!r}"
        )
    comparison = read_json(path)
    settings = comparison["config"]
    model = model_name(settings)
    base = comparison["estimators"].get(settings["reference"], {}).get("gradients")
    for name, entry in comparison["estimators"].items():
        for run in entry.get("runs", []):
            if run["status"] != "unfinished":
                made = folder / "runs" / f"{name}-{run['seed']}"
                record = {"name": f"{model}/{name}-{run['seed']}"}
                store.append("estimators", {**record, **kept_run(run, name, settings, made)})
        made_on = provenance.of_run(comparison["hardware"], comparison["versions"])
        for part in (
            "cost",
            "gradients",
        ):  # Another comparison may have measured one of them alone.
            if measured := entry[part]:
                if part == "gradients" and base:
                    measured = {**measured, "reference_variance": comparison_report.variance(base)}
                record = {"name": f"{model}/{name}/{part}", "estimator": name, part: measured}
                store.append("estimators", {**record, "provenance": made_on})
    store.IMAGES.mkdir(parents=True, exist_ok=True)
    for picture in COMPARISON_PICTURES:
        if (folder / f"{picture}.png").exists():
            shutil.copy(folder / f"{picture}.png", store.IMAGES / f"{model}-{picture}.png")


def keep_sweep(folder: Path, name: str) -> None:
    """Adds one record of the runs of a sweep."""
    if not (name and (folder / "sweep.json").exists()):
        raise ValueError(
            "--sweep must name the folder of a sweep, and --name the result. Received: "
            f"sweep={str(folder)!r}, name={name!r}"
        )
    settings = read_json(folder / "config.json")
    store.append(
        "sweeps",
        {
            "name": name,
            "command": provenance.command(settings, task.get(settings["task"])),
            "estimator": settings["estimator"],
            "epochs": settings["epochs"],
            "runs": _rounded(list(read_json(folder / "sweep.json").values())),
            "provenance": provenance.record(),
        },
    )


def keep_bound_curve(folder: Path, name: str) -> None:
    """Adds the bounds of a run against the number of samples, and their picture."""
    path = folder / "bound_curve-test.json"
    if not (name and path.exists()):
        raise ValueError(
            "--bound_curve must name a run that trainers.evaluate --bound_curve has scored, and --name the "
            f"result. Received: bound_curve={str(folder)!r}, name={name!r}"
        )
    settings, result = read_json(folder / "config.json"), read_json(path)
    command = provenance.command(settings, task.get(settings["task"]))
    about = {"command": command, "estimator": settings["estimator"]}
    made = {"provenance": provenance.record()}
    store.append("bound_curve", {"name": name, **about, **result, **made})
    store.IMAGES.mkdir(parents=True, exist_ok=True)
    figure = bound_curve.draw(result, settings["estimator"])
    plots.save(figure, store.IMAGES / f"bound_curve-{name}.png", dpi=90)


def kept_run(
    run: dict[str, Any], estimator: str, settings: dict[str, Any], folder: Path
) -> dict[str, Any]:
    """Returns the record of one run.

    Args:
        run: as `compared_runs.read_run` gives it.
        estimator: its name.
        settings: of the run or of the comparison.
        folder: of the run.
    """
    return {
        **run,
        "estimator": estimator,
        "history": _thinned(run["history"]),
        "settings": {
            key: value
            for key, value in settings.items()
            if key not in ("output_dir", "data_dir", *comparison_config.MAY_DIFFER)
        },
        "provenance": _made(folder),
    }


def _made(folder: Path) -> dict[str, Any]:
    """The provenance of a run: what it was made on, if it says so, else what is true now."""
    path = folder / compared_runs.MACHINE
    return provenance.of_run(**read_json(path)) if path.exists() else provenance.record()


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


if __name__ == "__main__":
    command_line.start(Config, lambda: run, __doc__)
