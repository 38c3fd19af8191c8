"""A finished run as other programs use it: its model, its settings, its data."""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

from tf_discrete import datasets
from tf_discrete.models import DiscreteModel
from trainers import data, export, identity, trust
from trainers.config import RunConfig, from_stored
from trainers.run_directory import RunDirectory


class FinishedRun(NamedTuple):
    """What a run has left.

    Attributes:
        directory: of the run.
        config: the part of its configuration that all runs share.
        model: at its best epoch, frozen.
        accept_changed_data: whether data other than those that it was trained on are taken.
    """

    directory: RunDirectory
    config: RunConfig
    model: DiscreteModel
    accept_changed_data: bool = False

    def split(self, name: str) -> datasets.Split:
        """One split of the data that the run was trained on.

        Raises:
            ValueError: the data have changed since, and that is not accepted.
        """
        split = data.load_split(self.config, name)
        identity.check(self.directory.path, {name: split}, self.accept_changed_data)
        return split


def load(
    run: str,
    *,
    dataset: str = "",
    data_dir: str = "",
    accept_changed_data: bool = False,
    import_module: tuple[str, ...] = (),
    trust_run: bool = False,
) -> FinishedRun:
    """Reads a finished run of any model with discrete codes.

    Args:
        run: folder of the run.
        dataset: the data, if they have moved. Default: those of the run.
        data_dir: folder of prepared TFDS data; default: that of the run.
        accept_changed_data: whether data other than those that it was trained on are taken. Default: False.
        import_module: modules to import first. Those that the run has imported must be among them.
        trust_run: whether to import the modules of the run without naming them. Default: False.

    Raises:
        FileNotFoundError: no such run, or no model in it.
        ValueError: no run named, one that cannot be read, modules that are not named, or a model without
            discrete codes.
    """
    if not run:
        raise ValueError("run must name the folder of a run. Give --run. Received: run=''")
    directory = RunDirectory(run)
    settings = export.read_settings(directory)
    trust.import_modules(settings.get("import_module", ()), import_module, trust_run, run)
    model = export.load_model(directory, settings.get("dtype_policy", "float32"))
    needed = ("encode", "decode", "num_variables")
    missing = [name for name in needed if not hasattr(model, name)]
    if missing:
        raise ValueError(
            "The model of the run must have discrete codes: encode, decode and num_variables. "
            f"Received: run={run!r} with {type(model).__name__}, without {', '.join(missing)}"
        )
    model.trainable = False
    shared = with_data(from_stored(RunConfig, settings, directory.config_path), dataset, data_dir)
    return FinishedRun(directory, shared, model, accept_changed_data)


def with_data(config: Any, dataset: str, data_dir: str) -> Any:
    """A configuration of a run with other places of its data, where they are given."""
    changes = {"dataset": dataset, "data_dir": data_dir}
    return dataclasses.replace(config, **{name: path for name, path in changes.items() if path})
