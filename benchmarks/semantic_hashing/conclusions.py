"""Judges what the slides on Gumbel-Softmax and semantic hashing conclude, by the cells of the study."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from statistics import fmean, stdev
from typing import Any

import numpy as np

from benchmarks.codes.models import GUMBEL, HASHING
from trainers.common.tables import markdown

COMPARABLE = 0.1
"""Errors that differ by less than this share of the smaller one are comparable."""
SMALL = 32
"""Variables of the largest code that the slides call best for samples."""
OUTCOMES = ("error", "inception score, independent", "inception score, lstm")
ERROR, INDEPENDENT, LSTM = OUTCOMES

Cell = dict[str, Any]
"""The record of one training."""

TEXT = """What the slides conclude, judged by the cells that every seed has finished. A number is computed \
within each seed; here is its mean +- standard error, which counts as 0 for a single seed. *Confirmed*: the \
mean is above the bound by more than 2 standard errors; *not confirmed*: below by as many; *not decided*: in \
between, or cells are missing.
"""
HEADER = (
    "the slides say",
    "number (of binary codes, where none are named)",
    "above",
    "found",
    "verdict",
)


def outcome(cell: Cell, name: str) -> float:
    """Returns the error of a cell, or its inception score under a prior."""
    if name == ERROR:
        return cell["reconstruction_nats"]
    return cell["generation"][name.split(", ")[1]]["inception_score"]


def is_usual(cell: Cell, config: dict[str, Any]) -> bool:
    """Whether a cell has the study's own noise or temperatures."""
    return all(config[name] == value for name, value in cell["settings"].items())


def is_tried(cell: Cell, config: dict[str, Any]) -> bool:
    """Whether a cell belongs to the comparison of hyper-parameters."""
    return (cell["num_variables"], cell["num_categories"]) == (config["sensitivity_bits"], 2)


def groups(cells: Sequence[Cell]) -> list[list[Cell]]:
    """Returns the finished cells by bits and method; those that differ only in the seed are a group."""
    found: dict[Any, list[Cell]] = {}
    for cell in sorted(cells, key=lambda cell: cell["seed"]):
        key = (cell["bits"], cell["method"], cell["num_variables"], *cell["settings"].values())
        if cell["status"] == "finished":
            found.setdefault(key, []).append(cell)
    return [found[key] for key in sorted(found)]


def table(cells: Sequence[Cell], config: dict[str, Any]) -> str:
    """Returns a verdict on each claim, with its number."""
    num_seeds = len({cell["seed"] for cell in cells})
    complete = [group for group in groups(cells) if len(group) == num_seeds]
    seeds = [list(claims(some, config)) for some in zip(*complete, strict=True)]
    rows = []
    for same in zip(*seeds, strict=True):
        claim, rule, bound, _ = same[0]
        values = [value for *_, value in same]
        number = f"{fmean(values):.3f} +- {standard_error(values):.3f}"
        rows.append((claim, rule, f"{bound:g}", number, verdict(values, bound)))
    return f"{TEXT}\n{markdown(HEADER, rows)}"


def claims(
    cells: Sequence[Cell], config: dict[str, Any]
) -> Iterator[tuple[str, str, float, float]]:
    """Yields claims: the sentence, the rule, the bound, the number in the cells of one seed or NaN."""
    usual = [cell for cell in cells if is_usual(cell, config)]
    binary = [cell for cell in usual if cell["num_categories"] == 2]
    gumbel, hashing = (
        {cell["num_variables"]: cell for cell in binary if cell["method"] == method}
        for method in (GUMBEL, HASHING)
    )
    equal = [(gumbel[n], hashing[n]) for n in sorted(gumbel.keys() & hashing.keys())]
    coarse = []
    for cell in (cell for cell in usual if cell not in binary):
        distance, n = min(((abs(n - cell["bits"]), n) for n in gumbel), default=(math.inf, 0))
        coarse += [(cell, gumbel[n])] if distance <= COMPARABLE * cell["bits"] else []
    small = [cell for cell in binary if cell["num_variables"] <= SMALL]
    praised = [outcome(cell, LSTM) for cell in small]
    others = [outcome(cell, INDEPENDENT) for cell in usual]
    others += [outcome(cell, LSTM) for cell in usual if cell not in small]

    def apart(pairs: list[tuple[Cell, Cell]]) -> float:
        errors = [[outcome(cell, ERROR) for cell in pair] for pair in pairs]
        return _mean([abs(one - other) / min(one, other) for one, other in errors])

    def leads(name: str) -> list[float]:
        return [outcome(one, name) - outcome(other, name) for one, other in equal]

    def deviation(method: str, name: str) -> float:
        tried = [c for c in cells if c["method"] == method and is_tried(c, config)]
        return stdev(outcome(c, name) for c in tried) if len(tried) > 1 else math.nan

    share = f"{100 * COMPARABLE:.0f} %"
    yield (
        "The two are comparable.",
        f"{share} less the difference of the errors at equal bits (share of the smaller, mean over sizes)",
        *(0.0, COMPARABLE - apart(equal)),
    )
    for name in (INDEPENDENT, LSTM):
        yield (
            "Gumbel-Softmax is better at sampling.",
            f"{name}: Gumbel-Softmax less semantic hashing, mean over the sizes",
            *(0.0, _mean(leads(name))),
        )
    yield (
        "Semantic hashing scales better with the number of variables.",
        "gain in error from the fewest to the most variables: semantic hashing less Gumbel-Softmax, nats",
        *(0.0, leads(ERROR)[-1] - leads(ERROR)[0] if len(equal) > 1 else math.nan),
    )
    yield (
        "Gumbel-Softmax is sensitive to the number of categories.",
        "difference of its errors with more than two categories and with two, at bits that differ by at most "
        f"{share} (share of the smaller, mean over the sizes)",
        *(COMPARABLE, apart(coarse)),
    )
    yield (
        "Sampling is best with binary variables and the recurrent prior.",
        f"best {LSTM}, at most {SMALL} variables, less the best of all other codes and priors",
        *(0.0, max(praised, default=math.nan) - max(others, default=math.nan)),
    )
    for name in OUTCOMES:
        yield (
            "Semantic hashing has fewer hyper-parameters to tune.",
            f"{name}: standard deviation over the temperatures of Gumbel-Softmax less that over the noise of "
            "semantic hashing",
            *(0.0, deviation(GUMBEL, name) - deviation(HASHING, name)),
        )


def verdict(values: Sequence[float], bound: float) -> str:
    """Returns the verdict on a claim whose number in each seed should be above a bound."""
    above = fmean(values) - bound
    if abs(above) > 2 * standard_error(values):
        return "confirmed" if above > 0 else "not confirmed"
    return "not decided"


def standard_error(values: Sequence[float]) -> float:
    """Returns the standard error of the mean; 0 for a single value, whose spread is unknown."""
    return float(np.std(values, ddof=1)) / math.sqrt(len(values)) if len(values) > 1 else 0.0


def _mean(values: list[float]) -> float:
    return fmean(values) if values else math.nan
