"""Judges what the slides on Gumbel-Softmax and semantic hashing conclude, by the cells of the study."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import fmean, stdev
from typing import Any, NamedTuple

from benchmarks.intervals import interval, quantile
from trainers.common.tables import markdown

Record = Mapping[str, Any]
HASHING = "semantic_hashing"
COMPARABLE = 0.1
"""Errors that differ by less than this share of the smaller one are comparable."""
SMALL = 32
"""Bits of the largest code that the slides call best for samples."""
SCORES = {"inception_score_independent": "independent codes", "inception_score_prior": "LSTM"}
PRIOR = "inception_score_prior"
TEXT = """What the slides on Gumbel-Softmax and semantic hashing conclude, with a Gumbel-Softmax that pays \
the KL, as it does there, and with one that pays none, as semantic hashing does. Shares are of squared \
errors, as the cross-entropy of grey pixels has a large constant; samples are scored by their inception \
score. Mean +- half of the 95 % interval over seeds, of the cells that all of them have: as many seeds as \
leave the number known. *Confirmed*: the interval is above 0; *not confirmed*: it is below; *not decided*: \
it holds 0, or there is one seed.
"""
HEADER = ("the slides say", "number", "with the KL", "verdict", "without a KL", "verdict", "seeds")


class Claim(NamedTuple):
    """A conclusion, and a number that is above 0 where it holds; NaN where cells are missing.

    Attributes:
        sentence: What the slides say.
        number: How the number is made.
        value: The number, of the cells of one seed.
        half: Half of its 95 % interval, where that is known without other seeds.
    """

    sentence: str
    number: str
    value: float
    half: float | None = None


def table(records: Mapping[str, Record]) -> str:
    """Returns a verdict on each conclusion from the records of the study; "" without semantic hashing."""
    finished = [record for record in records.values() if record.get("status") == "finished"]
    seeds: dict[int, dict[tuple[str, int], Record]] = {}
    for record in finished:
        if "seed" in record:
            seeds.setdefault(record["seed"], {})[record["family"], record["bits"]] = record
    if not any(family == HASHING for cells in seeds.values() for family, _ in cells):
        return ""
    trials: dict[str, list[float]] = {}
    for record in records.values():
        cell, _, end = record["name"].rpartition("-")
        if end.startswith("trial=") and end != "trial=0":  # That is the default.
            trials.setdefault(cell.split("-")[0], []).append(record.get("nats", math.nan))
    order = [seeds[seed] for seed in sorted(seeds)]
    tables = [_rows(order[:count], trials) for count in range(len(order), 0, -1)]
    rows = [max(same, key=_known) for same in zip(*tables, strict=True)]
    return f"{TEXT}\n{markdown(HEADER, rows)}"


def _rows(
    seeds: Sequence[Mapping[tuple[str, int], Record]], trials: Mapping[str, Sequence[float]]
) -> list[tuple[str, ...]]:
    """Returns the conclusions with their verdicts by the cells that all of some seeds have."""
    common = set.intersection(*map(set, seeds))
    columns = [
        [claims({key: cells[key] for key in common}, trials, kl) for cells in seeds]
        for kl in ("1", "0")
    ]
    verdicts = [[judged(same) for same in zip(*column, strict=True)] for column in columns]
    said = [(claim.sentence, claim.number) for claim in columns[0][0]]
    count = str(len(seeds))
    return [
        (*one, *paying, *free, count) for one, paying, free in zip(said, *verdicts, strict=True)
    ]


def _known(row: Sequence[str]) -> int:
    """Returns how many of the two numbers of a row are known."""
    return sum(number != "" for number in (row[2], row[4]))


def claims(
    cells: Mapping[tuple[str, int], Record], trials: Mapping[str, Sequence[float]], kl: str
) -> list[Claim]:
    """Returns the conclusions with their numbers.

    Args:
        cells: Those of one seed, by family and bits.
        trials: Errors of the settings that were tried, by family.
        kl: Weight of the KL of Gumbel-Softmax.
    """
    binary = f"gumbel_softmax_2_kl_{kl}"
    sizes = sorted(bits for family, bits in cells if family == binary and (HASHING, bits) in cells)
    equal = [(cells[binary, bits], cells[HASHING, bits]) for bits in sizes]
    ends = (f"_kl_{kl}", HASHING) if equal else ()
    usual = {key: cell for key, cell in cells.items() if key[0].endswith(ends)}
    coarse = [
        (cell, cells[binary, bits])
        for (family, bits), cell in usual.items()
        if family not in (binary, HASHING) and (binary, bits) in cells
    ]
    leads = [one["nats"] - other["nats"] for one, other in equal]
    share, named = f"{COMPARABLE:g}", "/".join(map(str, sizes))
    better = [
        Claim(
            "Gumbel-Softmax is better at sampling.",
            f"{prior}: score of Gumbel-Softmax less that of semantic hashing, mean over {named} bits",
            _mean([one.get(key, math.nan) - other.get(key, math.nan) for one, other in equal]),
        )
        for key, prior in SCORES.items()
    ]
    return [
        Claim(
            "The two are comparable.",
            f"{share} less the difference of the errors as a share of the smaller, mean over {named} bits",
            COMPARABLE - _apart(equal),
        ),
        *better,
        Claim(
            "Semantic hashing scales better with the number of variables.",
            f"nats that it gains from the fewest of {named} bits to the most less those of Gumbel-Softmax",
            leads[-1] - leads[0] if len(sizes) > 1 else math.nan,
        ),
        Claim(
            "Gumbel-Softmax is sensitive to the number of categories.",
            f"share by which its errors with more and with two categories differ at equal bits, less {share}",
            _apart(coarse) - COMPARABLE,
        ),
        Claim(
            "Sampling is best with binary variables and the recurrent prior.",
            f"best score of at most {SMALL} binary variables and LSTM less the best of all others",
            _lead_of_small(usual, (binary, HASHING)),
        ),
        Claim(
            "Semantic hashing has fewer hyper-parameters to tune.",
            "standard deviation of the nats of random settings (step size; temperatures 0.3 to 1, noise 0.3 "
            "to 2): Gumbel-Softmax less hashing",
            *_sensitivity(trials.get(binary, ()), trials.get(HASHING, ())),
        ),
    ]


def judged(same: Sequence[Claim]) -> tuple[str, str]:
    """Returns the number of a claim over the seeds as text, and the verdict."""
    values = [claim.value for claim in same]
    mean, half = fmean(values), interval(values) if same[0].half is None else same[0].half
    if math.isnan(mean):
        return "", "not decided"
    if math.isinf(half):
        return f"{mean:.3f}", "not decided"
    verdict = "not decided"
    if abs(mean) > half:
        verdict = "confirmed" if mean > 0 else "not confirmed"
    return f"{mean:.3f} +- {half:.3f}", verdict


def _apart(pairs: Sequence[tuple[Record, Record]]) -> float:
    errors = [(one["squared_error"], other["squared_error"]) for one, other in pairs]
    return _mean([abs(one - other) / min(one, other) for one, other in errors])


def _lead_of_small(cells: Mapping[tuple[str, int], Record], binary: Sequence[str]) -> float:
    praised: list[float] = []
    others: list[float] = []
    for (family, bits), cell in cells.items():
        for name in SCORES:
            is_praised = family in binary and bits <= SMALL and name == PRIOR
            (praised if is_praised else others).append(cell.get(name, math.nan))
    both = praised and others and not math.isnan(sum(praised) + sum(others))
    return max(praised) - max(others) if both else math.nan


def _sensitivity(one: Sequence[float], other: Sequence[float]) -> tuple[float, float]:
    """Returns the difference of standard deviations and half of its interval.

    A training that diverged has no error: then nothing is known. The standard error of a standard deviation s
    of n normal numbers is s / sqrt(2 (n - 1)).
    """
    fewest = min(len(one), len(other))
    if fewest < 2 or math.isnan(sum(one) + sum(other)):
        return math.nan, math.inf
    spreads = [(stdev(tried), math.sqrt(2 * (len(tried) - 1))) for tried in (one, other)]
    error = math.hypot(*(s / root for s, root in spreads))
    return spreads[0][0] - spreads[1][0], quantile(fewest - 1) * error


def _mean(values: Sequence[float]) -> float:
    return fmean(values) if values else math.nan
