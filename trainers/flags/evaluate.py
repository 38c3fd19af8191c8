"""Flags of trainers.evaluate."""

from __future__ import annotations

import dataclasses

from .config import option
from .finished_run import MovedDataFlags, TrustFlags


@dataclasses.dataclass(frozen=True)
class Config(TrustFlags, MovedDataFlags):
    """What is evaluated, and how."""

    run: str = option("", "Folder of the run.", path=True)
    checkpoint: str = option("best", "Which epoch.", choices=("best", "last"))
    split: str = option("test", "Of the data.", choices=("train", "validation", "test"))
    bound_samples: int = option(1000, "Samples m of the importance-weighted bound.", lower=1)
    bound_curve: tuple[int, ...] = option(
        (),
        "Samples m, such as 1,10,100,1000, whose bounds are written to RUN/bound_curve-SPLIT.json.",
    )
    bound_curve_examples: int = option(1000, "Examples of these bounds, the first.", lower=2)
    accept_changed_data: bool = option(
        False, "Evaluate although the data are not those that the run was trained on."
    )
    output: str = option(
        "", "JSON file of the result. Default: RUN/evaluation-SPLIT.json.", path=True
    )
