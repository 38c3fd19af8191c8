"""The grid of the ReinMax paper: Liu et al., 2023, arXiv:2304.08612."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from benchmarks.published.cell import PUBLISHED, Cell


class Tuned(NamedTuple):
    """Choice of the ReinMax paper's grid for a shape: (learning rate, temperature) of each estimator."""

    reinmax: tuple[float, float]
    straight_through_gumbel_softmax: tuple[float, float]
    gapped_straight_through: tuple[float, float]


SMALLEST = (4, 8)
"""The shape for which the grids of all three estimators chose Adam; for the others they chose RAdam."""

REINMAX_SHAPES = {
    # (num_variables, num_categories), protocol of the code.
    SMALLEST: Tuned((5e-4, 1.3), (3e-4, 0.5), (5e-4, 0.7)),
    (24, 4): Tuned((5e-4, 1.5), (5e-4, 0.3), (5e-4, 0.5)),
    (16, 8): Tuned((7e-4, 1.5), (5e-4, 0.5), (7e-4, 0.5)),
    (12, 16): Tuned((7e-4, 1.5), (7e-4, 0.7), (7e-4, 0.5)),
    (8, 64): Tuned((5e-4, 1.5), (7e-4, 0.7), (7e-4, 0.7)),
    (30, 10): Tuned((5e-4, 1.3), (5e-4, 0.5), (5e-4, 0.5)),
}


def reinmax() -> Iterator[Cell]:
    """ReinMax and Gapped Straight-Through papers: a grid of shapes, grey pixels as Bernoulli targets."""
    for (variables, categories), tuned in REINMAX_SHAPES.items():
        for estimator, (rate, temperature) in tuned._asdict().items():
            settings = {
                "dataset": "mnist",
                "likelihood": "bernoulli",
                "output_bias": "mean",
                "num_variables": variables,
                "num_categories": categories,
                "batch_size": 100,
                "monitor_every": 100,
                "pictures_every": 0,
                "learning_rate": rate,
                **({} if (variables, categories) == SMALLEST else {"optimizer": "rectified_adam"}),
                "validation_fraction": 0.001,
                "temperature": temperature,
                "temperature_schedule": "constant",
                "estimator": estimator,
            }
            yield Cell(
                "reinmax",
                f"{variables} variables x {categories} categories",
                estimator,
                None,
                "categorical_vae",
                settings,
                80,  # Half of the paper's.
                1,
                PUBLISHED.format("reinmax"),
                f"{variables}x{categories}-{estimator}",
                "test/hard_elbo_nats",
            )
