"""Models with short codes, as the benchmarks of codes train them: semantic hashing and Gumbel-Softmax."""

from __future__ import annotations

import dataclasses
import gc
from typing import Any

from benchmarks import help_flag
from trainers.flags.config import option
from trainers.flags.run import RunConfig

if not help_flag.GIVEN:
    import keras

    from tf_discrete import datasets
    from trainers.common import compiling
    from trainers.common import run as run_lib
    from trainers.common.callbacks import StopAtNaN
    from trainers.tasks import categorical_vae, semantic_hashing

NAMES = {"gumbel_softmax": "Gumbel-Softmax", "semantic_hashing": "semantic hashing"}
GUMBEL, HASHING = NAMES


@dataclasses.dataclass(frozen=True)
class Flags:
    """Options of the data and of every training."""

    dataset: str = option("mnist", "Data with labels, see trainers.categorical_vae.")
    data_dir: str = option("", "Folder of prepared TFDS data. Default: TFDS's own.")
    max_examples: int = option(0, "Maximum number of examples of each split. 0: all.", lower=0)
    epochs: int = option(10, "Passes over the training images.", lower=1)
    batch_size: int = option(100, "Images in a step.", lower=1)
    learning_rate: float = option(1e-3, "Of Adam, per step.", positive=True)
    hidden_units: tuple[int, ...] = option((512, 256), "Units of the encoder's hidden layers.")
    noise_stddev: float = option(1.0, "Of semantic hashing.", positive=True)
    temperature_final: float = option(0.5, "Lowest temperature.", positive=True)
    num_seeds: int = option(3, "Trainings of each cell.", lower=1)
    seed: int = option(0, "The first seed.", lower=0, upper=2**31)


def run_config(
    flags: Flags, method: str, size: tuple[int, int], seed: int, **settings: Any
) -> RunConfig:
    """The configuration of the trainer for a model whose code has `size`, variables x categories."""
    names = ("dataset", "data_dir", "max_examples", "epochs", "batch_size", "learning_rate")
    shared = {name: getattr(flags, name) for name in (*names, "hidden_units")}
    shared |= {"likelihood": "bernoulli", "output_bias": "mean", "seed": seed, **settings}
    if method == HASHING:
        return semantic_hashing.Config(num_bits=size[0], **shared)
    return categorical_vae.Config(num_variables=size[0], num_categories=size[1], **shared)


def build(settings: Any, method: str, split: datasets.Split) -> Any:
    """The model of a cell, at its start."""
    steps = split.steps_per_epoch(settings.batch_size, drop_remainder=True)
    trainer: Any = semantic_hashing if method == HASHING else categorical_vae
    model = trainer.build_model(settings, split, steps)
    trainer.start(model, settings, {"train": split})
    return model


def train(settings: Any, method: str, split: datasets.Split) -> Any:
    """Trains the model of a cell, and the prior of its codes that the settings ask for.

    Keras forgets the models made before, so that many trainings fit into one process.

    Raises:
        TrainingDiverged: a loss that is not finite.
    """
    keras.backend.clear_session()
    gc.collect()
    run_lib.prepare(settings)
    steps = split.steps_per_epoch(settings.batch_size, drop_remainder=True)
    model = build(settings, method, split)
    compiling.compile_model(model, settings, steps)
    model.steps_per_execution = compiling.choose_steps_per_execution(settings, steps)
    options = {"seed": settings.seed, "drop_remainder": True}
    batches: Any = split.indexed_batches(settings.batch_size, **options)
    if settings.loop == "fit":
        batches = batches.stream()
    model.fit(
        batches,
        epochs=settings.epochs,
        steps_per_epoch=steps,
        callbacks=[StopAtNaN()],
        shuffle=False,
        verbose=0,
    )
    return model
