"""The results of a run: its model, its SavedModel, its numbers on the screen."""

from __future__ import annotations

import os
import shlex
from typing import Any

import numpy as np

from tf_discrete import export
from tf_discrete._internal import writing
from tf_discrete.models import DiscreteModel

from .run_directory import RunDirectory


def write_model(model: DiscreteModel, directory: RunDirectory) -> None:
    """Writes model.keras and the SavedModel of a run, each atomically.

    Raises:
        OSError: No permission or no space; names the file.
    """
    with writing.replaced_file(directory.model_path) as new:
        model.save(new)
    settings = directory.config()
    export.save(
        model,
        directory.saved_model_path,
        preprocessing=preprocessing_of(settings),
        metadata={"run": settings},
        overwrite=True,
    )


def as_image(mean: Any) -> np.ndarray:
    """Means of a likelihood as intensities; a Gaussian's may lie outside [0, 1]."""
    return np.clip(np.asarray(mean), 0.0, 1.0)


def print_result(config: Any, result: dict[str, Any]) -> None:
    """Prints what a run has come to, and where it is."""
    print_table(f"{config.output_dir}: test results (nats)", result)
    print(f"\nEverything is in {config.output_dir}; {tensorboard_command(config.output_dir)}")


def tensorboard_command(folder: str | os.PathLike[str]) -> str:
    """Returns the command that shows a folder in TensorBoard, quoted for a shell.

    Example:
        >>> print(tensorboard_command("my runs/a"))
        tensorboard '--logdir=my runs/a'
    """
    return shlex.join(["tensorboard", f"--logdir={os.fspath(folder)}"])


def print_table(title: str, result: dict[str, Any]) -> None:
    """Prints results, one a line."""
    width = max(len(name) for name in result)
    print(f"\n{title}")
    for name, value in result.items():
        shown = f"{value:.4g}" if isinstance(value, float) else str(value)
        print(f"  {name:<{width}}  {shown}")


def preprocessing_of(settings: dict[str, Any]) -> dict[str, Any]:
    """Returns the manifest entries for the preprocessing of a run's images.

    Args:
        settings: what config.json holds.

    Returns:
        scale: what 8-bit pixels are multiplied by.
        binarization: how they became bits in training.
        image_size: [height, width] that images were resized to, or None.
    """
    return {
        "scale": 1 / 255,
        "binarization": settings.get("binarization", "none"),
        "image_size": list(settings.get("image_size") or ()) or None,
    }
