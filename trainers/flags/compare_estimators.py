"""Flags of trainers.compare_estimators."""

from __future__ import annotations

import dataclasses

from . import names
from .categorical_vae import CategoricalVAEFlags
from .config import option
from .run import DataFlags, ExecutionFlags, OptimizationFlags


@dataclasses.dataclass(frozen=True)
class Config(CategoricalVAEFlags, ExecutionFlags, OptimizationFlags, DataFlags):
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
    estimators: tuple[str, ...] = option(
        ("all",),
        "Names, separated by commas, or 'all' that are registered.",
        registered=("all", *names.ESTIMATORS),
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
        registered=names.ESTIMATORS,
    )
    num_checkpoints: int = option(
        4,
        "Number of epochs of the reference's run, in addition to its start, at which gradients are compared.",
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
    gradient_report: str = option(
        "", "Folder of a run to analyse instead of a comparison.", path=True
    )
    checkpoint: str = option(
        "best", "Of --gradient_report: 'best', 'last' or an epoch that --keep_every has kept."
    )
