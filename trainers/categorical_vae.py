"""Trains a categorical VAE: python -m trainers.categorical_vae --help."""

from __future__ import annotations

from typing import Any

from .common import command_line
from .flags.categorical_vae import Config


def load() -> Any:
    """Imports the program, and TensorFlow with it."""
    from .tasks import categorical_vae

    return categorical_vae.run


def cli() -> None:
    """The console script."""
    command_line.start(Config, load, __doc__)


if __name__ == "__main__":
    cli()
