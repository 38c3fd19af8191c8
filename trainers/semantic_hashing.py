"""Trains a semantic hashing autoencoder, images to bits: python -m trainers.semantic_hashing --help."""

from __future__ import annotations

from typing import Any

from .common import command_line
from .flags.semantic_hashing import Config


def load() -> Any:
    """Imports the program, and TensorFlow with it."""
    from .tasks import semantic_hashing

    return semantic_hashing.run


def cli() -> None:
    """The console script."""
    command_line.start(Config, load, __doc__)


if __name__ == "__main__":
    cli()
