"""Flags of trainers.train, which has those of a task too."""

from __future__ import annotations

import dataclasses

from . import names
from .config import option


@dataclasses.dataclass(frozen=True)
class Config:
    """Flags of the program, in addition to those of the task."""

    task: str = option(
        "",
        "Task to train: "
        + ", ".join(names.TASKS)
        + ", or one registered by a module of --import_module. "
        "For the flags of a task, give its name and --help.",
        registered=("", *names.TASKS),
    )
    import_module: tuple[str, ...] = option(
        (),
        "Modules to import first: your own registered task, estimators, networks and likelihoods.",
    )
