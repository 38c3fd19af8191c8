"""Evaluates a run again, finished or not: python -m trainers.evaluate --run=runs/... --help."""

from __future__ import annotations

from typing import Any

from .common import command_line
from .flags.evaluate import Config


def load() -> Any:
    """Imports the program, and TensorFlow with it."""
    from .saved_runs import evaluate

    return evaluate.run


def cli() -> None:
    """The console script."""
    command_line.start(Config, load, __doc__)


if __name__ == "__main__":
    cli()
