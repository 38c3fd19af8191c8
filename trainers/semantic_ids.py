"""Makes semantic IDs of embeddings: python -m trainers.semantic_ids --embeddings=items.npy --help."""

from __future__ import annotations

from typing import Any

from .common import command_line
from .flags.semantic_ids import Config


def load() -> Any:
    """Imports the program, and TensorFlow with it."""
    from .item_ids import program

    return program.run


def cli() -> None:
    """The console script."""
    command_line.start(Config, load, __doc__)


if __name__ == "__main__":
    cli()
