"""A finished run as other programs use it: its model, its settings, its data."""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

from tf_discrete import datasets
from tf_discrete.models import DiscreteModel
from trainers import data, export
from trainers.config import RunConfig
from trainers.run_directory import RunDirectory


class FinishedRun(NamedTuple):
    """What a run has left.

    Attributes:
        directory: of the run.
        config: the part of its configuration that all runs share.
        model: at its best epoch, frozen.
    """

    directory: RunDirectory
    config: RunConfig
    model: DiscreteModel

    def split(self, name: str) -> datasets.Split:
        """One split of the data that the run was trained on."""
        return data.load_split(self.config, name)


def load(run: str, *, data_dir: str = "", import_module: tuple[str, ...] = ()) -> FinishedRun:
    """Reads a finished run of any model with discrete codes.

    Args:
        run: folder of the run.
        data_dir: folder of prepared TFDS data; default: that of the run.
        import_module: modules to import first, beside those that the run has imported.

    Raises:
        FileNotFoundError: no such run, or no model in it.
        ValueError: no run named, one that cannot be read, or a model without discrete codes.
    """
    if not run:
        raise ValueError("run must name the folder of a run. Give --run. Received: run=''")
    directory = RunDirectory(run)
    settings = export.read_settings(directory)
    for module in (*settings.get("import_module", ()), *import_module):
        export.import_module(module)
    model = export.load_model(directory, settings.get("dtype_policy", "float32"))
    needed = ("encode", "decode", "num_variables")
    missing = [name for name in needed if not hasattr(model, name)]
    if missing:
        raise ValueError(
            "The model of the run must have discrete codes: encode, decode and num_variables. "
            f"Received: run={run!r} with {type(model).__name__}, without {', '.join(missing)}"
        )
    model.trainable = False
    return FinishedRun(directory, _shared(settings, data_dir), model)


def _shared(settings: dict[str, Any], data_dir: str) -> RunConfig:
    """The fields of a trainer's configuration that every trainer has."""
    values: dict[str, Any] = {}
    for field in dataclasses.fields(RunConfig):
        if field.name in settings:
            value = settings[field.name]
            values[field.name] = tuple(value) if isinstance(field.default, tuple) else value
    if data_dir:
        values["data_dir"] = data_dir
    return RunConfig(**values)
