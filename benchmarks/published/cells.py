"""The published numbers, each with the configuration that answers it here.

A cell is one number of a table: a model under an estimator. All numbers are negative log-likelihoods or
negative bounds of the test images in nats; lower is better.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple


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
        results: table of benchmarks/results that holds the runs.
        name: of the runs in it, NAME-SEED.
        metric: field of a recorded result that is compared, with its sign turned.
    """

    table: str
    model: str
    estimator: str
    published: float | None
    trainer: str
    settings: dict[str, Any]
    epochs: int
    num_seeds: int
    results: str
    name: str
    metric: str = "test/bound_nats"

    def run(self, seed: int) -> str:
        """The name of one run."""
        return f"{self.name}-{seed}"


PUBLISHED = "published-{}"
"""Table of benchmarks/results with the runs of a published table."""

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
DECAY = 3e-2
"""Decoupled, of the VAEs that have it."""
HOT = {"temperature": 1.5, "temperature_schedule": "constant"}
"""Choice of sweeps for structured prediction."""
FAST = {"learning_rate": 3e-2, "temperature": 2 / 3, "temperature_schedule": "constant"}
"""Choice of a sweep for the VAE with bits."""

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
    # Maddison, Mnih, Teh 2016, table 1, MNIST test: Concrete, then NVIL (m = 1) or VIMCO.
    ("200H-784V", 1): (107.3, 104.4),
    ("200H-784V", 5): (104.9, 101.9),
    ("200H-200H-784V", 1): (102.1, 92.9),
    ("200H-200H-784V", 5): (99.9, 91.7),
    ("200H~784V", 1): (92.1, 93.8),
    ("200H~784V", 5): (89.5, 91.4),
    ("200H~200H~784V", 1): (87.9, 88.4),
    ("200H~200H~784V", 5): (86.3, 86.4),
}
ARITY = {
    # The same, table 2: Concrete with 240 units as variables of 2, 4 and 8 categories, m = 1 and 5.
    "240H~784V": {2: (91.9, 89.0), 4: (91.4, 89.4), 8: (92.5, 90.5)},
    "240H~240H~784V": {2: (87.9, 86.6), 4: (87.4, 86.7), 8: (88.2, 87.4)},
}
ARITY_TEMPERATURES = {2: (2 / 3, 1 / 2), 4: (1.0, 2 / 3), 8: (2 / 3, 2 / 5)}
"""Temperatures of the posterior and of the prior, by number of categories."""

CONCRETE_STRUCTURED = {
    # The same, figure 4, test, bounds of 100 samples: Concrete, then NVIL (m = 1) or VIMCO.
    ("392V-240H-240H-392V", 1): (58.5, 61.4),
    ("392V-240H-240H-392V", 5): (54.3, 54.5),
    ("392V-240H-240H-240H-392V", 1): (56.3, 59.7),
    ("392V-240H-240H-240H-392V", 5): (52.7, 53.5),
}


class Tuned(NamedTuple):
    """Choice of the ReinMax paper's grid for a shape: (learning rate, temperature) of each estimator."""

    reinmax: tuple[float, float]
    straight_through_gumbel_softmax: tuple[float, float]
    gapped_straight_through: tuple[float, float]


REINMAX_SHAPES = {
    # (num_variables, num_categories), protocol of the code.
    (4, 8): Tuned((5e-4, 1.3), (3e-4, 0.5), (5e-4, 0.7)),
    (24, 4): Tuned((5e-4, 1.5), (5e-4, 0.3), (5e-4, 0.5)),
    (16, 8): Tuned((7e-4, 1.5), (5e-4, 0.5), (7e-4, 0.5)),
    (12, 16): Tuned((7e-4, 1.5), (7e-4, 0.7), (7e-4, 0.5)),
    (8, 64): Tuned((5e-4, 1.5), (7e-4, 0.7), (7e-4, 0.7)),
    (30, 10): Tuned((5e-4, 1.3), (5e-4, 0.5), (5e-4, 0.5)),
}


