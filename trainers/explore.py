"""Writes an offline page to explore a run: python -m trainers.explore --run=RUN --output=explorer.html."""

from __future__ import annotations

from typing import Any

from .common import command_line
from .flags.explore import Config


def load() -> Any:
    """Imports the program, and TensorFlow with it."""
    from .saved_runs import explore

    return explore.run


def cli() -> None:
    """The console script."""
    command_line.start(Config, load, __doc__)


if __name__ == "__main__":
    cli()
