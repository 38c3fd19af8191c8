"""Exports the model of a finished run."""

from __future__ import annotations

from tf_discrete import export

from ..common import narration, results
from ..common.finished_run import load_model, open_run
from ..common.run_directory import RunDirectory
from ..flags.export import Config


def run(config: Config) -> None:
    """Writes the SavedModel, the TFLite file, or both.

    Raises:
        FileExistsError: `path` or `tflite` exists already.
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
    _, of_run = open_run(directory, config.import_module, config.trust_run)
    model = load_model(directory, of_run.dtype_policy)
    settings = directory.config()
    if config.path:
        with narration.phase(f"SavedModel {config.path}"):
            export.save(
                model,
                config.path,
                preprocessing=results.preprocessing_of(settings, directory),
                metadata={"run": settings},
                overwrite=config.overwrite,
            )
    if config.tflite:
        with narration.phase(f"TFLite file {config.tflite}"):
            export.save_tflite(model, config.tflite, overwrite=config.overwrite)
