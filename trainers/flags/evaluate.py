"""Flags of trainers.evaluate."""

from __future__ import annotations

import dataclasses

from .config import option
from .finished_run import MovedDataFlags, TrustFlags


@dataclasses.dataclass(frozen=True)
class Config(TrustFlags, MovedDataFlags):
    """Flags of the evaluation."""

    run: str = option("", "Directory of the run.", path=True)
    checkpoint: str = option(
        "best", "Checkpoint to evaluate: the best or the last epoch.", choices=("best", "last")
    )
    split: str = option(
        "test", "Split of the data to evaluate.", choices=("train", "validation", "test")
    )
    bound_samples: int = option(
        1000, "Number m of samples of the importance-weighted bound.", lower=1
    )
    bound_curve: tuple[int, ...] = option(
        (),
        "Numbers of samples, such as 1,10,100,1000, whose bounds are written to RUN/bound_curve-SPLIT.json.",
    )
    bound_curve_examples: int = option(
        1000, "Number of examples of --bound_curve, from the start of the split.", lower=2
    )
    accept_changed_data: bool = option(
        False, "Evaluate although the data have changed since training."
    )
    output: str = option(
        "", "JSON file of the result. Default: RUN/evaluation-SPLIT.json.", path=True
    )
