"""Conclusions of the slides on Gumbel-Softmax and semantic hashing, judged by the cells of the study.

Every claim has one number, computed within each seed, and a bound. It is confirmed if the mean over the
seeds is above the bound by more than two standard errors, not confirmed if it is below by as many, and not
decided in between, or if a cell that it needs is missing or has diverged in every seed.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from benchmarks.codes.models import GUMBEL, HASHING, NAMES

COMPARABLE = 0.1
"""Errors that differ by less than this share of the smaller one are comparable."""
SMALL = 32
"""Variables of the largest code that the slides call best for samples."""

Cells = dict[Any, dict[str, float]]
"""The `outcomes` of one seed by code (method, variables, categories) and by setting (method, settings)."""
Measure = Callable[[Cells], tuple[float, dict[str, float]]]
"""The number of a seed and those that it is made of; a LookupError if the seed lacks a cell."""


class Verdict(NamedTuple):
    """The outcome of a claim: the word, the number of each seed, and the means that it is computed from."""

    claim: str
    rule: str
    bound: float
    word: str
    values: list[float]
    numbers: dict[str, float]


def outcomes(cell: dict[str, Any]) -> dict[str, float]:
    """Returns the error of a cell, and its inception score under each prior."""
    scores = {f"inception score, {k}": v["inception_score"] for k, v in cell["generation"].items()}
    return {"error": cell["reconstruction_nats"], **scores}


def is_usual(cell: dict[str, Any], config: dict[str, Any]) -> bool:
    """Whether a cell has the study's own noise or temperatures."""
    return all(config[name] == value for name, value in cell["settings"].items())


def is_tried(cell: dict[str, Any], config: dict[str, Any]) -> bool:
    """Whether a cell belongs to the comparison of hyper-parameters."""
    return (cell["num_variables"], cell["num_categories"]) == (config["sensitivity_bits"], 2)


def judge(results: list[dict[str, Any]], config: dict[str, Any]) -> list[Verdict]:
    """A verdict on each claim by the finished cells; the diverged ones tell what was tried."""
    keys: dict[Any, None] = {}
    seeds: dict[int, Cells] = {}
    for r in sorted(results, key=lambda r: r["seed"]):
        code = (r["method"], r["num_variables"], r["num_categories"])
        own: list[Any] = [code] if is_usual(r, config) else []
        own += [(r["method"], tuple(sorted(r["settings"].items())))] if is_tried(r, config) else []
        keys |= dict.fromkeys(own)
        finished = own if r["status"] == "finished" else []
        seeds.setdefault(r["seed"], {}).update({key: outcomes(r) for key in finished})
    priors = dict.fromkeys(prior for r in results for prior in r.get("generation", ()))
    verdicts = []
    for claim, rule, bound, measure in claims(sorted(keys, key=str), list(priors)):
        made = []
        for cells in seeds.values():
            with contextlib.suppress(LookupError):
                made.append(measure(cells))
        values = [value for value, _ in made]
        above = float(np.mean(values)) - bound if values else 0.0
        clear = abs(above) > 2 * standard_error(values)
        word = ("confirmed" if above > 0 else "not confirmed") if clear else "not decided"
        names = made[0][1] if made else ()
        means = {n: float(np.mean([some[n] for _, some in made if n in some])) for n in names}
        verdicts.append(Verdict(claim, rule, bound, word, values, means))
    return verdicts


