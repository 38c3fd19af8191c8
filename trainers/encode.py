"""Encodes images in bulk: python -m trainers.encode --model=SAVED_MODEL --input=IMAGES --output=CODES."""

from __future__ import annotations

from typing import Any

from .common import command_line
from .flags.encode import Config


def load() -> Any:
    """Imports the program, and TensorFlow with it."""
    from .bulk import encode

    return encode.run


def cli() -> None:
    """The console script."""
    command_line.start(Config, load, __doc__)


if __name__ == "__main__":
    cli()
