"""Trains a classifier and generator from few labels: python -m trainers.semi_supervised --help."""

from __future__ import annotations

from typing import Any

from .common import command_line
from .flags.semi_supervised import Config


def load() -> Any:
    """Imports the program, and TensorFlow with it."""
    from .tasks import semi_supervised

    return semi_supervised.run


def cli() -> None:
    """The console script."""
    command_line.start(Config, load, __doc__)


if __name__ == "__main__":
    cli()
