"""The configurations of a comparison's runs."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Any

from ..common import run as run_lib
from ..flags.compare_estimators import Config
from ..tasks import categorical_vae
from . import gradient_comparison

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
