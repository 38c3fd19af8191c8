"""One run of any model: data, training with checkpoints, and what is written at the end."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import keras
import numpy as np

from tf_discrete import callbacks as package_callbacks
from tf_discrete import datasets, evaluation, plots
from tf_discrete._internal.counted import counted
from tf_discrete._internal.writing import write_json
from tf_discrete.models import DiscreteModel
from tf_discrete.models.semi_supervised import LABELLED_TERMS

from ..flags.config import check, to_json
from ..flags.run import RunConfig
from ..workers import shared_run
from ..workers.shared_run import SharedRun
from . import (
    callbacks,
    classification,
    compiling,
    data,
    identity,
    interruption,
    likelihood_words,
    narration,
    notices,
    references,
    standard_errors,
    trust,
    weight_average,
    xla_choice,
)
from .progress import Progress
from .run_checkpoints import Checkpoints
from .run_directory import RunDirectory
from .task import Finish, Task
from .tensorboard import Profile, TensorBoardLog, write_test_scalars

MAY_DIFFER = (
    "output_dir",
    "data_dir",
    "epochs",
    "early_stopping",
    "bound_samples",
    "pictures_every",
    "keep_every",
    "profile",
    "skip_unreadable",
    "accept_changed_data",
)
"""Fields in which the command that continues a run may differ from the one that began it."""


def train(task: Task, config: Any, finish: Finish | None = None) -> dict[str, Any]:
    """Trains, or continues, the run of a configuration.

    Args:
        task: What is trained.
        config: Of the class `task.config_class`.
        finish: What is done at the end. Default: None, `task.finish`.

    Returns:
        results: what metrics.json holds.

    Raises:
        ValueError: whatever cannot work; nothing has been written then.
        OSError: data or folders that cannot be read or written, or a folder that another process writes;
            likewise. Where writing fails later, the message says what is kept.
        Interrupted: Ctrl-C or SIGTERM; the message says what is kept.
        TrainingDiverged: a loss that is not finite. The last good checkpoint is kept.
    """
    check(config)
    compiling.check_strategy(config)
    with shared_run.joined(task.name, config) as shared:
        return _train(task, config, finish or task.finish, shared)


def _train(task: Task, config: Any, finish: Finish, shared: SharedRun) -> dict[str, Any]:
    """`train` on this worker; only the chief finishes and has results."""
    strategy = compiling.make_strategy(config)  # Before anything makes a variable.
    task.check(config)
    prepare(config)
    with narration.phase(f"Reading {config.dataset}"):
        loaded = data.load_splits(config, task.load_split)
    shared.agree_on_data(identity.of_splits(loaded))
    splits = task.divide(config, loaded)
    steps = splits["train"].steps_per_epoch(config.batch_size, drop_remainder=True)
    with strategy.scope():
        model = _model(task, config, splits, steps)
    if shared.has_others:  # Shares that cannot be made are refused before anything is written.
        compiling.shared_batches(strategy, task.batches(config, splits, 0))
    directory = shared.directory(config.output_dir)
    interruption.check()
    with directory.lock():
        config = identity.claim(
            directory, task.name, config, MAY_DIFFER, identity.of_splits(loaded)
        )
        del loaded
        shared.share(directory)
        task.begin(config, directory, splits)
        monitored = task.monitored(config, splits)
        if shared.is_chief:
            narration.say_start(
                config.dataset,
                splits,
                model,
                epochs=config.epochs,
                steps=steps,
                monitored=monitored,
            )
        checkpoints = Checkpoints(
            model, directory, config.early_stopping, steps, config.keep_every, monitored
        )
        if checkpoints.resume():
            print(f"Continuing {directory.path} after epoch {checkpoints.epoch}")
        else:
            with strategy.scope():
                task.start(model, config, splits)
        shared.agree_on_epoch(checkpoints.epoch)
        shared.say(lambda: standing(checkpoints, config.epochs))
        with interruption.saying(lambda: standing(checkpoints, config.epochs)):
            if checkpoints.epoch < config.epochs and not checkpoints.patience_is_over():
                directory.result_path.unlink(missing_ok=True)  # Of a shorter run, which goes on.
                fit(task, model, config, splits, steps, directory, checkpoints, shared)
            elif directory.result_path.exists():
                print(f"{directory.path} is finished; nothing to train")
                return directory.result()
            last_epoch = checkpoints.epoch
            if not shared.is_chief:
                shared.wait_for_the_chief()
                return {}
            if (
                shared.has_others
            ):  # The chief finishes alone, with a model that needs no other worker.
                model = _model(task, config, splits, steps)
                checkpoints = Checkpoints(model, directory, 0, steps)
            checkpoints.restore_best()
            rows = directory.history()
            result = {
                "best_epoch": int(checkpoints.state.best_epoch.numpy()),
                "epochs": last_epoch,
                "steps": last_epoch * steps,
                "training_seconds": round(sum(row["seconds"] for row in rows), 1),
                **_finished(finish, model, config, directory, splits),
            }
            of_test = {
                name.removeprefix("test/"): value
                for name, value in result.items()
                if name.startswith("test/")
            }
            for notice in (
                *notices.of_result(of_test, narration.likelihood_of(model)),
                *notices.of_classifier(result, config),
            ):
                narration.say("Notice", notice)
            write_json(directory.result_path, result)
            write_test_scalars(directory.tensorboard, result)
    return result


def _model(task: Task, config: Any, splits: data.Splits, steps: int) -> DiscreteModel:
    """Returns the compiled model of a configuration, for the strategy in whose scope this is called."""
    model = task.build_model(config, splits["train"], steps)
    compiling.compile_model(model, config, steps, config.weight_average)
    compiling.check_objective(model, splits["train"].image_shape)
    return model


def _finished(
    finish: Finish, model: DiscreteModel, config: Any, directory: RunDirectory, splits: data.Splits
) -> dict[str, Any]:
    """Calls `finish` on the average of the weights, if there is one, and tests the weights too."""
    if not config.weight_average:
        return finish(model, config, directory, splits)
    narration.say("Weights", "as trained, without the average")
    plain = evaluate_split(model, splits["test"], config.bound_samples)
    narration.say("Weights", "their average")
    with weight_average.WeightAverage(model).used():
        found = finish(model, config, directory, splits)
    return {**found, **{f"plain_test/{name}": value for name, value in plain.items()}}


def standing(checkpoints: Checkpoints, epochs: int) -> str:
    """Returns what is kept of a run that stops now, see `interruption.saying`."""
    done = checkpoints.last_saved()
    if not done:
        return "before the end of the first epoch; no checkpoint is kept yet."
    where = checkpoints.directory.path
    return f"after epoch {done} of {epochs} of {where}; the checkpoint of epoch {done} is kept."


def fit(
    task: Task,
    model: DiscreteModel,
    config: Any,
    splits: data.Splits,
    steps: int,
    directory: RunDirectory,
    checkpoints: Checkpoints,
    shared: SharedRun,
) -> None:
    """Calls `model.fit` from the epoch that the checkpoint has reached."""
    drawn = {name: value.schedule for name, value in model.scheduled.items()}
    if config.pictures_every and drawn:
        plots.save(plots.schedule(drawn, config.epochs * steps), directory.path / "schedules.png")
    batches = task.batches(config, splits, checkpoints.epoch)
    training = compiling.training_data(config, batches, model.distribute_strategy)
    model.steps_per_execution = compiling.choose_steps_per_execution(
        config, steps, in_loop=isinstance(training, datasets.IndexedBatches)
    )
    if config.jit_compile == "measure":
        model.jit_compile = xla_choice.choose(directory, model, training)
    validation = splits["validation"].batches(min(config.batch_size, len(splits["validation"])))
    images, numbers = data.some_images(splits["validation"])
    labels = data.class_names_of(splits["validation"], numbers)
    usage = package_callbacks.CollapseWarning(validation, begin=max(1, config.epochs // 10))
    average = weight_average.WeightAverage(model) if config.weight_average else None
    own = [
        usage,
        *task.callbacks(config, directory, splits),
        Progress(config.epochs, steps, task.fields, config.batch_size),
        notices.NoticeLog(directory.history()),
        TensorBoardLog(
            directory.tensorboard,
            to_json(config),
            images,
            labels,
            config.pictures_every,
            lambda: usage.usage,
            task.pictures,
            checkpoints.monitored,
        ),
        *([Profile(directory.tensorboard)] if config.profile else []),
    ]
    loop = [
        *([weight_average.UseAverage(average)] if average else []),
        callbacks.StopWhenInterrupted(),
        callbacks.StopAtNaN(),
        *shared.callbacks(
            own, [*([weight_average.UseWeights(average)] if average else []), checkpoints]
        ),
    ]
    model.fit(
        training,
        epochs=config.epochs,
        initial_epoch=checkpoints.epoch,
        steps_per_epoch=steps,
        validation_data=compiling.validation_data(
            config, splits["validation"], model.distribute_strategy
        ),
        callbacks=loop,
        shuffle=False,
        verbose=0,
    )


def prepare(config: RunConfig) -> None:
    """Imports the user's modules, checks contradictions, sets the dtype policy and the seeds."""
    for module in config.import_module:
        trust.import_module(module)
    compiling.check_strategy(config)
    if config.distribute != "none":
        print(f"distribute={config.distribute}: one step per execution, no XLA")
    keras.config.set_dtype_policy(config.dtype_policy)
    keras.utils.set_random_seed(config.seed)


