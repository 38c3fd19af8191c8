"""Finds images by their codes: python -m trainers.search --run=RUN --query=cat.png --help."""

from __future__ import annotations

from typing import Any

from .common import command_line
from .flags.search import Config


def load() -> Any:
    """Imports the program, and TensorFlow with it."""
    from .saved_runs import search

    return search.run


def cli() -> None:
    """The console script."""
    command_line.start(Config, load, __doc__)


if __name__ == "__main__":
    cli()
