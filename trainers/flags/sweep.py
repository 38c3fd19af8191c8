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
        "Train on a grid of learning rates and temperatures, print a table of the validation bounds, and "
        "score the best run on the test split.",
    )
    sweep_learning_rates: tuple[float, ...] = option(
        (), "Learning rates of the sweep. Default: --learning_rate times 1/3, 1 and 3."
    )
    sweep_temperatures: tuple[float, ...] = option(
        (), "Temperatures of the sweep, initial ones under a schedule. Default: 0.5, 0.75, 1."
    )