def claims(keys: list[Any], priors: list[str]) -> Iterator[tuple[str, str, float, Measure]]:
    """Sentence, rule, bound and number of those of the slides, given the codes and settings of the study."""
    codes, settings = (sorted(key for key in keys if len(key) == size) for size in (3, 2))
    binary = {m: {n for method, n, k in codes if (method, k) == (m, 2)} for m in NAMES}
    shared = sorted(binary[GUMBEL] & binary[HASHING])
    pairs = [((GUMBEL, n, 2), (HASHING, n, 2)) for n in shared]
    ends = [pair[::-1] for pair in (pairs[0], pairs[-1])] if len(pairs) > 1 else []
    coarse = []
    for code in (code for code in codes if code[0] == GUMBEL and code[2] > 2):
        away = {n: abs(n - code[1] * math.log2(code[2])) for n in binary[GUMBEL]}
        nearest = min(away, key=away.__getitem__, default=0)
        if nearest and away[nearest] <= COMPARABLE * code[1] * math.log2(code[2]):
            coarse.append((code, (GUMBEL, nearest, 2)))

    def over(groups: list[Any], key: str, number: Callable[[np.ndarray], float]) -> Measure:
        def measure(cells: Cells) -> tuple[float, dict[str, float]]:
            if not groups:
                raise LookupError
            found = np.array([[cells[code][key] for code in group] for group in groups])
            names = [_name(code) for group in groups for code in group]
            return float(number(found)), dict(zip(names, found.flat, strict=True))

        return measure

    def apart(errors: np.ndarray) -> float:
        return np.mean(abs(errors[:, 0] - errors[:, 1]) / errors.min(axis=1))

    def best_samples(cells: Cells) -> tuple[float, dict[str, float]]:
        scores = {
            (c, prior): cells[c][f"inception score, {prior}"] for c in codes for prior in priors
        }
        praised = {
            (c, prior) for c, prior in scores if c[2] == 2 and c[1] <= SMALL and prior == "lstm"
        }
        if not praised or praised == set(scores):
            raise LookupError
        ours, best = (max(s, key=scores.__getitem__) for s in (praised, scores.keys() - praised))
        numbers = {f"{_name(c)} ({prior})": scores[c, prior] for c, prior in (ours, best)}
        return scores[ours] - scores[best], numbers

    def deviations(cells: Cells, key: str) -> tuple[float, dict[str, float]]:
        spreads: list[float] = []
        numbers: dict[str, float] = {}
        for method, title in NAMES.items():
            values = [cells[setting][key] for setting in settings if setting[0] == method]
            if len(values) < 2:
                raise LookupError
            name = f"{title}, {len(values)} settings"
            numbers |= {f"least of {name}": min(values), f"most of {name}": max(values)}
            spreads.append(float(np.std(values, ddof=1)))
        return spreads[0] - spreads[1], numbers

    share = f"{100 * COMPARABLE:.0f} %"
    yield (
        "The two are comparable overall.",
        f"{share} less the difference of the errors at equal bits (binary codes, share of the smaller "
        "error, mean over the sizes) is positive.",
        *(0.0, over(pairs, "error", lambda errors: COMPARABLE - apart(errors))),
    )
    for prior in priors:
        yield (
            f"Gumbel-Softmax is better at sampling ({prior}).",
            "The inception score of Gumbel-Softmax less that of semantic hashing (binary codes, mean "
            "over the sizes) is positive.",
            *(0.0, over(pairs, f"inception score, {prior}", lambda s: np.mean(s[:, 0] - s[:, 1]))),
        )
    yield (
        "Semantic hashing scales better with the number of variables.",
        "What semantic hashing gains in error from the fewest to the most binary variables, less what "
        "Gumbel-Softmax gains, is positive (nats).",
        *(0.0, over(ends, "error", lambda e: e[0, 0] - e[1, 0] - (e[0, 1] - e[1, 1]))),
    )
    yield (
        "Gumbel-Softmax is sensitive to the number of categories.",
        "The difference of its errors with more than two categories and with two, at bits that differ by at "
        f"most {share} (share of the smaller error, mean over the sizes), is above {share}.",
        *(COMPARABLE, over(coarse, "error", apart)),
    )
    yield (
        "Sampling is best with binary variables and the recurrent prior.",
        f"The best inception score of LSTM samples of binary codes with at most {SMALL} variables, less the "
        "best of all other codes and priors, is positive.",
        *(0.0, best_samples),
    )
    for key in ("error", *(f"inception score, {prior}" for prior in priors)):
        yield (
            f"Semantic hashing has fewer hyper-parameters to tune ({key}).",
            "The standard deviation over the temperatures of Gumbel-Softmax, less that over the noise "
            "of semantic hashing, is positive. (More settings do not make it larger by themselves.)",
            *(0.0, lambda cells, key=key: deviations(cells, key)),
        )


def write(verdicts: list[Verdict]) -> str:
    """The verdicts, each with its rule and the numbers that it used."""
    lines = [
        "What the slides conclude, judged by these cells. A number is computed within each seed; "
        "*confirmed*: its mean is above the bound by more than 2 standard errors; *not confirmed*: below by "
        "as many; *not decided*: in between, or cells are missing.\n",
    ]
    if max((len(verdict.values) for verdict in verdicts), default=0) < 2:
        lines.append(
            "**There is one seed. How far seeds lie apart is unknown and counted as 0: each verdict tells "
            "the sign only.**\n"
        )
    for place, (claim, rule, bound, word, values, numbers) in enumerate(verdicts, 1):
        found = "No seed has the cells that it takes."
        if values:
            several = f" +- {standard_error(values):.3f} ({len(values)} seeds)"
            used = "; ".join(f"{name} {value:.2f}" for name, value in numbers.items())
            number = f"{np.mean(values):.3f}{several if values[1:] else ''}"
            found = f"Number: {number}, bound {bound:g}. Of: {used}."
        lone = ", by one seed" if len(values) == 1 else ""
        lines.append(f"{place}. {claim} **{word}{lone}**. {rule} {found}\n")
    return "\n".join(lines)


def standard_error(values: list[float]) -> float:
    """Returns the standard error of the mean; 0 for a single value, whose spread is unknown."""
    return float(np.std(values, ddof=1)) / math.sqrt(len(values)) if len(values) > 1 else 0.0


def _name(code: tuple[str, int, int]) -> str:
    return f"{NAMES[code[0]]} {code[1]} x {code[2]}"
