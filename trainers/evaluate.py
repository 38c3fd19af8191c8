"""Evaluates a run again, finished or not: python -m trainers.evaluate --run=runs/... --help."""

from __future__ import annotations

import dataclasses
from typing import Any

from tf_discrete import datasets
from tf_discrete._internal import reading
from tf_discrete._internal.writing import write_json
from trainers import (
    bound_curve,
    callbacks,
    categorical_vae,
    command_line,
    compiling,
    data,
    finished_run,
    identity,
    results,
    semantic_hashing,
    semi_supervised,
    structured_prediction,
    trust,
)
from trainers import run as run_lib
from trainers.config import check, load, option
from trainers.run_directory import CONFIG, CONFIG_REMEDY, RunDirectory

TRAINERS = (categorical_vae, semantic_hashing, semi_supervised, structured_prediction)


@dataclasses.dataclass(frozen=True)
class Config:
    """What is evaluated, and how."""

    run: str = option("", "Folder of the run.", path=True)
    checkpoint: str = option("best", "Which epoch.", choices=("best", "last"))
    split: str = option("test", "Of the data.", choices=("train", "validation", "test"))
    bound_samples: int = option(1000, "Samples m of the importance-weighted bound.", lower=1)
    bound_curve: tuple[int, ...] = option(
        (),
        "Samples m, such as 1,10,100,1000, whose bounds are written to RUN/bound_curve-SPLIT.json.",
    )
    bound_curve_examples: int = option(1000, "Examples of these bounds, the first.", lower=2)
    dataset: str = option("", "The data, if they have moved. Default: those of the run.")
    data_dir: str = option("", "Folder of prepared TFDS data. Default: that of the run.", path=True)
    accept_changed_data: bool = option(
        False, "Evaluate although the data are not those that the run was trained on."
    )
    import_module: tuple[str, ...] = option(
        (), "Modules to import first. Those that the run has imported must be among them."
    )
    trust_run: bool = option(
        False, "Import the modules that the run names without naming them. They are code."
    )
    output: str = option(
        "", "JSON file of the result. Default: RUN/evaluation-SPLIT.json.", path=True
    )


def trainer_of(directory: RunDirectory) -> Any:
    """The trainer that has written a run, told by the fields of its configuration."""
    try:
        stored = set(directory.config())
    except ValueError:  # `load` says what is wrong with it.
        return categorical_vae

    def strangers(trainer: Any) -> int:
        return len(stored ^ {field.name for field in dataclasses.fields(trainer.Config)})

    return min(TRAINERS, key=strangers)


def restore(
    trainer: Any, run_config: Any, directory: RunDirectory, checkpoint: str
) -> tuple[Any, datasets.Split, int]:
    """The model of a run with the weights of a checkpoint, the training split, and the epoch.

    Args:
        trainer: that has written the run.
        run_config: its configuration.
        directory: of the run.
        checkpoint: "best" or "last".

    Raises:
        DamagedFileError: a configuration that makes no model, or a checkpoint that cannot be read.
        ValueError: a run that has not finished an epoch.
    """
    run_config = dataclasses.replace(run_config, distribute="none")
    run_lib.prepare(run_config)
    train = data.load_split(run_config, "train")
    steps = train.steps_per_epoch(run_config.batch_size, drop_remainder=True)
    with reading.reading(directory.config_path, CONFIG, CONFIG_REMEDY):
        model = trainer.build_model(run_config, train, steps)
        compiling.compile_model(model, run_config, steps)
    checkpoints = callbacks.Checkpoints(model, directory, 0, steps)
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
    trainer = trainer_of(directory)
    run_config = load(trainer.Config, directory.config_path)
    modules = trust.allowed_modules(
        run_config.import_module, config.import_module, config.trust_run, config.run
    )
    run_config = dataclasses.replace(run_config, import_module=modules)
    run_config = finished_run.with_data(run_config, config.dataset, config.data_dir)
    model, train, epoch = restore(trainer, run_config, directory, config.checkpoint)
    split = train if config.split == "train" else data.load_split(run_config, config.split)
    read = {"train": train, config.split: split}
    identity.check(directory.path, read, config.accept_changed_data)
    result = {
        "checkpoint": config.checkpoint,
        "epoch": epoch,
        "split": config.split,
        **run_lib.evaluate_split(model, split, config.bound_samples),
    }
    output = config.output or directory.path / f"evaluation-{config.split}.json"
    write_json(output, result)
    examples = config.bound_curve_examples
    bound_curve.write(model, split, config.bound_curve, examples, directory.path)
    results.print_table(f"{config.run}, epoch {epoch}, {config.split} (nats)", result)
    return result


def cli() -> None:
    """The console script."""
    command_line.start(Config, run, __doc__)


if __name__ == "__main__":
    cli()
