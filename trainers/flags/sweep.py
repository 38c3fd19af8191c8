"""Flags of trainers that can sweep."""

from __future__ import annotations

import dataclasses

from .config import option
from .latents import LatentConfig


@dataclasses.dataclass(frozen=True)
class SweepConfig(LatentConfig):
    """Additional flags of the trainers that can sweep."""

    sweep: bool = option(
        False,
        "Train on a grid of learning rates and temperatures instead, show a table of their validation "
        "bounds, and score the best of them on the test split.",
    )
    sweep_learning_rates: tuple[float, ...] = option(
        (), "Of the sweep. Default: a third of learning_rate, it, and three times as much."
    )
    sweep_temperatures: tuple[float, ...] = option(
        (), "Of the sweep: where a schedule begins, else constant. Default: 0.5, 0.75, 1."
    )
