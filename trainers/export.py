"""Exports the model of a finished run: python -m trainers.export --run=RUN --path=FOLDER."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from typing import Any

import keras

from tf_discrete import export
from tf_discrete._internal import keras_files
from tf_discrete.models import DiscreteModel
from trainers import command_line, trust
from trainers.config import RunConfig, from_stored, option
from trainers.run_directory import RunDirectory

_MODEL = "the model of a run, a .keras file"
_MODEL_REMEDY = (
    "Remove it and metrics.json; the training command writes both again from the checkpoints."
)


@dataclasses.dataclass(frozen=True)
class Config:
    """The flags of the export."""

    run: str = option("", "Folder of the run, with its config.json and model.keras.", path=True)
    path: str = option("", "Folder of the SavedModel to write; see also --tflite.", path=True)
    tflite: str = option(
        "",
        "TFLite file to write, with the signatures that draw nothing, for small devices.",
        path=True,
    )
    overwrite: bool = option(False, "Write over what stands at --path and --tflite.")
    import_module: tuple[str, ...] = option(
        (),
        "Modules to import first: your own registered estimators, networks and likelihoods, and those that "
        "the run has imported.",
    )
    trust_run: bool = option(
        False, "Import the modules that the run names without naming them. They are code."
    )


def run(config: Config) -> None:
    """Writes the SavedModel, the TFLite file, or both.

    Raises:
        FileExistsError: `path` or `tflite` stands already.
        FileNotFoundError: no such run, or no model in it.
        OSError: no permission, or no space.
        ValueError: nothing to do, or a run that cannot be read.
    """
    if not config.run:
        raise ValueError("run must name the folder of a run. Give --run. Received: run=''")
    if not config.path and not config.tflite:
        raise ValueError(
            "There must be something to write. Give --path for a SavedModel, --tflite for a TFLite file, "
            "or both. Received: path='', tflite=''"
        )
    directory = RunDirectory(config.run)
    settings = read_settings(directory)
    modules = settings.get("import_module", ())
    trust.import_modules(modules, config.import_module, config.trust_run, config.run)
    model = load_model(directory, settings.get("dtype_policy", "float32"))
    if config.path:
        export.save(
            model,
            config.path,
            preprocessing=preprocessing_of(settings),
            metadata={"run": settings},
            overwrite=config.overwrite,
        )
        print(f"SavedModel: {config.path}")
    if config.tflite:
        export.save_tflite(model, config.tflite, overwrite=config.overwrite)
        print(f"TFLite: {config.tflite}")


def preprocessing_of(settings: dict[str, Any]) -> dict[str, Any]:
    """What a manifest says of the preprocessing of a run's images.

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


def read_settings(directory: RunDirectory, argument: str = "run") -> dict[str, Any]:
    """Returns the config.json of a run, which was given as `argument`.

    Raises:
        DamagedFileError: It is no JSON object, or fields that every run has hold other types.
        FileNotFoundError: There is no such run.
    """
    if not directory.path.is_dir():
        raise FileNotFoundError(
            f"{argument} must be the folder of a run. Give the --output_dir of its training. "
            f"Received: {argument}={str(directory.path)!r}"
        )
    if not directory.config_path.exists():
        raise FileNotFoundError(
            "The folder of a run holds a config.json. Give the --output_dir of its training. "
            f"Received: {argument}={str(directory.path)!r}"
        )
    settings = directory.config()
    from_stored(RunConfig, settings, directory.config_path)
    return settings


def load_model(directory: RunDirectory, dtype_policy: str, argument: str = "run") -> DiscreteModel:
    """Returns the best model of a run, which was given as `argument`, in the precision of its training.

    Raises:
        DamagedFileError: The file is damaged.
        FileNotFoundError: The run has no model yet.
        ValueError: The model is made of classes that no module has registered, or is of another kind.
    """
    if not directory.model_path.exists():
        raise FileNotFoundError(
            "The run must have a model.keras, which training writes when it ends. Start the training "
            f"again with the same command; it continues. Received: {argument}={str(directory.path)!r}"
        )
    with _dtype_policy(dtype_policy):
        return keras_files.load_keras(
            directory.model_path,
            expected=_MODEL,
            remedy=_MODEL_REMEDY,
            unregistered="Name the module that registers yours by --import_module.",
            kind=DiscreteModel,
        )


@contextlib.contextmanager
def _dtype_policy(name: str) -> Iterator[None]:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def cli() -> None:
    """The console script."""
    command_line.start(Config, run, __doc__)


if __name__ == "__main__":
    cli()
