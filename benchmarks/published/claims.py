"""Judges what papers and talks say of the relaxations, by the rows of the published tables and the sweeps."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from benchmarks import store
from benchmarks.intervals import quantile
from benchmarks.published import report
from benchmarks.published.cells import cells
from trainers.common.tables import NOT_MEASURED, markdown

HEADER = ("claim", "where", "nats by which it holds", "seeds", "verdict")
GS = "gumbel_softmax"
TOLERANCE = 0.2
"""Nats by which a temperature may be behind the best one."""
SCORE = "the relaxation beats the score function in structured prediction"
FORWARD = "a discrete forward pass costs performance"
VIMCO = "with one linear layer VIMCO is ahead, with tanh layers the relaxation"
ANNEALING = "annealing the temperature is no worse than the best fixed one"
TWO_THIRDS = "a fixed temperature of 2/3 works for few classes"


class Claim(NamedTuple):
    """A sentence of a source, and two rows by which it is judged.

    Attributes:
        sentence: what is said.
        where: the rows.
        better: negative bounds in nats of the row that is said to be better, one for each seed.
        worse: of the other.
        tolerance: nats by which the better one may be behind.
    """

    sentence: str
    where: str
    better: Sequence[float]
    worse: Sequence[float]
    tolerance: float = 0.0

    @property
    def lead(self) -> float:
        """Returns the nats by which the first row is ahead; NaN where a row is missing."""
        if not (self.better and self.worse):
            return math.nan
        return statistics.fmean(self.worse) - statistics.fmean(self.better)

    @property
    def half(self) -> float | None:
        """Returns half of the 95 % interval of the lead; None with fewer than two seeds of a row."""
        fewest = min(len(self.better), len(self.worse))
        if fewest < 2:
            return None
        error = sum(statistics.variance(row) / len(row) for row in (self.better, self.worse))
        return quantile(fewest - 1) * math.sqrt(error)


def table() -> str:
    """Returns the verdicts as Markdown."""
    rows = [_row(claim) for claim in claims() if math.isfinite(claim.lead)]
    return markdown(HEADER, rows) if rows else NOT_MEASURED


def claims() -> Iterator[Claim]:
    """Yields what the sources say, with our numbers."""
    yield from _of_the_relaxation()
    yield from _of_temperatures()
    for model, better, worse in (
        ("200H-784V, m = 5", "vimco", GS),
        ("200H~784V, m = 5", GS, "vimco"),
    ):
        yield _of_rows(VIMCO, "concrete", model, better, worse, f": `{better}` ahead")


def _of_the_relaxation() -> Iterator[Claim]:
    """Yields the leads of Gumbel-Softmax over the score function and over its straight-through form."""
    bits, categories = (
        f"structured prediction, {latents}" for latents in ("Bernoulli", "categorical")
    )
    for sentence, other, models in (
        (SCORE, "score_function", (bits, categories)),
        (
            FORWARD,
            "straight_through_gumbel_softmax",
            (
                *(bits, categories, "VAE, Bernoulli", "VAE, categorical"),
                "VAE, categorical, weight decay 0.03",
            ),
        ),
    ):
        for model in models:
            yield _of_rows(sentence, "gumbel_softmax", model, GS, other)


def _of_temperatures() -> Iterator[Claim]:
    """Yields the leads of the best trial with a schedule, and at 2/3, over the best of the others."""
    for sweeps, annealed, where in (
        (("linear_20x10",), "linear_20x10_annealed", "VAE, categorical"),
        (
            ("structured_20x10", "structured_20x10_hotter"),
            "structured_20x10_annealed",
            "structured prediction, categorical",
        ),
    ):
        fixed = [bound for sweep in sweeps for _, bound in _sweep(sweep)]
        falling = [bound for _, bound in _sweep(annealed)]
        yield Claim(ANNEALING, where, _best(falling), _best(fixed), TOLERANCE)
    for sweeps, where in (
        (("linear_20x10",), "VAE, categorical"),
        (("linear_200x2",), "VAE, Bernoulli"),
        (("structured_20x10", "structured_20x10_hotter"), "structured prediction, categorical"),
        (("structured_200x2",), "structured prediction, Bernoulli"),
    ):
        found = [trial for sweep in sweeps for trial in _sweep(sweep)]
        there = [bound for temperature, bound in found if round(temperature, 2) == 0.67]
        others = [bound for temperature, bound in found if round(temperature, 2) != 0.67]
        yield Claim(TWO_THIRDS, where, _best(there), _best(others), TOLERANCE)


def verdict(claim: Claim) -> str:
    """Returns what the numbers say of a claim."""
    if claim.half is None:
        word = "confirmed" if claim.lead > -claim.tolerance else "not confirmed"
        return f"{word}, by one seed"
    if abs(claim.lead + claim.tolerance) <= claim.half:
        return "not decided"
    return "confirmed" if claim.lead > -claim.tolerance else "not confirmed"


def _row(claim: Claim) -> tuple[str, ...]:
    half = "" if claim.half is None else f" +- {claim.half:.2f}"
    seeds = f"{len(claim.better)} and {len(claim.worse)}"
    return (claim.sentence, claim.where, f"{claim.lead:+.2f}{half}", seeds, verdict(claim))


def _of_rows(
    sentence: str, table_name: str, model: str, better: str, worse: str, words: str = ""
) -> Claim:
    """Returns a claim about two estimators of a model, which names their steps where they differ."""
    rows = [_finished(table_name, model, estimator) for estimator in (better, worse)]
    steps = [" or ".join(sorted({f"{count}" for _, count in row})) for row in rows]
    if all(rows) and steps[0] != steps[1]:
        words += f", after {steps[0]} and {steps[1]} steps"
    ahead, behind = ([bound for bound, _ in row] for row in rows)
    return Claim(sentence, f"{model}{words}", ahead, behind)


def _finished(table_name: str, model: str, estimator: str) -> list[tuple[float, int]]:
    """Returns the negative bound and the steps of each recorded seed of a cell."""
    return [
        (-run["result"][cell.metric], run["result"]["steps"])
        for cell in cells(table_name)
        if (cell.model, cell.estimator) == (model, estimator)
        for run in report.runs(cell)
        if run["status"] == "finished"
    ]


def _sweep(name: str) -> list[tuple[float, float]]:
    """Returns the temperature and the negative validation bound of each trial of a sweep."""
    kept = store.newest("sweeps", name) or {"runs": []}
    return [(run["temperature"], -run["bound_nats"]) for run in kept["runs"] if "bound_nats" in run]


def _best(bounds: Sequence[float]) -> list[float]:
    return [min(bounds)] if bounds else []
