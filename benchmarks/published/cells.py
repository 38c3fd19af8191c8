"""The published numbers, each with the configuration that answers it here.

A cell is one number of a table: a model under an estimator. All numbers are negative log-likelihoods or
negative bounds of the test images in nats; lower is better.
"""

from __future__ import annotations

import pathlib
from collections.abc import Iterator
from typing import Any, NamedTuple

RESULTS = pathlib.Path(__file__).parent.parent / "results"


class Cell(NamedTuple):
    """One number of a published table.

    Attributes:
        table: name of the table, see `TABLES`.
        model: as the paper writes it.
        estimator: registered name.
        published: nats, or None where the paper has no number for this estimator.
        trainer: module under `trainers`.
        settings: fields of the trainer's configuration that differ from its defaults.
        epochs: of training.
        num_seeds: that a complete table has.
        store: folder under benchmarks/results that keeps the runs.
        stem: of the files in it, STEM-SEED.json.
        metric: field of a kept run's result that is compared, with its sign turned.
    """

    table: str
    model: str
    estimator: str
    published: float | None
    trainer: str
    settings: dict[str, Any]
    epochs: int
    num_seeds: int
    store: str
    stem: str
    metric: str = "test/bound_nats"

    def path(self, seed: int) -> pathlib.Path:
        """The file that keeps one run."""
        return RESULTS / self.store / f"{self.stem}-{seed}.json"


FIXED = {"dataset": "binarized_mnist", "batch_size": 100, "monitor_every": 100, "pictures_every": 0}
BERNOULLI = {"latents": "bernoulli", "num_categories": 2}
LINEAR_VAE = {
    **FIXED,
    "binarization": "threshold",
    "hidden_units": (),
    "prior": "learned",
    "learning_rate": 1e-2,
    "learning_rate_schedule": "cosine",
}
"""As trainers.compare_estimators trains them, whose runs these are."""

STRUCTURED = {
    **FIXED,
    "learning_rate": 1e-2,
    "learning_rate_schedule": "cosine",
    "temperature": 1.0,
    "weight_decay": 5e-2,
}
CHOSEN = ("gumbel_softmax", "straight_through_gumbel_softmax")
NEWER = ("reinmax", "gumbel_rao", "rebar", "relax", "vimco", "disarm")

JANG = {
    # Jang, Gu, Poole 2016, table 1, in the order of its columns.
    "structured prediction, Bernoulli": (72.0, 59.7, 58.9, 58.9, 58.7, 58.5, 59.3),
    "structured prediction, categorical": (73.1, 67.9, 63.0, 61.8, 61.1, 59.0, 59.7),
    "VAE, Bernoulli": (112.2, 110.9, 109.7, 116.0, 111.5, 105.0, 111.5),
    "VAE, categorical": (110.6, 128.8, 107.0, 110.9, 107.8, 101.5, 107.8),
}
JANG_ESTIMATORS = (
    "score_function",
    "darn",
    "muprop",
    "straight_through",
    "slope_annealed_straight_through",
    "gumbel_softmax",
    "straight_through_gumbel_softmax",
)
CONCRETE = {
    # Maddison, Mnih, Teh 2016, table 1, MNIST test: Concrete, and NVIL (m = 1) or VIMCO beside it.
    ("200H-784V", 1): (107.3, 104.4),
    ("200H-784V", 5): (104.9, 101.9),
    ("200H~784V", 1): (92.1, 93.8),
    ("200H~784V", 5): (89.5, 91.4),
}
REINMAX_SHAPES = {
    # num_variables x num_categories: learning rate and temperature of ReinMax, protocol of its code.
    (4, 8): (5e-4, 1.3),
    (16, 8): (7e-4, 1.5),
}


