"""Exports the model of a finished run: python -m trainers.export --run=RUN --path=FOLDER."""

from __future__ import annotations

from typing import Any

from .common import command_line
from .flags.export import Config


def load() -> Any:
    """Imports the program, and TensorFlow with it."""
    from .saved_runs import export

    return export.run


def cli() -> None:
    """The console script."""
    command_line.start(Config, load, __doc__)


if __name__ == "__main__":
    cli()
