"""Trains a quantised autoencoder, images to codewords: python -m trainers.quantized_autoencoder --help."""

from __future__ import annotations

from typing import Any

from .common import command_line
from .flags.quantized_autoencoder import Config


def load() -> Any:
    """Imports the program, and TensorFlow with it."""
    from .tasks import quantized_autoencoder

    return quantized_autoencoder.run


def cli() -> None:
    """The console script."""
    command_line.start(Config, load, __doc__)


if __name__ == "__main__":
    cli()
