"""The numbers of the Gumbel-Rao paper: Paulus, Maddison, Krause, 2020, arXiv:2010.04838.

Its networks are described in an appendix that was not at hand. Those of the Concrete paper stand in for them:
240 units, as variables of 2 to 16 categories, and two tanh layers in each direction.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from benchmarks.published.cell import FIXED, PUBLISHED, Cell

BATCHES = (20, 200)
UNITS = 240
STEPS = 50_000
IMAGES = 50_000
PAULUS = {
    # Table 2, test bounds of 5000 samples: 2, 4, 8 and 16 categories in batches of 20, then of 200.
    "gumbel_softmax": ((98.2, 95.7, 95.5, 96.8), (96.4, 93.8, 92.3, 94.3)),
    "score_function": ((202.6, 173.7, 203.9, 169.4), (121.4, 122.2, 124.9, 129.5)),
    "straight_through": ((105.5, 106.2, 107.2, 108.2), (103.1, 104.5, 105.1, 104.5)),
    "straight_through_gumbel_softmax": ((100.7, 99.1, 98.0, 98.8), (97.1, 93.7, 92.8, 92.6)),
    "gumbel_rao": ((100.7, 97.8, 97.4, 97.9), (97.4, 93.8, 93.1, 92.4)),
}
"""By estimator; gumbel_rao has 10 samples given the one-hot one, as ours."""
TEMPERATURES = {
    "gumbel_softmax": 0.65,
    "straight_through_gumbel_softmax": 0.65,
    "gumbel_rao": 0.35,
}
"""Means of the paper's best models; that of the relaxation is not named there."""


def paulus() -> Iterator[Cell]:
    """Gumbel-Rao paper, table 2: VAEs of 2 to 16 categories in small and in large batches."""
    for row, batch in enumerate(BATCHES):
        for column, categories in enumerate((2, 4, 8, 16)):
            for estimator, numbers in PAULUS.items():
                settings: dict[str, Any] = {
                    **FIXED,
                    "batch_size": batch,
                    "latents": "bernoulli" if categories == 2 else "categorical",
                    "num_categories": categories,
                    "num_variables": UNITS // (categories.bit_length() - 1),
                    "hidden_units": (UNITS, UNITS),
                    "activation": "tanh",
                    "binarization": "threshold",
                    "output_bias": "mean",
                    "prior": "learned",
                    "learning_rate": 1e-3,
                    "learning_rate_schedule": "cosine",
                    "bound_samples": 5000,
                    "estimator": estimator,
                }
                if estimator in TEMPERATURES:
                    settings["temperature"] = TEMPERATURES[estimator]
                    settings["temperature_schedule"] = "constant"
                yield Cell(
                    "gumbel_rao",
                    f"240 units, {categories} categories, batch {batch}",
                    estimator,
                    numbers[row][column],
                    "categorical_vae",
                    settings,
                    STEPS * batch // IMAGES,
                    1,
                    PUBLISHED.format("gumbel_rao"),
                    f"{categories}ary-batch-{batch}-{estimator}",
                )
