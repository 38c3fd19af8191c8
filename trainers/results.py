"""What a finished run leaves behind: its model, its SavedModel, its numbers on the screen."""

from __future__ import annotations

import shlex
from typing import Any

import numpy as np

from tf_discrete import export
from tf_discrete.models import DiscreteModel
from trainers.config import to_json
from trainers.export import preprocessing_of
from trainers.run_directory import RunDirectory


def write_model(model: DiscreteModel, config: Any, directory: RunDirectory) -> None:
    """Writes model.keras and the SavedModel."""
    model.save(directory.model_path)
    export.save(
        model,
        directory.saved_model_path,
        preprocessing=preprocessing_of(to_json(config)),
        metadata={"run": to_json(config)},
        overwrite=True,
    )


def as_image(mean: Any) -> np.ndarray:
    """Means of a likelihood as intensities; a Gaussian's may lie outside [0, 1]."""
    return np.clip(np.asarray(mean), 0.0, 1.0)


def print_result(config: Any, result: dict[str, Any]) -> None:
    """Prints what a run has come to, and where it is."""
    print_table(f"{config.output_dir}: test results (nats)", result)
    print(
        f"\nEverything is in {config.output_dir}; "
        f"tensorboard --logdir={shlex.quote(config.output_dir)}"
    )


def print_table(title: str, result: dict[str, Any]) -> None:
    """Prints results, one a line."""
    width = max(len(name) for name in result)
    print(f"\n{title}")
    for name, value in result.items():
        shown = f"{value:.4g}" if isinstance(value, float) else str(value)
        print(f"  {name:<{width}}  {shown}")
