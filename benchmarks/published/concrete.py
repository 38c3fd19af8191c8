"""The numbers of the Concrete paper: Maddison, Mnih, Teh, 2016, arXiv:1611.00712."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.published.cell import BERNOULLI, FIXED, LONG, PUBLISHED, STRUCTURED, Cell

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


def concrete() -> Iterator[Cell]:
    """Concrete paper, table 1: relaxed bounds of 1 and 5 samples, and the score function's."""
    for (model, samples), published in CONCRETE.items():
        for estimator, number in zip(_concrete_estimators(samples), published, strict=True):
            cell = _density("concrete", model, 2, samples, estimator, number)
            yield cell
            if samples == 1:
                yield cell.lengthened(LONG, "500000 steps")
            if estimator == "nvil" and model == "200H-784V":
                yield cell._replace(
                    model=f"{cell.model}, faster baseline",
                    settings={**cell.settings, "baseline_learning_rate_factor": 10.0},
                    name=f"{cell.name}-faster-baseline",
                )


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
