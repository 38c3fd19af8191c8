"""The numbers of the Gumbel-Softmax paper: Jang, Gu, Poole, 2016, arXiv:1611.01144."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from benchmarks.published import tuning
from benchmarks.published.cell import BERNOULLI, FIXED, LONG, PUBLISHED, STRUCTURED, Cell

LINEAR_VAE = {
    **FIXED,
    "binarization": "threshold",
    "hidden_units": (),
    "prior": "learned",
    "learning_rate": 1e-2,
    "learning_rate_schedule": "cosine",
}
"""As trainers.compare_estimators trains them, whose runs these are."""

DECAY = 3e-2
"""Decoupled, of the VAEs that have it."""

HOT = {"temperature": 1.5, "temperature_schedule": "constant"}
"""Choice of sweeps for structured prediction."""

FAST = {"learning_rate": 3e-2, "temperature": 2 / 3, "temperature_schedule": "constant"}
"""Choice of a sweep for the VAE with bits."""

AVERAGED = {"learning_rate_schedule": "constant", "weight_average": 0.999}
"""In place of a step size that falls to 0."""

CHOSEN = ("gumbel_softmax", "straight_through_gumbel_softmax")
SCORE = ("score_function", "darn", "muprop", "rebar", "relax", "vimco", "disarm")
"""Estimators whose curves of structured prediction climb on: one long run each."""

REINMAX_TEMPERATURES = (1.25, 1.5, 2.0)
SWEEPS: dict[str, tuple[str, ...]] = {
    "structured-20x10": ("structured_20x10",),
    "structured-20x10, temperature 1.5": ("structured_20x10", "structured_20x10_hotter"),
    "structured-200x2, temperature 1.5": ("structured_200x2",),
    "20x10": ("linear_20x10", "linear_20x10_annealed"),
    "20x10, decay": ("linear_20x10_weight_decay", "linear_20x10_more_weight_decay"),
    "200x2, fast": ("linear_200x2",),
}
"""Recorded sweeps that chose settings, all of them under gumbel_softmax."""

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


def jang() -> Iterator[Cell]:
    """Gumbel-Softmax paper, table 1: two tasks, two kinds of latents, 1000 samples."""
    for cell in base_cells():
        yield cell
        yield from _variants(cell)
        tuned = tuning.tuned(cell)
        if tuned:
            yield tuned


def base_cells() -> Iterator[Cell]:
    """The rows of the table whose settings all estimators share."""
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
            chosen_by = group.removeprefix("binarized_mnist-linear-")
            yield Cell(
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
                sweeps=SWEEPS.get(chosen_by, ()) if estimator == "gumbel_softmax" else (),
            )


def _variants(cell: Cell) -> Iterator[Cell]:
    """Rows with other settings or more steps, next to those of the table."""
    group = cell.name.split("/")[0].removeprefix("binarized_mnist-linear-")
    if cell.trainer == "structured_prediction":
        yield from _structured_variants(cell, f"{group}, temperature 1.5")
    else:
        yield from _vae_variants(cell, group)


def _structured_variants(cell: Cell, sweeps: str) -> Iterator[Cell]:
    """Gumbel-Softmax at its best temperature, and long runs of estimators whose curves climb on."""
    if cell.estimator == "gumbel_softmax":
        yield cell._replace(
            model=f"{cell.model}, temperature 1.5",
            settings={**cell.settings, **HOT},
            name=f"{cell.name}-temperature-1.5",
            sweeps=SWEEPS[sweeps],
        )
    if cell.estimator in SCORE:
        yield cell.lengthened(LONG, "500000 steps")


def _vae_variants(cell: Cell, shape: str) -> Iterator[Cell]:
    """ReinMax of categories at higher temperatures, and the relaxations with weight decay."""
    if cell.estimator == "reinmax" and shape == "20x10":
        for temperature in REINMAX_TEMPERATURES:
            yield cell._replace(
                model=f"{cell.model}, temperature {temperature:g}",
                settings={**cell.settings, "temperature": temperature},
                num_seeds=1,
                results=PUBLISHED.format("gumbel_softmax"),
                name=f"vae-{shape}/{cell.estimator}-temperature-{temperature:g}",
            )
    if cell.estimator in CHOSEN:
        yield from _with_decay(cell, shape)


def _with_decay(cell: Cell, shape: str) -> Iterator[Cell]:
    """With weight decay; of Gumbel-Softmax with either prior, and of categories with more steps too."""
    group = f"vae-{shape}-weight-decay"
    decayed = cell._replace(
        model=f"{cell.model}, weight decay {DECAY}",
        settings={**cell.settings, "weight_decay": DECAY},
        results=PUBLISHED.format("gumbel_softmax"),
        name=f"{group}/{cell.estimator}",
        sweeps=(*cell.sweeps, *SWEEPS.get(f"{shape}, decay", ())) if cell.sweeps else (),
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
            if one is decayed:
                yield one._replace(
                    model=f"{one.model}, constant step size, averaged weights",
                    settings={**one.settings, **AVERAGED},
                    name=f"{one.name}-averaged",
                    num_seeds=1,
                    sweeps=(),
                )
            more = ((2, "twice"),) if one is decayed else ((2, "twice"), (4, "four times"))
            for times, words in more:
                yield one.lengthened(times * one.epochs, f"{words} the steps")
    if chosen and shape == "200x2":
        yield decayed._replace(
            model=f"{decayed.model}, step size 0.03, temperature 2/3",
            settings={**decayed.settings, **FAST},
            name=f"{decayed.name}-step-size-0.03",
            num_seeds=1,
            sweeps=SWEEPS["200x2, fast"],
        )
