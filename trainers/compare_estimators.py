"""Trains one model with every gradient estimator and compares them.

    python -m trainers.compare_estimators --output_dir=runs/comparison

takes minutes: linear categorical VAEs on the embedded digits. The comparison of a data set that takes hours:

    python -m trainers.compare_estimators --dataset=binarized_mnist --batch_size=100 --epochs=100 \
        --learning_rate=1e-3 --estimators=gumbel_softmax,straight_through --num_seeds=3 \
        --output_dir=runs/comparison-mnist

The same command continues after a kill; finished runs are not repeated. Other estimators, more seeds or
other numbers of epochs may be added to the same folder later: the comparison is of all that it holds.

    python -m trainers.compare_estimators --gradient_report=runs/mine

looks at a run of trainers.categorical_vae instead: bias, variance and cosine of every estimator's gradient
at its weights, by layer.
"""

from __future__ import annotations

import dataclasses
import gc
import pathlib
import time
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from tf_discrete import datasets, evaluation
from tf_discrete.models import CategoricalVAE
from trainers import (
    callbacks,
    categorical_vae,
    command_line,
    comparison_report,
    compiling,
    data,
    gradient_comparison,
    gradient_report,
    machine,
    step_cost,
)
from trainers import run as run_lib
from trainers.config import check, defaults, option, to_json
from trainers.run_directory import RunDirectory, read_json, write_json


@dataclasses.dataclass(frozen=True)
class Config(categorical_vae.Config):
    """The flags of the comparison; those of the runs are those of trainers.categorical_vae."""

    binarization: str = option(
        "threshold",
        "How grey pixels become bits, see trainers.categorical_vae. 'threshold' leaves black and white "
        "images as they are.",
        choices=("none", "threshold", "static", "dynamic"),
    )
    hidden_units: tuple[int, ...] = option(
        (),
        "Units of the encoder's hidden layers; the decoder mirrors them. Default: linear models.",
    )
    batch_size: int = option(20, "Images in a step.", lower=1)
    epochs: int = option(20, "Passes over the training images.", lower=1)
    learning_rate: float = option(3e-3, "Of Adam, per step.", positive=True)
    pictures_every: int = option(
        0, "Epochs between two sets of pictures of a run. 0: none.", lower=0
    )
    classify_reconstructions: bool = option(False, "Not in a comparison.")
    estimators: tuple[str, ...] = option(
        ("all",), "Names, separated by commas, or 'all' that are registered."
    )
    num_seeds: int = option(
        3,
        "Runs of each estimator, with --seed and the seeds after it. 0: train nothing; compare gradients "
        "and costs where a comparison has trained the reference.",
        lower=0,
    )
    reference: str = option(
        "gumbel_softmax",
        "Estimator that the others are compared with: its first run gives the weights at which "
        "gradients are compared, and its step is the unit of cost.",
    )
    num_checkpoints: int = option(
        4,
        "Epochs of the reference's run, beside its start, at which gradients are compared.",
        lower=1,
    )
    gradient_draws: int = option(
        100, "Draws of each gradient. 0: do not compare gradients.", lower=0
    )
    gradient_evaluations: int = option(
        12,
        "Evaluations of the objective for each image and draw: every estimator takes as many samples "
        "as they allow, and at least its fewest.",
        lower=1,
    )
    gradient_examples: int = option(100, "Images that gradients are compared on.", lower=1)
    adaptation_steps: int = option(
        300,
        "Steps at each checkpoint in which learned baselines and control variates learn while the "
        "networks stand still.",
        lower=0,
    )
    cost_rounds: int = option(10, "Rounds in which steps are timed. 0: do not time.", lower=0)
    gradient_report: str = option("", "Folder of a run to look at instead of a comparison.")
    checkpoint: str = option(
        "best", "Of --gradient_report: 'best', 'last' or an epoch that --keep_every has kept."
    )


MAY_DIFFER = (
    *run_lib.MAY_DIFFER,
    "estimators",
    "num_seeds",
    "num_checkpoints",
    "gradient_draws",
    "gradient_evaluations",
    "gradient_examples",
    "adaptation_steps",
    "cost_rounds",
    "checkpoint",
)
"""Fields in which a command that goes on with a comparison may differ from the one that began it."""


def run(config: Config) -> dict[str, Any]:
    """Compares the estimators, or goes on with it; returns what comparison.json holds."""
    check(config)
    # A function is traced for each of many models, on purpose; TensorFlow would warn of each.
    tf.get_logger().setLevel("ERROR")
    if config.gradient_report:
        return gradient_report.report(
            config.gradient_report,
            config.checkpoint,
            config.estimators,
            lambda settings: gradient_settings(config, settings),
            config.data_dir,
        )
    if not config.output_dir:
        name = config.dataset.rstrip("/").split("/")[-1]
        config = run_lib.defaults_of(config, output_dir=f"runs/comparison-{name}")
    if config.estimator != categorical_vae.Config.estimator:
        raise ValueError(
            "A comparison takes the names of its estimators from --estimators. Leave --estimator out. "
            f"Received: estimator={config.estimator!r}"
        )
    if config.code_prior != "none":
        raise ValueError(
            "A comparison is of the models alone. Leave --code_prior out. "
            f"Received: code_prior={config.code_prior!r}"
        )
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
    folder.claim(to_json(config), MAY_DIFFER, defaults(config))
    train_all(config, applicable, skipped)

    begun = {path.name.rpartition("-")[0] for path in (folder.path / "runs").glob("*-*")}
    measured = sorted(begun.union(applicable))
    if config.gradient_draws:
        compare_gradients(config, measured, splits)
    if config.cost_rounds:
        compare_costs(config, measured, splits["train"])
    comparison = collect(config, skipped)
    text = comparison_report.write(folder.path, comparison)
    print(
        f"\n{text}\nEverything is in {folder.path}; tensorboard --logdir={folder.path}/tensorboard"
    )
    return comparison