def jang() -> Iterator[Cell]:
    """Gumbel-Softmax paper, table 1: two tasks, two kinds of latents, 1000 samples."""
    for model, numbers in JANG.items():
        published = dict(zip(JANG_ESTIMATORS, numbers, strict=True))
        bernoulli = model.endswith("Bernoulli")
        sizes: dict[str, Any] = {**BERNOULLI} if bernoulli else {"num_categories": 10}
        shape = "200x2" if bernoulli else "20x10"
        for estimator in (*JANG_ESTIMATORS, *NEWER):
            title, stem = model, estimator
            own: dict[str, Any] = {"estimator": estimator}
            longer = estimator in CHOSEN
            if model.startswith("VAE"):
                longer |= estimator in ("reinmax", "disarm")
                trainer, base = "categorical_vae", LINEAR_VAE
                sizes["num_variables"] = 200 if bernoulli else 20
                results, group = "estimators", f"binarized_mnist-linear-{shape}"
            else:
                trainer, base = "structured_prediction", STRUCTURED
                sizes["num_variables"] = (200,) if bernoulli else (20,)
                results, group = PUBLISHED.format("gumbel_softmax"), f"structured-{shape}"
                if estimator == "vimco":  # With single samples it would be the score function.
                    title, stem = f"{model}, bound of 5 samples", "vimco-m5"
                    own |= {"objective": "multi_sample", "num_samples": 5}
            cell = Cell(
                "gumbel_softmax",
                title,
                estimator,
                published.get(estimator),
                trainer,
                {**base, **sizes, **own},
                100 if longer else 40,
                3 if longer else 1,
                results,
                f"{group}/{stem}",
            )
            yield cell
            if estimator == "gumbel_softmax" and trainer == "structured_prediction":
                yield cell._replace(
                    model=f"{model}, temperature 1.5",
                    settings={**cell.settings, **HOT},
                    name=f"{cell.name}-temperature-1.5",
                )
            if trainer == "categorical_vae" and estimator in CHOSEN:
                yield from _with_decay(cell, shape)


def _with_decay(cell: Cell, shape: str) -> Iterator[Cell]:
    """With weight decay; of Gumbel-Softmax with either prior, and of categories with more steps too."""
    group = f"vae-{shape}-weight-decay"
    decayed = cell._replace(
        model=f"{cell.model}, weight decay {DECAY}",
        settings={**cell.settings, "weight_decay": DECAY},
        results=PUBLISHED.format("gumbel_softmax"),
        name=f"{group}/{cell.estimator}",
    )
    uniform = decayed._replace(
        model=f"{decayed.model}, uniform prior",
        settings={**decayed.settings, "prior": "uniform"},
        name=f"{group}-uniform-prior/{cell.estimator}",
        num_seeds=1,
    )
    chosen = cell.estimator == "gumbel_softmax"
    for one in (decayed, uniform) if chosen else (decayed,):
        yield one
        if chosen and shape == "20x10":
            more = ((2, "twice"),) if one is decayed else ((2, "twice"), (4, "four times"))
            for times, words in more:
                path, stem = one.name.split("/")
                yield one._replace(
                    model=f"{one.model}, {words} the steps",
                    epochs=times * one.epochs,
                    name=f"{path}-{words.replace(' ', '-')}-the-steps/{stem}",
                    num_seeds=1,
                )
    if chosen and shape == "200x2":
        yield decayed._replace(
            model=f"{decayed.model}, step size 0.03, temperature 2/3",
            settings={**decayed.settings, **FAST},
            name=f"{decayed.name}-step-size-0.03",
            num_seeds=1,
        )


def concrete() -> Iterator[Cell]:
    """Concrete paper, table 1: relaxed bounds of 1 and 5 samples, and the score function's."""
    for (model, samples), published in CONCRETE.items():
        for estimator, number in zip(_concrete_estimators(samples), published, strict=True):
            yield _density("concrete", model, 2, samples, estimator, number)


