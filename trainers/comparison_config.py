"""The flags of the comparison of estimators, and the configurations of its runs."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Any

from trainers import categorical_vae, gradient_comparison
from trainers import run as run_lib
from trainers.config import option


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
    gradient_report: str = option(
        "", "Folder of a run to look at instead of a comparison.", path=True
    )
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
