"""The results of a run: its model, its SavedModel, its numbers on the screen."""

from __future__ import annotations

import importlib.util
import os
import pathlib
import shlex
import shutil
import sys
from typing import Any

import numpy as np

from tf_discrete import export
from tf_discrete._internal import writing
from tf_discrete._internal.counted import counted
from tf_discrete.models import DiscreteModel

from . import identity, narration, standard_errors
from .run_directory import RunDirectory

_INSTALLED = "tf_discrete_trainers"
"""Name of the trainers where the package is installed, see setup.py."""


def write_model(model: DiscreteModel, directory: RunDirectory) -> None:
    """Writes model.keras and the SavedModel of a run, each atomically.

    Raises:
        OSError: No permission or no space; names the file.
    """
    with narration.phase("Model and SavedModel"):
        with writing.replaced_file(directory.model_path) as new:
            model.save(new)
        settings = directory.config()
        export.save(
            model,
            directory.saved_model_path,
            preprocessing=preprocessing_of(settings, directory),
            metadata={"run": settings},
            overwrite=True,
        )


def as_image(mean: Any) -> np.ndarray:
    """Means of a likelihood as intensities; a Gaussian's may lie outside [0, 1]."""
    return np.clip(np.asarray(mean), 0.0, 1.0)


def print_result(config: Any, result: dict[str, Any]) -> None:
    """Prints what a run has come to, where it is, and the commands that go on with it."""
    folder = config.output_dir
    print_table(f"{folder}: test results, nats are per image", result)
    more = config.tighter_bound_samples
    next_ = "a tighter bound" if more else "another split"
    print(f"\nEverything is in {folder}. Curves and pictures, {next_}, a copy to serve:")
    modules = {"import_module": ",".join(config.import_module)} if config.import_module else {}
    how: dict[str, Any] = (
        {"bound_samples": more} if more else {"bound_samples": 1, "split": "train"}
    )
    where = os.path.abspath(folder)  # They can be pasted in any folder.
    for command in (
        tensorboard_command(folder),
        program_command("evaluate", run=where, **how, **modules),
        program_command("export", run=where, path="exported", **modules),
    ):
        print(f"  {command}")


def program_command(program: str, **flags: Any) -> str:
    """Returns the command that starts a program of this package, quoted for a shell.

    Example:
        >>> shlex.split(program_command("evaluate", run="my runs/a"))[3:]
        ['--run=my runs/a']
    """
    words = [f"--{name}={value}" for name, value in flags.items()]
    return shlex.join([_interpreter(), "-m", f"{_package()}.{program}", *words])


def tensorboard_command(folder: str | os.PathLike[str]) -> str:
    """Returns the command that shows a folder in TensorBoard, quoted for a shell.

    Example:
        >>> tensorboard_command("/my runs/a").endswith(" '--logdir=/my runs/a'")
        True
    """
    program = (
        ["tensorboard"] if _is_found("tensorboard") else [_interpreter(), "-m", "tensorboard.main"]
    )
    return shlex.join([*program, f"--logdir={os.path.abspath(folder)}"])


def _package() -> str:
    """Returns the name of this package: the one that is imported in any folder, where it is installed."""
    own = __name__.split(".")[0]
    spec = importlib.util.find_spec(_INSTALLED)
    places = (spec and spec.submodule_search_locations) or ()
    root = pathlib.Path(__file__).resolve().parents[1]
    return _INSTALLED if root in [pathlib.Path(place).resolve() for place in places] else own


def _interpreter() -> str:
    """Returns how a shell starts this interpreter: by its path where `python` is another one, or none."""
    found = shutil.which("python")
    own = os.path.realpath(sys.executable)
    same = found is not None and _is_found("python") and os.path.realpath(found) == own
    return "python" if same else sys.executable


def _is_found(program: str) -> bool:
    """Whether a shell finds the program of this environment by its name."""
    found = shutil.which(program)
    return found is not None and os.path.dirname(found) == os.path.dirname(sys.executable)


def print_table(title: str, result: dict[str, Any]) -> None:
    """Prints results, one a line, each with its standard error and what it is read against."""
    rows = table_rows(result)
    width = max(len(name) for name, _, _ in rows)
    print(f"\n{title}")
    for name, value, note in rows:
        print(f"  {name:<{width}}  {value}{f'  ({note})' if note else ''}")


NOTES = {
    "accuracy": (("linear_accuracy", "linear classifier on the same labels"),),
    "bound_nats": (("bound_samples", "sample"), ("bound_of", "")),
    "reconstruction_accuracy": (("original_accuracy", "on the originals"),),
    "reconstruction_mse": (("mean_image_mse", "mean training image"),),
}
"""Results that are shown next to another one, with their words: the references of a number."""


def table_rows(result: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Returns name, value and note of each result; errors and references stand next to their number.

    Example:
        >>> table_rows({"bound_nats": -90.1234, "bound_standard_error_nats": 0.5, "bound_samples": 100})
        [('bound_nats', '-90.12 +- 0.5', '100 samples')]
    """
    used: set[str] = set()
    rows = []
    for name, value in result.items():
        split, _, base = name.rpartition("/")
        prefix = f"{split}/" if split else ""
        shown = _shown(value)
        error = standard_errors.error_name(name)
        if result.get(error) is not None:
            shown += f" +- {result[error]:.2g}"
            used.add(error)
        notes = []
        for other, words in NOTES.get(base, ()):
            if result.get(prefix + other) is not None:
                error_of_it = standard_errors.error_name(prefix + other)
                used |= {prefix + other, error_of_it}
                number = result[prefix + other]
                reference = _shown(number)
                if result.get(error_of_it) is not None:
                    reference += f" +- {result[error_of_it]:.2g}"
                if words == "sample":
                    notes.append(counted(number, words))
                else:
                    notes.append(f"{words}: {reference}" if words else reference)
        rows.append((name, shown, ", ".join(notes)))
    return [row for row in rows if row[0] not in used]


def _shown(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def preprocessing_of(settings: dict[str, Any], directory: RunDirectory) -> dict[str, Any]:
    """Returns the manifest entries for the preprocessing of a run's images.

    Args:
        settings: what config.json holds.
        directory: of the run.

    Returns:
        scale: what 8-bit pixels are multiplied by.
        binarization: how they became bits in training.
        image_size: [height, width] that images were resized to, or None.
        white_levels: the stored values of 8 and 16 bits that were white, or None where they are not known.
    """
    return {
        "scale": 1 / 255,
        "binarization": settings.get("binarization", "none"),
        "image_size": list(settings.get("image_size") or ()) or None,
        "white_levels": list(identity.white_levels(directory.path)),
    }
