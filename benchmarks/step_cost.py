"""How long the rows of a table take that nobody has trained, from some steps of each.

`measure` trains with short epochs, by the trainer itself, and counts the time of the processor, which other
programs on the machine change little. `find` returns what was measured for a row.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import io
import json
import statistics
import tempfile
import time
import warnings
from collections.abc import Mapping
from typing import Any, NamedTuple

import keras

from benchmarks import store
from tf_discrete import datasets
from trainers.common import data
from trainers.common import run as run_lib
from trainers.common.task import Task
from trainers.flags.run import DataFlags

RESULTS = "step_cost"
EPOCHS = 3
"""Short epochs, the first of which compiles."""
LENGTH_AND_SEEDS = ("epochs", "seed", "label_seed", "bound_samples")
"""Fields of a configuration that change neither a step nor the end of an epoch."""


class StepCost(NamedTuple):
    """The time of training.

    Attributes:
        step: Milliseconds of a training step.
        epoch_end: Seconds at the end of an epoch: validation, checkpoints, logs.
        steps_per_epoch: Of an epoch over all training images.
        cores: On which it takes that time. Default: 1.
    """

    step: float
    epoch_end: float
    steps_per_epoch: int
    cores: int = 1

    def hours(self, steps: int) -> float:
        """Returns the hours that training takes, the ends of its epochs among them.

        Example:
            >>> StepCost(step=3.0, epoch_end=0.3, steps_per_epoch=500).hours(1_000_000)
            1.0
        """
        return steps * (self.step / 1e3 + self.epoch_end / self.steps_per_epoch) / 3600


class Clock(keras.callbacks.Callback):
    """Measures the processor's time of the steps of each epoch, and of what follows them."""

    def __init__(self) -> None:
        super().__init__()
        self.steps: list[float] = []
        self.ends: list[float] = []
        self._began = self._ended = 0.0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._began = time.process_time()
        if self.steps:
            self.ends.append(self._began - self._ended)

    def on_test_begin(self, logs: Any = None) -> None:
        if (
            self._ended <= self._began
        ):  # The validation, and not what a callback evaluates after it.
            self._ended = time.process_time()
            self.steps.append(self._ended - self._began)


def measure(
    trained: Task, settings: Mapping[str, Any], steps: int, data_dir: str = ""
) -> dict[str, Any]:
    """Trains a configuration for a few short epochs; returns what `StepCost` holds, as a record.

    Args:
        trained: Its task.
        settings: Fields of its configuration that differ from the defaults.
        steps: Of a short epoch.
        data_dir: Folder of prepared TFDS data. Default: TFDS's own.
    """
    clock = Clock()
    whole: list[int] = []

    def divide(config: Any, splits: data.Splits) -> data.Splits:
        divided = trained.divide(config, splits)
        train = divided["train"]
        whole.append(train.steps_per_epoch(config.batch_size, drop_remainder=True))
        return {
            **divided,
            "train": _first(train, steps * config.batch_size),
            "test": _first(divided["test"], 1),
        }

    timed = dataclasses.replace(
        trained,
        load_split=functools.partial(_load_once, trained),
        divide=divide,
        callbacks=lambda *arguments: [*trained.callbacks(*arguments), clock],
    )
    with (
        tempfile.TemporaryDirectory() as folder,
        contextlib.redirect_stdout(io.StringIO()),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")  # Of codes that have not begun to learn.
        config = trained.config_class(
            **{
                **settings,
                "epochs": EPOCHS,
                "bound_samples": 1,
                "data_dir": data_dir,
                "output_dir": folder,
            }
        )
        run_lib.train(timed, config, lambda *_: {})
    done = min(steps, whole[0])
    return {
        "trainer": trained.name,
        "settings": comparable(settings),
        "milliseconds": [round(1e3 * seconds / done, 4) for seconds in clock.steps[1:]],
        "epoch_end_seconds": [round(seconds, 4) for seconds in clock.ends[1:]],
        "steps_per_epoch": whole[0],
    }


def find(trainer: str, settings: Mapping[str, Any]) -> StepCost | None:
    """Returns the cost of a configuration, or None where it was not measured."""
    sought = comparable(settings)
    for record in store.read(RESULTS).values():
        if record["trainer"] == trainer and record["settings"] == sought:
            return StepCost(
                statistics.median(record["milliseconds"]),
                statistics.median(record["epoch_end_seconds"]),
                record["steps_per_epoch"],
            )
    return None


def comparable(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the settings as JSON, without those of `LENGTH_AND_SEEDS`."""
    kept = {name: value for name, value in settings.items() if name not in LENGTH_AND_SEEDS}
    return json.loads(json.dumps(kept))


_loaded: dict[tuple[Any, ...], datasets.Split] = {}
"""Splits that were read, by task, data and seed: most rows have the same."""


def _load_once(trained: Task, config: Any, name: str) -> datasets.Split:
    fields = [getattr(config, field.name) for field in dataclasses.fields(DataFlags)]
    key = (trained.name, name, config.seed, *fields)
    if key not in _loaded:
        _loaded[key] = trained.load_split(config, name)
    return _loaded[key]


def _first(split: datasets.Split, count: int) -> datasets.Split:
    """Returns the first images of a split, or all of a smaller one."""
    labels = None if split.labels is None else split.labels[:count]
    return dataclasses.replace(split, images=split.images[:count], labels=labels)
