"""Flags of trainers.evaluate."""

from __future__ import annotations

import dataclasses

from .config import option


@dataclasses.dataclass(frozen=True)
class Config:
    """What is evaluated, and how."""

    run: str = option("", "Folder of the run.", path=True)
    checkpoint: str = option("best", "Which epoch.", choices=("best", "last"))
    split: str = option("test", "Of the data.", choices=("train", "validation", "test"))
    bound_samples: int = option(1000, "Samples m of the importance-weighted bound.", lower=1)
    dataset: str = option("", "The data, if they have moved. Default: those of the run.")
    data_dir: str = option("", "Folder of prepared TFDS data. Default: that of the run.", path=True)
    accept_changed_data: bool = option(
        False, "Evaluate although the data are not those that the run was trained on."
    )
    import_module: tuple[str, ...] = option(
        (), "Modules to import first. Those that the run has imported must be among them."
    )
    trust_run: bool = option(
        False, "Import the modules that the run names without naming them. They are code."
    )
    output: str = option(
        "", "JSON file of the result. Default: RUN/evaluation-SPLIT.json.", path=True
    )
