"""A published table beside ours, as Markdown, and the learning curves behind it."""

from __future__ import annotations

import pathlib
import re
import statistics
from collections.abc import Iterable
from typing import Any

from benchmarks.published.cells import Cell, cells
from tf_discrete import plots
from trainers.common.run_directory import read_json

HEADER = ("model", "estimator", "published", "ours", "difference", "seeds", "steps", "hardware")
MAX_SEEDS = 100
DPI = 100


def runs(cell: Cell) -> list[dict[str, Any]]:
    """The kept runs of a cell."""
    paths = [cell.path(seed) for seed in range(MAX_SEEDS)]
    return [read_json(path) for path in paths if path.exists()]


def table(name: str, *estimators: str) -> str:
    """Every cell of a table: the published number where there is one, ours, and the difference.

    Args:
        name: of the table.
        *estimators: only their cells. Default: all.

    Numbers are nats of the test images with their sign turned, so that lower is better; a spread is the
    standard deviation over seeds.
    """
    lines = [HEADER, tuple("---" for _ in HEADER)]
    lines += [row(cell) for cell in cells(name) if not estimators or cell.estimator in estimators]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def curves(name: str) -> Iterable[tuple[str, Any]]:
    """For each model with kept runs its name and a figure of the validation bound over the steps."""
    models = dict.fromkeys(cell.model for cell in cells(name))
    for model in models:
        lines = {}
        for cell in cells(name):
            histories = [run["history"] for run in runs(cell) if cell.model == model]
            if histories:
                first = max(histories, key=lambda history: len(history["step"]))
                lines[cell.estimator] = plots.Line(first["step"], first["hard_elbo_nats"])
        if lines:
            panel = plots.LinePanel(
                "Hard bound, validation (higher is better)",
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
    spread = f" +- {statistics.stdev(values):.2f}" if len(values) > 1 else ""
    difference = "" if cell.published is None else f"{mean - cell.published:+.2f}"
    steps = sorted({max(run["history"]["step"]) for run in finished})
    hardware = finished[0].get("hardware", {})
    return (
        cell.model,
        f"`{cell.estimator}`",
        published,
        f"{mean:.2f}{spread}",
        difference,
        str(len(values)),
        " to ".join(str(step) for step in dict.fromkeys((steps[0], steps[-1]))),
        f"{hardware['cores']} cores" if hardware else "",
    )
