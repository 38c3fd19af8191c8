"""Trains one model with every gradient estimator and compares them."""

from __future__ import annotations

import dataclasses
import functools
import gc
import pathlib
import time
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from tf_discrete import datasets, evaluation
from tf_discrete._internal.writing import write_json
from tf_discrete.models import CategoricalVAE

from ..common import callbacks, compiling, data, identity, provenance, results
from ..common import run as run_lib
from ..common.duration import duration
from ..common.run_checkpoints import Checkpoints
from ..common.run_directory import RunDirectory, read_json
from ..flags.compare_estimators import Config
from ..flags.config import check, to_json
from ..tasks import categorical_vae
from . import compared_runs, comparison_report, gradient_comparison, gradient_report, step_cost
from .settings import MAY_DIFFER, check_report, gradient_settings, run_config


def run(config: Config) -> dict[str, Any]:
    """Compares the estimators, or goes on with it; returns what comparison.json holds."""
    check(config)
    check_report(config)
    # A function is traced for each of many models, on purpose; TensorFlow would warn of each.
    tf.get_logger().setLevel("ERROR")
    if config.gradient_report:
        return gradient_report.report(
            config.gradient_report,
            config.checkpoint,
            config.estimators,
            lambda settings: gradient_settings(config, settings),
            config.data_dir,
            config.import_module,
            config.accept_changed_data,
        )
    config = run_lib.with_output_dir(config, "comparison")
    compiling.refuse_workers(config, "A comparison")
    run_lib.prepare(run_config(config, config.reference, 0))
    splits = data.load_splits(config)
    names = gradient_comparison.resolve((config.reference, *config.estimators))
    if not config.num_seeds and not _run_of(config, config.reference, 0):
        raise ValueError(
            "Gradients are compared at the weights of a run of the reference. Train it in this folder "
            f"first, with --num_seeds=1. Received: num_seeds=0, output_dir={config.output_dir!r}"
        )
    known = [name for name in names if _run_of(config, name, 0)]
    rest, skipped = gradient_comparison.sort_out(
        [name for name in names if name not in known],
        lambda name: build(config, name, splits["train"]),
        splits["train"].image_shape,
    )
    if config.reference in skipped:
        raise ValueError(skipped[config.reference])
    for name, why in skipped.items():
        print(f"skipping {name}: {why}", flush=True)
    applicable = [name for name in names if name in (*known, *rest)]
    folder = RunDirectory(config.output_dir)
    with folder.lock():
        config = identity.claim(
            folder, "compare_estimators", config, MAY_DIFFER, identity.of_splits(splits)
        )
        return _compare(config, folder, splits, applicable, skipped)


def _compare(
    config: Config,
    folder: RunDirectory,
    splits: data.Splits,
    applicable: Sequence[str],
    skipped: dict[str, str],
) -> dict[str, Any]:
    """Does what is missing of the comparison in its folder; returns what comparison.json holds."""
    train_all(config, applicable, skipped)
    begun = {path.name.rpartition("-")[0] for path in (folder.path / "runs").glob("*-*")}
    measured = sorted(begun.union(applicable))
    if config.gradient_draws:
        compare_gradients(config, measured, splits)
    if config.cost_rounds:
        compare_costs(config, measured, splits["train"])
    comparison = collect(config, skipped)
    text = comparison_report.write(folder.path, comparison)
    command = results.tensorboard_command(folder.path / "tensorboard")
    print(f"\n{text}\nEverything is in {folder.path}; {command}")
    return comparison


def collect(config: Config, skipped: dict[str, str]) -> dict[str, Any]:
    """Returns the content of comparison.json, of all that is done so far."""
    return {
        "config": to_json(config),
        "hardware": provenance.hardware(),
        "versions": provenance.versions(),
        "estimators": compared_runs.collect(pathlib.Path(config.output_dir), skipped),
    }