def jang() -> Iterator[Cell]:
    """Gumbel-Softmax paper, table 1: two tasks, two kinds of latents, 1000 samples."""
    for model, numbers in JANG.items():
        published = dict(zip(JANG_ESTIMATORS, numbers, strict=True))
        bernoulli = model.endswith("Bernoulli")
        sizes = {**BERNOULLI} if bernoulli else {"num_categories": 10}
        shape = "200x2" if bernoulli else "20x10"
        for estimator in (*JANG_ESTIMATORS, *NEWER):
            chosen = estimator in (*CHOSEN, "reinmax")
            if model.startswith("VAE"):
                trainer, base = "categorical_vae", LINEAR_VAE
                sizes["num_variables"] = 200 if bernoulli else 20
                store = f"estimators/binarized_mnist-linear-{shape}"
            else:
                trainer, base = "structured_prediction", STRUCTURED
                sizes["num_variables"] = (200,) if bernoulli else (20,)
                store = f"published/structured-{shape}"
            yield Cell(
                "gumbel_softmax",
                model,
                estimator,
                published.get(estimator),
                trainer,
                {**base, **sizes, "estimator": estimator},
                100 if chosen else 40,
                3 if chosen else 1,
                store,
                estimator,
            )


def concrete() -> Iterator[Cell]:
    """Concrete paper, table 1: relaxed bounds of 1 and 5 samples, and the score function's."""
    for (model, samples), (relaxed, score) in CONCRETE.items():
        network = {"hidden_units": (200, 200) if "~" in model else (), "activation": "tanh"}
        common = {
            **FIXED,
            **BERNOULLI,
            **network,
            "binarization": "threshold",
            "num_variables": 200,
            "num_samples": samples,
            "units": "plus_minus",
            "centering": True,
            "output_bias": "mean",
            "prior": "learned",
            "learning_rate": 1e-3 if "~" in model else 3e-3,
            "learning_rate_schedule": "cosine",
        }
        several = samples > 1
        for estimator, published, own in (
            (
                "gumbel_softmax",
                relaxed,
                {
                    "objective": "relaxed_importance_weighted" if several else "relaxed_elbo",
                    "temperature": 2 / 3,
                    "temperature_schedule": "constant",
                    "prior_temperature": 0.5,
                },
            ),
            (
                "vimco" if several else "nvil",
                score,
                {"objective": "importance_weighted" if several else "elbo"},
            ),
        ):
            stem = f"{model.replace('~', '-nonlinear-')}-m{samples}-{estimator}"
            yield Cell(
                "concrete",
                f"{model}, m = {samples}",
                estimator,
                published,
                "categorical_vae",
                {**common, **own, "estimator": estimator},
                100,
                1,
                "published/concrete",
                stem,
            )


def reinmax() -> Iterator[Cell]:
    """ReinMax and Gapped Straight-Through papers: a grid of shapes, grey pixels as Bernoulli targets."""
    for (variables, categories), (rate, temperature) in REINMAX_SHAPES.items():
        for estimator, warmth in (
            ("reinmax", temperature),
            ("straight_through_gumbel_softmax", 0.5),
            ("gapped_straight_through", 0.7),
        ):
            settings = {
                "dataset": "mnist",
                "likelihood": "bernoulli",
                "num_variables": variables,
                "num_categories": categories,
                "batch_size": 100,
                "monitor_every": 100,
                "pictures_every": 0,
                "learning_rate": rate,
                "validation_fraction": 0.001,
                "temperature": warmth,
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
                160,
                1,
                "published/reinmax",
                f"{variables}x{categories}-{estimator}",
                "test/hard_elbo_nats",
            )


TABLES = {"gumbel_softmax": jang, "concrete": concrete, "reinmax": reinmax}


def cells(table: str) -> list[Cell]:
    """All cells of a table, in its order.

    Raises:
        ValueError: an unknown table.
    """
    if table not in TABLES:
        raise ValueError(f"table must be one of {', '.join(TABLES)}. Received: table={table!r}")
    return list(TABLES[table]())
