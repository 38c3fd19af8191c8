"""Keeps the result of a finished run: python -m benchmarks.record --run=runs/mnist --name=mnist.

Writes benchmarks/results/categorical_vae/NAME.json with the numbers, the command that made them, the
versions and the hardware, and copies the pictures to docs/images/NAME-*.png.
"""

from __future__ import annotations

import dataclasses
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

from PIL import Image

from trainers import categorical_vae, command_line
from trainers.config import option
from trainers.run_directory import RunDirectory, read_json, write_json

RESULTS = Path(__file__).parent / "results"
IMAGES = Path(__file__).parent.parent / "docs" / "images"
PICTURES = ("reconstructions", "samples", "curves", "codes", "traversal")


@dataclasses.dataclass(frozen=True)
class Config:
    """Which run is kept, under which name."""

    run: str = option("", "Folder of the finished run.")
    name: str = option("", "Of the result.")
    pictures: tuple[str, ...] = option(
        ("reconstructions", "samples"), "Pictures to keep, of " + ", ".join(PICTURES) + "."
    )


def run(config: Config) -> None:
    """Writes the JSON and the pictures."""
    directory = RunDirectory(config.run)
    if not directory.result_path.exists():
        raise ValueError(f"--run must name a finished run. Received: run={config.run!r}")
    settings, result = read_json(directory.config_path), read_json(directory.result_path)
    history = directory.history()
    (RESULTS / "categorical_vae").mkdir(parents=True, exist_ok=True)
    write_json(
        RESULTS / "categorical_vae" / f"{config.name}.json",
        {
            "name": config.name,
            "command": command(settings),
            "dataset": settings["dataset"],
            "binarization": settings["binarization"],
            "model": {
                key: settings[key]
                for key in ("num_variables", "num_categories", "latents", "hidden_units", "prior")
            },
            "likelihood": settings["likelihood"],
            "estimator": settings["estimator"],
            "seeds": [settings["seed"]],
            "result": result,
            "validation_hard_elbo_nats": [
                [row["epoch"], round(row["validation/hard_elbo_nats"], 3)] for row in history
            ],
            "hardware": hardware(),
            "versions": versions(),
        },
    )
    IMAGES.mkdir(parents=True, exist_ok=True)
    for picture in config.pictures:
        with Image.open(directory.path / f"{picture}.png") as image:
            image.thumbnail((1200, 1200))
            image.convert("RGB").quantize(64).save(IMAGES / f"{config.name}-{picture}.png")


def command(settings: dict[str, Any]) -> str:
    """The command line of a run: every flag that differs from its default."""
    parts = ["python -m trainers.categorical_vae"]
    for field in dataclasses.fields(categorical_vae.Config):
        value = settings.get(field.name, field.default)
        default = list(field.default) if isinstance(field.default, tuple) else field.default
        if value == default or field.name == "output_dir":
            continue
        if field.name == "data_dir":
            value = "$TF_DISCRETE_DATA_DIR"
        if isinstance(value, bool):
            parts.append(f"--{'' if value else 'no'}{field.name}")
        else:
            shown = ",".join(map(str, value)) if isinstance(value, list) else value
            parts.append(f"--{field.name}={shown}")
    return " ".join(parts)


def hardware() -> dict[str, Any]:
    """The processor and the number of cores."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = cpuinfo.read_text().splitlines()
        names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
        return {"processor": names[0] if names else model, "cores": len(names)}
    return {"processor": model, "cores": None}


def versions() -> dict[str, str]:
    """Of Python and of what computes the numbers."""
    packages = ("tensorflow", "tensorflow-cpu", "keras", "tensorflow-probability", "numpy")
    found = {"python": platform.python_version()}
    for package in packages:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


if __name__ == "__main__":
    command_line.start(Config, run, __doc__)