def collect(config: Config, skipped: dict[str, str]) -> dict[str, Any]:
    """What comparison.json holds, of all that is done so far."""
    return {
        "config": to_json(config),
        "hardware": machine.hardware(),
        "versions": machine.versions(),
        "estimators": comparison_report.collect(pathlib.Path(config.output_dir), skipped),
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
        left = f"; about {_time(each * (len(todo) - number + 1))} left" if each else ""
        print(f"\n{title}{left}", flush=True)
        keras.backend.clear_session()
        gc.collect()
        try:
            run_lib.train(settings, categorical_vae.build_model, finish)
        except callbacks.TrainingDiverged as error:
            print(f"{title} has diverged: {error}", flush=True)
            path = pathlib.Path(settings.output_dir) / comparison_report.DIVERGED
            write_json(path, {"message": str(error)})
        except tf.errors.ResourceExhaustedError as error:
            print(f"{title} is out of memory; the others go on: {error}", flush=True)
        done += 1
        comparison_report.write_numbers(pathlib.Path(config.output_dir), collect(config, skipped))


def finish(
    model: CategoricalVAE, config: Any, directory: RunDirectory, splits: data.Splits
) -> dict[str, Any]:
    """The test bounds, and a note of the machine."""
    here = {"hardware": machine.hardware(), "versions": machine.versions()}
    write_json(directory.path / comparison_report.MACHINE, here)
    result = run_lib.evaluate_split(model, splits["test"], config.bound_samples)
    return {f"test/{name}": value for name, value in result.items()}


def compare_gradients(config: Config, names: Sequence[str], splits: data.Splits) -> None:
    """Gradients of all estimators at the checkpoints that the reference's first run has kept."""
    settings = run_config(config, config.reference, 0)
    run_lib.prepare(settings)
    steps = splits["train"].steps_per_epoch(config.batch_size, drop_remainder=True)
    source = build(config, config.reference, splits["train"])
    compiling.compile_model(source, settings, steps)
    kept = callbacks.Checkpoints(source, RunDirectory(settings.output_dir), 0, steps)
    if not kept.kept_epochs():
        print(f"{settings.output_dir} has kept no checkpoints; no gradients are compared")
        return
    compared = gradient_comparison.Comparison(
        pathlib.Path(config.output_dir),
        lambda name, samples: build(config, name, splits["train"], samples),
        source,
        [
            gradient_comparison.Checkpoint(
                epoch, epoch * steps, lambda epoch=epoch: kept.restore_kept(epoch)
            )
            for epoch in sorted(kept.kept_epochs())
        ],
        splits["train"],
        splits["validation"],
        gradient_settings(config, settings),
    )
    compared.run(names)


def compare_costs(config: Config, names: Sequence[str], split: datasets.Split) -> None:
    """The cost of a step of each estimator, measured in one run for all of them."""
    path = pathlib.Path(config.output_dir) / comparison_report.COSTS
    identity = {"rounds": config.cost_rounds, "hardware": machine.hardware()}
    stored = read_json(path) if path.exists() else {}
    known = {key: stored.get(key) for key in identity} == identity
    if known and set(names) <= set(stored["estimators"]):
        return
    steps = split.steps_per_epoch(config.batch_size, drop_remainder=True)
    models, evaluations = {}, {}
    for name in names:
        models[name] = build(config, name, split)
        compiling.compile_model(models[name], config, steps)
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


def run_config(config: Config, name: str, seed: int) -> categorical_vae.Config:
    """The configuration of one run of the comparison.

    Args:
        config: of the comparison.
        name: of the estimator.
        seed: 0, 1, ..., counted from --seed.
    """
    first = name == config.reference and seed == 0
    return categorical_vae.Config(
        **{
            **_run_fields(config),
            "estimator": name,
            "seed": config.seed + seed,
            "output_dir": str(
                pathlib.Path(config.output_dir) / "runs" / f"{name}-{config.seed + seed}"
            ),
            "keep_every": max(1, config.epochs // config.num_checkpoints) if first else 0,
        }
    )


def gradient_settings(
    config: Config, settings: categorical_vae.Config
) -> gradient_comparison.Settings:
    """What the flags say of the comparison of gradients at the weights of a run."""
    return gradient_comparison.Settings(
        max(2, config.gradient_draws),
        config.gradient_evaluations,
        config.gradient_examples,
        config.adaptation_steps,
        settings.batch_size,
        settings.seed,
    )


def _run_fields(config: categorical_vae.Config) -> dict[str, Any]:
    return {
        field.name: getattr(config, field.name)
        for field in dataclasses.fields(categorical_vae.Config)
    }


def _run_of(config: Config, name: str, seed: int) -> dict[str, Any] | None:
    return comparison_report.read_run(pathlib.Path(run_config(config, name, seed).output_dir))


def _epochs(run: dict[str, Any]) -> int:
    return len(run["history"]["step"])


def _time(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def cli() -> None:
    """The console script."""
    command_line.start(Config, run, __doc__)


if __name__ == "__main__":
    cli()
