"""Evaluates a run again, finished or not."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import pathlib
from typing import Any

from tf_discrete import datasets
from tf_discrete._internal import reading, writing
from tf_discrete._internal.counted import counted

from ..common import (
    compiling,
    finished_run,
    identity,
    narration,
    notices,
    results,
    weight_average,
)
from ..common import run as run_lib
from ..common.run_checkpoints import Checkpoints
from ..common.run_directory import CONFIG, CONFIG_REMEDY, RunDirectory
from ..common.task import Task
from ..flags.config import check
from ..flags.evaluate import Config
from . import bound_curve


def restore(
    task: Task, run_config: Any, directory: RunDirectory, checkpoint: str
) -> tuple[Any, datasets.Split, int]:
    """The model of a run with the weights of a checkpoint, the training split, and the epoch.

    Where the run averages its weights, the averages are in the optimizer.

    Args:
        task: Of the run.
        run_config: its configuration.
        directory: of the run.
        checkpoint: "best" or "last".

    Raises:
        DamagedFileError: a configuration that makes no model, or a checkpoint that cannot be read.
        ValueError: a run that has not finished an epoch.
    """
    run_config = dataclasses.replace(run_config, distribute="none")
    run_lib.prepare(run_config)
    with narration.phase(f"Reading {run_config.dataset}"):
        train = task.load_split(run_config, "train")
    steps = train.steps_per_epoch(run_config.batch_size, drop_remainder=True)
    with reading.reading(directory.config_path, CONFIG, CONFIG_REMEDY):
        model = task.build_model(run_config, train, steps)
        compiling.compile_model(model, run_config, steps, run_config.weight_average)
    checkpoints = Checkpoints(model, directory, 0, steps)
    found = checkpoints.restore_best() if checkpoint == "best" else checkpoints.restore_last()
    if not found:
        raise ValueError(
            "The run must have finished an epoch; it has no checkpoint yet. "
            f"Received: run={str(directory.path)!r}"
        )
    return model, train, checkpoints.epoch


def run(config: Config) -> dict[str, Any]:
    """Restores a checkpoint of a run and scores a split; returns what the JSON file holds."""
    check(config)
    directory = RunDirectory(config.run)
    if not config.run or not directory.config_path.exists():
        raise ValueError(f"--run must name the folder of a run. Received: run={config.run!r}")
    task, run_config = finished_run.open_run(directory, config.import_module, config.trust_run)
    run_config = finished_run.with_data(run_config, config.dataset, config.data_dir)
    model, train, epoch = restore(task, run_config, directory, config.checkpoint)
    split = train if config.split == "train" else task.load_split(run_config, config.split)
    read = {"train": train, config.split: split}
    identity.check(directory.path, read, config.accept_changed_data)
    narration.say("Run", f"{directory.path}, epoch {epoch}, the {config.checkpoint} one")
    narration.say("Data", f"{run_config.dataset}: {counted(len(split), f'{config.split} image')}")
    narration.say("Pixels", narration.pixel_words(split, model))
    narration.say("Model", narration.model_words(model))
    output = config.output or directory.path / f"evaluation-{config.split}.json"
    writing.check_new_path(output, _is_evaluation, _KIND)
    averaged = bool(run_config.weight_average)
    if averaged:
        narration.say("Weights", "their average, as in the model of the run")
    with weight_average.WeightAverage(model).used() if averaged else contextlib.nullcontext():
        scores = run_lib.evaluate_split(model, split, config.bound_samples, train)
        result = {
            "checkpoint": config.checkpoint,
            "epoch": epoch,
            "split": config.split,
            **scores,
        }
        with writing.new_path(output, True, ours=_is_evaluation, kind=_KIND) as new:
            writing.write_json(new, result)
        examples = config.bound_curve_examples
        bound_curve.write(model, split, config.bound_curve, examples, directory.path)
    for notice in notices.of_result(scores, narration.likelihood_of(model)):
        narration.say("Notice", notice)
    title = f"{config.run}, epoch {epoch}, {config.split}; nats are per image"
    results.print_table(title, result)
    print(f"\nWritten to {output}")
    return result


_KIND = "file of an evaluation"


def _is_evaluation(path: pathlib.Path) -> bool:
    try:
        found = json.loads(reading.read_bytes(path, "an evaluation", "Remove it."))
    except ValueError:
        return False
    return isinstance(found, dict) and {"checkpoint", "epoch", "split"} <= set(found)