def evaluate_split(
    model: DiscreteModel,
    split: datasets.Split,
    bound_samples: int,
    train: datasets.Split | None = None,
) -> dict[str, Any]:
    """Evaluates a trained model on a split: every term, the many-sample bound, use of its codes.

    Args:
        model: Trained.
        split: On which it is evaluated.
        bound_samples: Of the bound.
        train: Training images, whose mean is what reconstructions are compared with. Default: None,
            there is no comparison.
    """
    batches, images = (
        split.batches(min(100, len(split))),
        counted(len(split), f"{split.split} image"),
    )
    with narration.phase(f"Terms of the objective, {images}"):
        terms = model.evaluate(batches, return_dict=True, verbose=0)
        errors = standard_errors.term_errors(model, batches)
    result: dict[str, Any] = {name: float(value) for name, value in terms.items()} | errors
    if split.labels is None or not (split.labels >= 0).any():
        for name in LABELLED_TERMS:
            result.pop(name, None)
    with narration.phase(
        f"Bound with {counted(bound_samples, 'sample')}, {images}", len(split)
    ) as advance:
        bound = evaluation.evaluate_bound(model, batches, bound_samples, progress=advance)
    result.update(
        {
            "bound_nats": bound.mean_nats,
            "bound_standard_error_nats": bound.standard_error_nats,
            "bound_samples": bound.num_samples,
            "num_examples": bound.num_examples,
        }
    )
    features = narration.reads_features(model)
    of = likelihood_words.bound_of(split, narration.likelihood_of(model), features)
    if of:
        result["bound_of"] = of
    if train is not None and hasattr(model, "reconstruct"):
        with narration.phase(f"Reconstructions, {images}", len(split)) as advance:
            result.update(references.image_errors(model, split, train, advance))
    if hasattr(model, "num_classes"):
        with narration.phase(f"Classes, {images}"):
            probs, labels = classification.read(classification.compiled(model), split)
        result.update(classification.with_errors(probs, labels))
    else:  # A class is no code.
        with narration.phase(f"Use of codes, {images}"):
            usage = evaluation.collect_usage(model, batches)
        result["mean_perplexity"] = float(np.mean(usage.perplexity))
        result["active_units"] = usage.active_units
    return {name: _json_number(value) for name, value in result.items()}


def with_output_dir(config: Any, trainer: str) -> Any:
    """The configuration with the default folder of its run, where it names none."""
    if config.output_dir:
        return config
    name = config.dataset.rstrip("/").split("/")[-1]
    return dataclasses.replace(config, output_dir=f"runs/{trainer}-{name}")


def _json_number(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
