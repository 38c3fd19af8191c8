"""Trains an autoregressive prior on a run's codes: python -m trainers.autoregressive_prior --run=RUN.

The folder of the prior is a run of its own: the same command continues it after a kill, and scores it again
when it is finished.
"""

from __future__ import annotations

from typing import Any

from .common import command_line
from .flags.autoregressive_prior import Config


def load() -> Any:
    """Imports the program, and TensorFlow with it."""
    from .saved_runs import autoregressive_prior

    return autoregressive_prior.run


def cli() -> None:
    """The console script."""
    command_line.start(Config, load, __doc__)


if __name__ == "__main__":
    cli()
