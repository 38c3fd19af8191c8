r"""Trains one model with every gradient estimator and compares them.

    python -m trainers.compare_estimators --output_dir=runs/comparison

takes minutes: linear categorical VAEs on the embedded digits. The comparison of a data set that takes hours:

    python -m trainers.compare_estimators --dataset=binarized_mnist --batch_size=100 --epochs=100 \
        --learning_rate=1e-3 --estimators=gumbel_softmax,straight_through --num_seeds=3 \
        --output_dir=runs/comparison-mnist

The same command continues after a kill; finished runs are not repeated. Other estimators, more seeds or
other numbers of epochs may be added to the same folder later: the comparison is of all that it holds.

    python -m trainers.compare_estimators --gradient_report=runs/mine

analyses a run of trainers.categorical_vae instead: bias, variance and cosine of every estimator's gradient
at its weights, by layer.
"""

from __future__ import annotations

from typing import Any

from .common import command_line
from .flags.compare_estimators import Config


def load() -> Any:
    """Imports the program, and TensorFlow with it."""
    from .comparison import compare_estimators

    return compare_estimators.run


def cli() -> None:
    """The console script."""
    command_line.start(Config, load, __doc__)


if __name__ == "__main__":
    cli()
