"""The recovery after a change next to that of the same agent on the true state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from benchmarks.intervals import interval
from benchmarks.state_tabulation.setting import OTHERS, TRUE
from trainers.common.tables import markdown

AIM = 1.1
"""Steps to recover, as a multiple of those on the true state, that are as good."""

Records = Mapping[str, Mapping[str, Any]]


def steps_to_recover(records: Records, maze: str, name: str) -> dict[int, int]:
    """Returns the steps of each seed; all that were taken after the change where they were not enough."""
    config = records["study"]["config"]
    after = config["steps"] - config["change_at"]
    found = {}
    for record in records.values():
        if record.get("maze") == maze and record.get("contender") == name:
            steps = record.get("steps_to_recover")
            found[record["seed"]] = after if steps is None else steps
    return found


def table(records: Records) -> str:
    """A row for each contender: the ratio of the means over its seeds, for each maze and over all.

    The difference is that of the mean over the mazes, paired by seed, with half of its 95 % interval.
    """
    runs = [record for record in records.values() if "contender" in record]
    all_mazes = sorted({run["maze"] for run in runs})
    names = sorted({run["contender"] for run in runs} - {TRUE}, key=lambda n: (n in OTHERS, n))
    rows = []
    for name in names:
        own = {maze: steps_to_recover(records, maze, name) for maze in all_mazes}
        limit = {maze: steps_to_recover(records, maze, TRUE) for maze in all_mazes}
        seeds = sorted(set.intersection(*map(set, [*own.values(), *limit.values()])))
        if not seeds:
            continue
        ratios = [_ratio(own[maze], limit[maze], seeds) for maze in all_mazes]
        differences = [fmean(own[maze][s] - limit[maze][s] for maze in all_mazes) for s in seeds]
        half = interval(differences)
        spread = f" +- {half:.0f}" if len(seeds) > 1 else ""
        reached = (
            "yes" if max(ratios) <= AIM else f"{sum(r <= AIM for r in ratios)} of {len(ratios)}"
        )
        rows.append(
            (
                OTHERS.get(name, f"VaST, `{name}`"),
                *(f"{ratio:.2f}" for ratio in ratios),
                f"{fmean(differences):+.0f}{spread}",
                reached,
                str(len(seeds)),
            )
        )
    header = ("states", *all_mazes, "steps more, mean over mazes", "within 10 %", "seeds")
    return markdown(header, rows)


def _ratio(own: Mapping[int, int], limit: Mapping[int, int], seeds: Sequence[int]) -> float:
    return fmean(own[seed] for seed in seeds) / fmean(limit[seed] for seed in seeds)
