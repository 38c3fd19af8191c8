"""Flags of trainers.compare_estimators."""

from __future__ import annotations

import dataclasses

from . import names
from .categorical_vae import CategoricalVAEFlags
from .config import option
from .run import AverageFlags, TrainingFlags


@dataclasses.dataclass(frozen=True)
class Config(CategoricalVAEFlags, AverageFlags, TrainingFlags):
    """Flags of the comparison and, as in trainers.categorical_vae, of its runs."""

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
    batch_size: int = option(20, "Images per training step.", lower=1)
    epochs: int = option(20, "Passes over the training images.", lower=1)
    learning_rate: float = option(3e-3, "Learning rate of Adam.", positive=True)
    pictures_every: int = option(
        0, "How often, in epochs, the pictures of a run are written. 0: never.", lower=0
    )
    estimators: tuple[str, ...] = option(
        ("all",),
        "Names of estimators, separated by commas, or 'all' for all registered ones.",
        registered=("all", *names.ESTIMATORS),
    )
    num_seeds: int = option(
        3,
        "Number of runs of each estimator, with --seed and the seeds after it. 0: no training; gradients and "
        "costs are compared at the checkpoints of an earlier comparison.",
        lower=0,
    )
    reference: str = option(
        "gumbel_softmax",
        "Estimator that the others are compared with: gradients are compared at the weights of its first "
        "run, and costs are relative to its step.",
        registered=names.ESTIMATORS,
    )
    num_checkpoints: int = option(
        4,
        "Number of epochs of the reference run, in addition to its start, at which gradients are compared.",
        lower=1,
    )
    gradient_draws: int = option(
        100, "Samples of each gradient. 0: gradients are not compared.", lower=0
    )
    gradient_evaluations: int = option(
        12,
        "Evaluations of the objective per image and gradient sample. Each estimator takes as many latent "
        "samples as they allow, and at least its minimum.",
        lower=1,
    )
    gradient_examples: int = option(
        100, "Number of images on which gradients are compared.", lower=1
    )
    adaptation_steps: int = option(
        300,
        "Training steps of learned baselines and control variates at each checkpoint, with frozen networks.",
        lower=0,
    )
    cost_rounds: int = option(
        10, "Number of rounds in which training steps are timed. 0: no timing.", lower=0
    )
    gradient_report: str = option(
        "", "Directory of a run whose gradients are analysed instead of a comparison.", path=True
    )
    checkpoint: str = option(
        "best", "Checkpoint of --gradient_report: 'best', 'last' or an epoch saved by --keep_every."
    )
