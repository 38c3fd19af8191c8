"""The tables of the semi-supervised VAE with few labels: its rows, single changes, the curve of a run."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks import provenance, step_cost, store
from benchmarks.semi_supervised.few_labels import (
    CHANGES,
    MAX_DRAWS,
    PUBLISHED,
    PUBLISHED_LABELS,
    RESULTS,
    Row,
    table,
)

HEADER = (
    "variant",
    "labels",
    "inference",
    "accuracy, test",
    "published",
    "difference",
    "discrete ELBO, test",
    "published",
    "difference",
    "draws",
    "training of one",
)
CHANGES_HEADER = (
    "change",
    "validation accuracy",
    "test accuracy",
    "difference",
    "discrete ELBO, test",
    "training",
)
CURVE_HEADER = ("steps", "step size x steps", "`enumeration`", "`gumbel_softmax`")


def cells() -> list[tuple[str, ...]]:
    """Returns the rows that the table asks for or that have recorded runs, under `HEADER`.

    A spread is the standard deviation over the draws; differences are ours less the published number, so
    that above 0 is better in both columns. Of rows without a run there are the hours that one would take.
    """
    found: list[tuple[str, ...]] = []
    records = store.read(RESULTS)
    for row in table():
        if row.variant in CHANGES:
            continue
        kept = [run for draw in range(MAX_DRAWS) if (run := row.run(draw, records))]
        accuracy, bound = (
            PUBLISHED[row.inference] if row.labels == PUBLISHED_LABELS else (None,) * 2
        )
        if not kept and not row.num_draws:
            continue
        results = [run["result"] for run in kept if run["result"]]
        diverged = len(kept) - len(results)
        minutes = [result["training_seconds"] / 60 for result in results]
        found.append(
            (
                row.variant,
                str(row.labels),
                f"`{row.inference}`",
                *_compared([result["test/accuracy"] for result in results], accuracy, 100, " %", 1),
                *_compared([result["test/hard_elbo_nats"] for result in results], bound, 1, "", 2),
                f"{len(results)}{f', {diverged} diverged' if diverged else ''}{_of(len(kept), row)}"
                if kept
                else "not run",
                f"{statistics.fmean(minutes):.0f} min, {provenance.cores(kept[0]['provenance'])}"
                if results
                else _estimated(row),
            )
        )
    return found


def changes() -> list[tuple[str, ...]]:
    """Returns what one change each does to a short run of "paper", under `CHANGES_HEADER`."""
    found: list[tuple[str, ...]] = []
    records = store.read(RESULTS)
    rows = {name: Row(name, PUBLISHED_LABELS, "gumbel_softmax") for name in CHANGES}
    base = rows["short"].run(0, records)
    for name, change in CHANGES.items():
        words = ", ".join(f"`--{flag}={value}`" for flag, value in change.items()) or "none"
        run = rows[name].run(0, records)
        if not (run and run["result"]):
            ours = "diverged" if run else "not run"
            found.append((words, ours, "", "", "", _estimated(rows[name])))
            continue
        result = run["result"]
        accuracy = result["test/accuracy"]
        lead = accuracy - base["result"]["test/accuracy"] if base and base["result"] else None
        found.append(
            (
                words,
                f"{100 * result['validation/accuracy']:.1f} %",
                f"{100 * accuracy:.1f} %",
                "" if lead is None or not change else f"{100 * lead:+.1f}",
                f"{result['test/hard_elbo_nats']:.2f}",
                f"{result['training_seconds'] / 60:.0f} min, {provenance.cores(run['provenance'])}",
            )
        )
    return found


def _of(count: int, row: Row) -> str:
    return f" of {row.num_draws}" if count < row.num_draws else ""


def _estimated(row: Row) -> str:
    """The time that a run would take on one core, as far as its steps were measured."""
    settings = row.settings(0)
    cost = step_cost.find("semi_supervised", settings)
    if cost is None:
        return ""
    seconds = 3600 * cost.hours(settings["epochs"] * cost.steps_per_epoch)
    return f"about {seconds / 60:.0f} min, 1 core"


def curve() -> list[tuple[str, ...]]:
    """Returns the validation accuracy of the first runs of "paper" after some steps, under `CURVE_HEADER`."""
    runs = [Row("paper", PUBLISHED_LABELS, name[1:-1]).run(0) for name in CURVE_HEADER[2:]]
    kept = next((run for run in runs if run and run["result"]), None)
    if kept is None:
        return []
    epochs = kept["result"]["epochs"]
    steps = kept["result"]["steps"] // epochs
    rate = kept["settings"]["learning_rate"]
    return [
        (
            f"{epoch * steps}",
            f"{epoch * steps * rate:.0f}",
            *(_accuracy(run, epoch) for run in runs),
        )
        for epoch in sorted({1, 2, 5, 10, 20, 30, 50, epochs})
        if epoch <= epochs
    ]


def _accuracy(run: Mapping[str, Any] | None, epoch: int) -> str:
    """The validation accuracy after an epoch; "" of a run that is missing or diverged before."""
    known = run["history"]["accuracy"] if run else []
    return f"{100 * known[epoch - 1]:.1f} %" if epoch <= len(known) else ""


def _compared(
    values: Sequence[float], published: float | None, scale: float, unit: str, digits: int
) -> tuple[str, str, str]:
    """Ours, the published number and the difference."""
    ours = difference = ""
    if values:
        mean = scale * statistics.fmean(values)
        spread = f" +- {scale * statistics.stdev(values):.{digits}f}" if len(values) > 1 else ""
        ours = f"{mean:.{digits}f}{spread}{unit}"
        if published is not None:
            difference = f"{mean - scale * published:+.{digits}f}"
    return ours, "" if published is None else f"{scale * published:.1f}{unit}", difference