def arity() -> Iterator[Cell]:
    """Concrete paper, table 2: as many units, in variables of 2, 4 and 8 categories."""
    for model, rows in ARITY.items():
        for categories, numbers in rows.items():
            for samples, published in zip((1, 5), numbers, strict=True):
                yield _density("arity", model, categories, samples, "gumbel_softmax", published)


def concrete_structured() -> Iterator[Cell]:
    """Concrete paper, figure 4: structured prediction with two and three layers of 240 units."""
    for (model, samples), published in CONCRETE_STRUCTURED.items():
        for estimator, number in zip(_concrete_estimators(samples), published, strict=True):
            settings = {
                **STRUCTURED,
                **BERNOULLI,
                "num_variables": (240,),
                "num_layers": model.count("240H"),
                "code_values": "plus_minus",
                "centering": True,
                "num_samples": samples,
                "objective": "multi_sample" if samples > 1 else "single_sample",
                "bound_samples": 100,
                "temperature": 2 / 3 if estimator == "gumbel_softmax" else 0.0,
                "estimator": estimator,
            }
            yield Cell(
                "concrete_structured",
                f"{model}, m = {samples}",
                estimator,
                number,
                "structured_prediction",
                settings,
                100,
                1,
                PUBLISHED.format("concrete_structured"),
                f"{model}-m{samples}-{estimator}",
            )


def _concrete_estimators(samples: int) -> tuple[str, str]:
    return "gumbel_softmax", "vimco" if samples > 1 else "nvil"


def _density(
    table: str, model: str, categories: int, samples: int, estimator: str, published: float
) -> Cell:
    """A density model of the Concrete paper, "-" for an affine map and "~" for two tanh layers."""
    nonlinear, units = "~" in model, int(model.split("H")[0])
    posterior, prior = ARITY_TEMPERATURES[categories]
    if estimator == "gumbel_softmax":
        objective = "relaxed_importance_weighted" if samples > 1 else "relaxed_elbo"
    else:
        objective = "importance_weighted" if samples > 1 else "elbo"
    settings = {
        **FIXED,
        "latents": "bernoulli" if categories == 2 else "categorical",
        "num_categories": categories,
        # 240 units are 240 bits, 120 variables of 4 categories or 80 of 8.
        "num_variables": units // (categories.bit_length() - 1),
        "num_layers": model.count("H"),
        "hidden_units": (units, units) if nonlinear else (),
        "activation": "tanh",
        "binarization": "threshold",
        "num_samples": samples,
        "code_values": "plus_minus",
        "centering": True,
        "output_bias": "mean",
        "prior": "learned",
        "learning_rate": 3e-3 if nonlinear else 1e-2,
        "learning_rate_schedule": "cosine",
        "objective": objective,
        "estimator": estimator,
    }
    if estimator == "gumbel_softmax":
        settings["temperature"], settings["temperature_schedule"] = posterior, "constant"
        settings["prior_temperature"] = prior
    arities = f"-{categories}ary" if table == "arity" else ""
    shown = f", {categories} categories" if table == "arity" else ""
    return Cell(
        table,
        f"{model}{shown}, m = {samples}",
        estimator,
        published,
        "categorical_vae",
        settings,
        100,
        1,
        PUBLISHED.format(table),
        f"{model.replace('~', '-nonlinear-')}{arities}-m{samples}-{estimator}",
    )


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


TABLES = {
    "gumbel_softmax": jang,
    "concrete": concrete,
    "arity": arity,
    "concrete_structured": concrete_structured,
    "reinmax": reinmax,
}


def cells(table: str) -> list[Cell]:
    """All cells of a table, in its order.

    Raises:
        ValueError: an unknown table.
    """
    if table not in TABLES:
        raise ValueError(f"table must be one of {', '.join(TABLES)}. Received: table={table!r}")
    return list(TABLES[table]())
