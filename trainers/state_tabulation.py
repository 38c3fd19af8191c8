"""Learns to act from pictures by a table of discrete states: python -m trainers.state_tabulation --help."""

from __future__ import annotations

from typing import Any

from .common import command_line
from .flags.state_tabulation import Config


def load() -> Any:
    """Imports the program, and TensorFlow with it."""
    from .tabulation import program

    return program.run


def cli() -> None:
    """The console script."""
    command_line.start(Config, load, __doc__)


if __name__ == "__main__":
    cli()
