"""Trains a model of one half of an image given the other: python -m trainers.structured_prediction --help."""

from __future__ import annotations

from typing import Any

from .common import command_line
from .flags.structured_prediction import Config


def load() -> Any:
    """Imports the program, and TensorFlow with it."""
    from .tasks import structured_prediction

    return structured_prediction.run


def cli() -> None:
    """The console script."""
    command_line.start(Config, load, __doc__)


if __name__ == "__main__":
    cli()
