"""A finished run as other programs use it: its model, its settings, its data."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from tf_discrete import datasets
from tf_discrete._internal import dtype_policies, keras_files
from tf_discrete.models import DiscreteModel

from ..flags import names
from ..flags.run import RunConfig
from . import data, identity, trust
from .run_directory import RunDirectory
from .stored_config import from_stored
from .stored_config import load as load_config
from .task import Task
from .task import get as get_task

_MODEL = "the model of a run, a .keras file"
_MODEL_REMEDY = (
    "Remove it and metrics.json; the training command writes both again from the checkpoints."
)


class FinishedRun(NamedTuple):
    """A finished run: its directory, configuration and model.

    Attributes:
        directory: of the run.
        config: its configuration.
        model: at its best epoch, frozen.
        accept_changed_data: whether data other than those that it was trained on are taken.
        load_split: (config, name) -> split of its data.
    """

    directory: RunDirectory
    config: RunConfig
    model: DiscreteModel
    accept_changed_data: bool = False
    load_split: Callable[[Any, str], datasets.Split] = data.load_split

    def split(self, name: str) -> datasets.Split:
        """One split of the data that the run was trained on.

        Raises:
            ValueError: the data have changed since, and that is not accepted.
        """
        split = self.load_split(self.config, name)
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
    task, config = open_run(directory, import_module, trust_run)
    model = load_model(directory, config.dtype_policy)
    needed = ("encode", "decode", "num_variables")
    missing = [name for name in needed if not hasattr(model, name)]
    if missing:
        raise ValueError(
            "The model of the run must have discrete codes: encode, decode and num_variables. "
            f"Received: run={run!r} with {type(model).__name__}, without {', '.join(missing)}"
        )
    model.trainable = False
    config = with_data(config, dataset, data_dir)
    return FinishedRun(directory, config, model, accept_changed_data, task.load_split)


def open_run(
    directory: RunDirectory,
    import_module: Sequence[str] = (),
    trust_run: bool = False,
    argument: str = "run",
) -> tuple[Task, Any]:
    """Returns the task and the configuration of a run, which was given as `argument`.

    Args:
        directory: Of the run, finished or not.
        import_module: Modules to import first. Those that the run has imported must be among them.
        trust_run: Whether to import the modules of the run without naming them. Default: False.
        argument: Name for messages. Default: "run".

    Raises:
        DamagedFileError: Its configuration is damaged.
        FileNotFoundError: There is no such run.
        ValueError: Modules that are not named, or a task that none of them registers.
    """
    settings = read_settings(directory, argument)
    if "task" not in settings:
        raise ValueError(
            "The config.json of a run must name its task. It is of an earlier version: train again with "
            f"another --output_dir. Received: {argument}={str(directory.path)!r}"
        )
    modules = settings.get("import_module", ())
    trust.import_modules(modules, import_module, trust_run, directory.path)
    try:
        task = get_task(settings["task"])
    except ValueError as error:
        raise ValueError(f"{error} in {directory.config_path}") from None
    return task, load_config(task.config_class, directory.config_path)


def with_data(config: Any, dataset: str, data_dir: str) -> Any:
    """A configuration of a run with other places of its data, where they are given."""
    changes = {"dataset": dataset, "data_dir": data_dir}
    return dataclasses.replace(config, **{name: path for name, path in changes.items() if path})


def read_settings(directory: RunDirectory, argument: str = "run") -> dict[str, Any]:
    """Returns the config.json of a run, which was given as `argument`.

    Raises:
        DamagedFileError: It is no JSON object, or fields that every run has hold other types.
        FileNotFoundError: There is no such run.
        ValueError: The folder is that of a sweep or of another program.
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
    if settings.get("task") in names.OTHER_PROGRAMS or settings.get("sweep") is True:
        what = "a sweep" if settings.get("sweep") is True else f"trainers.{settings['task']}"
        runs = sorted(path.parent.name for path in directory.path.glob("*/config.json"))
        raise ValueError(
            f"{argument} must be the folder of one training of a model. Give the folder of such a run"
            f"{', here ' + ', '.join(map(repr, runs[:3])) if runs else ''}. "
            f"Received: {argument}={str(directory.path)!r}, a folder of {what}"
        )
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
    with dtype_policies.used(dtype_policy):
        return keras_files.load_keras(
            directory.model_path,
            expected=_MODEL,
            remedy=_MODEL_REMEDY,
            unregistered="Name the module that registers yours by --import_module.",
            kind=DiscreteModel,
        )
