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


REPORTED = (
    "gradient_report",
    "checkpoint",
    "estimators",
    "gradient_draws",
    "gradient_evaluations",
    "gradient_examples",
    "adaptation_steps",
    "data_dir",
    "import_module",
    "accept_changed_data",
)
"""Fields that a report of gradients at the weights of a run reads."""


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
            "classify_reconstructions": False,
            "keep_every": max(1, config.epochs // config.num_checkpoints) if first else 0,
        }
    )


def gradient_settings(
    config: Config, settings: categorical_vae.Config
) -> gradient_comparison.Settings:
    """Returns the settings of the comparison of gradients at the weights of a run.

    Raises:
        ValueError: Latents whose digits have an estimator each.
    """
    _check_latents(settings.latents)
    return gradient_comparison.Settings(
        max(2, config.gradient_draws),
        config.gradient_evaluations,
        config.gradient_examples,
        config.adaptation_steps,
        settings.batch_size,
        settings.seed,
    )


def check_report(config: Config) -> None:
    """Refuses flags that have no effect: on a report of gradients, or on a comparison.

    Raises:
        ValueError: Names the flags.
    """
    if not config.gradient_report:
        _check_latents(config.latents)
        if config.checkpoint != Config.checkpoint:
            raise ValueError(
                "The checkpoint is of --gradient_report. Leave --checkpoint out. "
                f"Received: checkpoint={config.checkpoint!r}"
            )
        return
    ignored = [
        f"{field.name}={getattr(config, field.name)!r}"
        for field in dataclasses.fields(config)
        if field.name not in REPORTED and getattr(config, field.name) != field.default
    ]
    if ignored:
        raise ValueError(
            "A report of gradients is of the run that it names, with that run's flags. Leave the others out, "
            f"all but {', '.join(REPORTED)}. Received: {', '.join(ignored)}"
        )


def _check_latents(latents: str) -> None:
    if latents == "path":
        raise ValueError(
            "A comparison is of models with one estimator, and each digit of a path has its own. Take "
            f"--latents=tree. Received: latents={latents!r}"
        )


def _run_fields(config: Config) -> dict[str, Any]:
    """The fields of the comparison that are those of its runs."""
    own = {field.name for field in dataclasses.fields(categorical_vae.Config)}
    return {
        field.name: getattr(config, field.name)
        for field in dataclasses.fields(config)
        if field.name in own
    }
