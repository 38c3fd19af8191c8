"""Tasks and their registry; the `config.json` of every run names its task."""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tf_discrete import datasets
from tf_discrete.models import DiscreteModel

from ..flags import names as known_names
from ..flags.run import RunConfig
from . import data
from .history_fields import MONITORED
from .run_directory import RunDirectory
from .tensorboard import Pictures, autoencoder_pictures

FIELDS = {
    "loss": "loss",
    "hard_elbo_nats": "hard_elbo",
    "multi_sample_bound_nats": "bound",
    "kl_nats": "kl",
    "temperature": "T",
    "val_hard_elbo_nats": "val",
}
"""Fields of the logs that the progress bar shows, with their short names."""

BuildModel = Callable[[Any, datasets.Split, int], DiscreteModel]
Finish = Callable[[DiscreteModel, Any, RunDirectory, data.Splits], dict[str, Any]]


@dataclasses.dataclass(frozen=True)
class Task:
    """A model to train, and how to train it; the defaults are those of an autoencoder of images.

    Attributes:
        name: Name in the `config.json` of its runs.
        config_class: Frozen dataclass that derives from `RunConfig`; its fields are the flags.
        build_model: (config, training split, steps per epoch) -> model, not compiled.
        finish: (model at its best epoch, config, directory, splits) -> results; writes pictures and exports.
        check: Refuses a configuration that cannot work, before data are read.
        load_split: (config, "train", "validation" or "test") -> the split of the data.
        divide: (config, splits of the data) -> splits, the same three among them; refuses bad data.
        batches: (config, splits, start epoch) -> endless training batches: `datasets.IndexedBatches`, which
            can be trained on in the compiled loop, or a `tf.data.Dataset`.
        begin: (config, directory, splits); writes what belongs to the run from its start.
        start: (model, config, splits); sets weights of a model that no checkpoint restores.
        callbacks: (config, directory, splits) -> callbacks that read the validation data; they may add to
            the logs.
        monitored: (config, splits) -> the field of the history by which the best epoch is chosen; larger is
            better.
        fields: Fields of the logs that the progress bar shows, with their short names.
        pictures: (model, validation images, labels) -> figures for TensorBoard.
    """

    name: str
    config_class: type[RunConfig]
    build_model: BuildModel
    finish: Finish
    check: Callable[[Any], None] = lambda config: None
    load_split: Callable[[Any, str], datasets.Split] = data.load_split
    divide: Callable[[Any, data.Splits], data.Splits] = lambda config, splits: splits
    batches: Callable[[Any, data.Splits, int], tf.data.Dataset | datasets.IndexedBatches] = (
        data.image_batches
    )
    begin: Callable[[Any, RunDirectory, data.Splits], None] = lambda config, directory, splits: None
    start: Callable[[Any, Any, data.Splits], None] = lambda model, config, splits: None
    callbacks: Callable[[Any, RunDirectory, data.Splits], list[Any]] = lambda *arguments: []
    monitored: Callable[[Any, data.Splits], str] = lambda config, splits: MONITORED
    fields: dict[str, str] = dataclasses.field(default_factory=lambda: FIELDS)
    pictures: Pictures = autoencoder_pictures


_TASKS: dict[str, Task] = {}


def register(task: Task) -> Task:
    """Makes a task known by its name, and returns it.

    Raises:
        ValueError: Another task has the name, or its configuration does not derive from `RunConfig`.
    """
    if not issubclass(task.config_class, RunConfig):
        raise ValueError(
            "The configuration of a task must derive from RunConfig. "
            f"Received: config_class={task.config_class!r}"
        )
    known = _TASKS.get(task.name)
    taken = task.name in known_names.TASKS and not _is_own(task)
    if taken or (known and known.config_class.__qualname__ != task.config_class.__qualname__):
        raise ValueError(
            f"The name of a task must be new. Choose another. Received: name={task.name!r}"
        )
    _TASKS[task.name] = task
    return task


def get(name: Any) -> Task:
    """Returns the task of a name.

    Raises:
        ValueError: No module that was imported has registered it.
    """
    if isinstance(name, str) and name not in _TASKS and name in known_names.TASKS:
        importlib.import_module(f"..tasks.{name}", __package__)
    if not isinstance(name, str) or name not in _TASKS:
        known = ", ".join(sorted({*known_names.TASKS, *_TASKS}))
        raise ValueError(
            f"A task must be one of {known}, or registered by a module of --import_module. "
            f"Received: task={name!r}"
        )
    return _TASKS[name]


def _is_own(task: Task) -> bool:
    root = __name__.split(".")[0]
    return task.config_class.__module__.startswith(f"{root}.")
