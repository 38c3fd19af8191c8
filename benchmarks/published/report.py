"""Compares a published table with ours, as Markdown, and draws the learning curves behind it."""

from __future__ import annotations

import pathlib
import re
import statistics
from collections.abc import Iterable
from typing import Any

from benchmarks import provenance, store
from benchmarks.published.cells import Cell, cells
from tf_discrete import plots
from trainers.common import tables

HEADER = ("model", "estimator", "published", "ours", "difference", "seeds", "steps", "hardware")
EARLIER = " *"
"""Marks rows of which a run was recorded without its commit."""
MAX_SEEDS = 100
DPI = 100


def runs(cell: Cell) -> list[dict[str, Any]]:
    """Returns the recorded runs of a cell."""
    records = store.read(cell.results)
    return [records[cell.run(seed)] for seed in range(MAX_SEEDS) if cell.run(seed) in records]


def table(name: str, *estimators: str) -> str:
    """Every cell of a table: the published number where there is one, ours, and the difference.

    Args:
        name: of the table.
        *estimators: only their cells. Default: all.

    Numbers are nats of the test images with their sign turned, so that lower is better; a spread is the
    standard deviation over seeds.
    """
    rows = [row(cell) for cell in cells(name) if not estimators or cell.estimator in estimators]
    return tables.markdown(HEADER, rows)


def curves(name: str) -> Iterable[tuple[str, Any]]:
    """Yields each model with recorded runs: its name and a figure of the validation bound."""
    models = dict.fromkeys(cell.model for cell in cells(name))
    for model in models:
        lines = {}
        for cell in cells(name):
            histories = [run["history"] for run in runs(cell)] if cell.model == model else []
            if histories:
                first = max(histories, key=lambda history: len(history["step"]))
                lines[cell.estimator] = plots.Line(first["step"], first["hard_elbo_nats"])
        if lines:
            panel = plots.LinePanel(
                "Discrete ELBO, validation (higher is better)",
                "training steps",
                "nats per example",
                lines,
            )
            yield model, plots.comparison([panel], title=model)


def save_curves(name: str, folder: pathlib.Path) -> list[pathlib.Path]:
    """Writes the figures of `curves` to published-MODEL.png files in a folder; returns their paths."""
    paths = []
    for model, figure in curves(name):
        stem = re.sub(r"[^a-z0-9.]+", "-", model.lower().replace("~", "-nonlinear-"))
        paths.append(folder / f"published-{stem}.png")
        plots.save(figure, paths[-1], dpi=DPI)
    return paths


def row(cell: Cell) -> tuple[str, ...]:
    """One cell under `HEADER`; says "not run" or "diverged" where there is no number."""
    kept = runs(cell)
    finished = [run for run in kept if run["status"] == "finished"]
    values = [-run["result"][cell.metric] for run in finished]
    published = "" if cell.published is None else f"{cell.published:.1f}"
    if not values:
        ours = "diverged" if kept else "not run"
        return (
            cell.model,
            f"`{cell.estimator}`",
            published,
            ours,
            "",
            str(len(kept) or ""),
            "",
            "",
        )
    mean = statistics.fmean(values)
    difference = "" if cell.published is None else f"{mean - cell.published:+.2f}"
    steps = sorted({max(run["history"]["step"]) for run in finished})
    return (
        cell.model,
        f"`{cell.estimator}`",
        published,
        tables.spread(values, 2),
        difference,
        str(len(values)),
        " to ".join(str(step) for step in dict.fromkeys((steps[0], steps[-1]))),
        provenance.cores(finished[0]["provenance"]) + ("" if _has_commit(finished) else EARLIER),
    )


def _has_commit(kept: Iterable[dict[str, Any]]) -> bool:
    return all(run["provenance"].get("commit") for run in kept)