def train_all(config: Config, names: Sequence[str], skipped: dict[str, str]) -> None:
    """Trains every estimator with every seed, one seed after the other, so that a part is of use."""
    began, done = time.monotonic(), 0
    todo = [(name, seed) for seed in range(config.num_seeds) for name in names]
    for number, (name, seed) in enumerate(todo, 1):
        settings = run_config(config, name, seed)
        title = f"run {number} of {len(todo)}: {name}, seed {settings.seed}"
        before = _run_of(config, name, seed)
        if before and before["status"] == "diverged":
            print(f"{title} has diverged; remove {settings.output_dir} to try again")
            continue
        if before and before["status"] == "finished" and _epochs(before) >= config.epochs:
            print(f"{title} is finished")
            continue
        each = (time.monotonic() - began) / done if done else None
        left = f"; about {duration(each * (len(todo) - number + 1))} left" if each else ""
        print(f"\n{title}{left}", flush=True)
        keras.backend.clear_session()
        gc.collect()
        try:
            run_lib.train(categorical_vae.TASK, settings, finish)
        except callbacks.TrainingDiverged as error:
            print(f"{title} has diverged: {error}", flush=True)
            path = pathlib.Path(settings.output_dir) / compared_runs.DIVERGED
            write_json(path, {"message": str(error)})
        except tf.errors.ResourceExhaustedError as error:
            print(f"{title} is out of memory; the others go on: {error}", flush=True)
        done += 1
        comparison_report.write_numbers(pathlib.Path(config.output_dir), collect(config, skipped))


def finish(
    model: CategoricalVAE, config: Any, directory: RunDirectory, splits: data.Splits
) -> dict[str, Any]:
    """The test bounds, and a note of the machine."""
    here = {"hardware": provenance.hardware(), "versions": provenance.versions()}
    write_json(directory.path / compared_runs.MACHINE, here)
    result = run_lib.evaluate_split(model, splits["test"], config.bound_samples)
    return {f"test/{name}": value for name, value in result.items()}


def compare_gradients(config: Config, names: Sequence[str], splits: data.Splits) -> None:
    """Gradients of all estimators at the checkpoints that the reference's first run has kept."""
    settings = run_config(config, config.reference, 0)
    run_lib.prepare(settings)
    steps = splits["train"].steps_per_epoch(config.batch_size, drop_remainder=True)
    source = build(config, config.reference, splits["train"])
    compiling.compile_model(source, settings, steps, settings.weight_average)
    kept = Checkpoints(source, RunDirectory(settings.output_dir), 0, steps)
    if not kept.kept_epochs():
        print(f"{settings.output_dir} has kept no checkpoints; no gradients are compared")
        return
    compared = gradient_comparison.Comparison(
        pathlib.Path(config.output_dir),
        lambda name, samples: build(config, name, splits["train"], samples),
        source,
        [
            gradient_comparison.Checkpoint(
                epoch, epoch * steps, functools.partial(kept.restore_kept, epoch)
            )
            for epoch in kept.kept_epochs()
        ],
        splits["train"],
        splits["validation"],
        gradient_settings(config, settings),
    )
    compared.run(names)


def compare_costs(config: Config, names: Sequence[str], split: datasets.Split) -> None:
    """The cost of a step of each estimator, measured in one run for all of them."""
    path = pathlib.Path(config.output_dir) / compared_runs.COSTS
    identity = {"rounds": config.cost_rounds, "hardware": provenance.hardware()}
    stored = read_json(path) if path.exists() else {}
    known = {key: stored.get(key) for key in identity} == identity
    if known and set(names) <= set(stored.get("estimators", ())):
        return
    steps = split.steps_per_epoch(config.batch_size, drop_remainder=True)
    models, evaluations = {}, {}
    for name in names:
        models[name] = build(config, name, split)
        compiling.compile_model(models[name], config, steps)
        each = compiling.choose_steps_per_execution(config, steps)
        models[name].steps_per_execution = each
        evaluations[name] = evaluation.count_evaluations(models[name])
    costs: dict[str, Any] = step_cost.measure(
        models, split, config.batch_size, config.reference, config.cost_rounds
    )
    for name, cost in costs.items():
        cost["evaluations"] = evaluations[name]
    write_json(path, {**identity, "estimators": costs})


def build(
    config: Config, name: str, split: datasets.Split, num_samples: int | None = None
) -> CategoricalVAE:
    """The model of the comparison under an estimator."""
    settings = dataclasses.replace(
        run_config(config, name, 0), num_samples=num_samples or config.num_samples
    )
    steps = split.steps_per_epoch(config.batch_size, drop_remainder=True)
    return categorical_vae.build_model(settings, split, steps)


def _run_of(config: Config, name: str, seed: int) -> dict[str, Any] | None:
    return compared_runs.read_run(pathlib.Path(run_config(config, name, seed).output_dir))


def _epochs(run: dict[str, Any]) -> int:
    return len(run["history"]["step"])
