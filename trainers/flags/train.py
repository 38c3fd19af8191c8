"""Flags of trainers.train, which has those of a task too."""

from __future__ import annotations

import dataclasses

from . import names
from .config import option


@dataclasses.dataclass(frozen=True)
class Config:
    """What is trained."""

    task: str = option(
        "",
        "What is trained: "
        + ", ".join(names.TASKS)
        + ", or what a module of --import_module registers. "
        "The other flags are those of the task: give its name and --help.",
        registered=("", *names.TASKS),
    )
    import_module: tuple[str, ...] = option(
        (),
        "Modules to import first: your own registered task, estimators, networks and likelihoods.",
    )
