"""Compares a published table with ours, as Markdown, and draws the learning curves behind it."""

from __future__ import annotations

import math
import pathlib
import re
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from benchmarks import provenance, step_cost, store
from benchmarks.published.cells import PAPER_STEPS, Cell, cells
from tf_discrete import plots
from tf_discrete._internal.counted import counted
from trainers.common import tables

HEADER = (
    "model",
    "estimator",
    "published",
    "ours",
    "difference",
    "seeds",
    "steps",
    "trials",
    "hours",
    "hours of the paper's steps",
    "cores",
    "commit",
)
PAPER = HEADER.index("hours of the paper's steps")
"""The column that only tables of papers with a number of steps have."""
RISING = " *"
"""Marks rows whose curve still rose by more than `RISE` at the end."""
RISE = 0.1
"""Nats in the last tenth of training."""
MAX_SEEDS = 100
DPI = 100

Record = Mapping[str, Any]


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
    standard deviation over seeds. Hours are those of one seed on the cores of the row, measured or, with
    "about", estimated, see `cost_of`.
    """
    rows = [row(cell) for cell in cells(name) if not estimators or cell.estimator in estimators]
    if name not in PAPER_STEPS:
        rows = [(*one[:PAPER], *one[PAPER + 1 :]) for one in rows]
        return tables.markdown((*HEADER[:PAPER], *HEADER[PAPER + 1 :]), rows)
    return tables.markdown(HEADER, rows)


def row(cell: Cell) -> tuple[str, ...]:
    """One cell under `HEADER`; says "not run" or "diverged" where there is no number."""
    kept = runs(cell)
    finished = _finished(kept)
    named = (cell.model, f"`{cell.estimator}`")
    published = "" if cell.published is None else f"{cell.published:.1f}"
    paper_steps = PAPER_STEPS.get(cell.table)
    if not finished:
        ours = "diverged" if kept else "not run"
        cost = cost_of(cell)
        steps = hours = of_paper = cores = ""
        if cost:
            asked = cell.epochs * cost.steps_per_epoch
            steps, hours, cores = f"{asked}", _about(cost.hours(asked)), f"{cost.cores}"
            of_paper = _about(cost.hours(paper_steps)) if paper_steps else ""
        cost_cells = (steps, _trials(cell), hours, of_paper, cores, "")
        return (*named, published, ours, "", _seeds(cell, kept), *cost_cells)
    values = [-run["result"][cell.metric] for run in finished]
    difference = (
        "" if cell.published is None else f"{statistics.fmean(values) - cell.published:+.2f}"
    )
    each = statistics.fmean(run["result"]["training_seconds"] for run in finished) / 3600
    done = statistics.fmean(run["result"]["steps"] for run in finished)
    return (
        *named,
        published,
        tables.spread(values, 2) + _plain(cell, finished),
        difference,
        _seeds(cell, kept),
        _steps(cell, finished) + (RISING if rise(finished) > RISE else ""),
        _trials(cell),
        f"{each:.2f}",
        _about(each * paper_steps / done) if paper_steps else "",
        " or ".join(sorted({str(run["provenance"]["cores"]) for run in finished})),
        ", ".join(sorted({provenance.short(run["provenance"]) for run in finished})),
    )


def cost_of(cell: Cell) -> step_cost.StepCost | None:
    """Returns the cost that was measured on one core, or that of a run of the same settings on its cores."""
    found = step_cost.find(cell.trainer, cell.settings)
    if found:
        return found
    for other in cells(cell.table):
        if (other.trainer, other.settings) == (cell.trainer, cell.settings):
            for run in runs(other):
                result = run["result"]
                if run["status"] == "finished":
                    milliseconds = 1e3 * result["training_seconds"] / result["steps"]
                    per_epoch, cores = (
                        result["steps"] // result["epochs"],
                        run["provenance"]["cores"],
                    )
                    return step_cost.StepCost(milliseconds, 0.0, per_epoch, cores)
    return None


def rise(finished: Sequence[Record]) -> float:
    """Returns the nats by which the validation bound rose in the last tenth of training, mean over runs."""
    return statistics.fmean(_rise(run["history"]) for run in finished)


def effort(name: str) -> str:
    """Says in a paragraph what the recorded runs of a table took, and what the missing ones would take."""
    found = [(cell, runs(cell)) for cell in cells(name)]
    finished = [_finished(kept) for _, kept in found]
    made = [run for kept in finished for run in kept]
    text = f"What it took: {counted(len(made), 'run')}"
    if made:
        hours = [run["result"]["training_seconds"] / 3600 for run in made]
        shortest, longest = (round(60 * bound(hours)) for bound in (min, max))
        minutes = f"{longest}" if shortest == longest else f"{shortest} to {longest}"
        machines = sorted({provenance.machine(run["provenance"]) for run in made})
        rising = sum(bool(kept) and rise(kept) > RISE for kept in finished)
        text += (
            f" of {sum(map(bool, finished))} of {len(found)} rows, {sum(hours):.1f} hours of "
            f"training, {minutes} minutes a run ({'; '.join(machines)})"
            f". Rows that still rose by more than {RISE} nats in the last tenth of training (*): {rising}"
        )
    lacking = [(cell, kept) for cell, kept in found if len(kept) < cell.num_seeds]
    costs = [(cost_of(cell), cell, cell.num_seeds - len(kept)) for cell, kept in lacking]
    known = [
        (number * cost.hours(cell.epochs * cost.steps_per_epoch), cost.cores)
        for cost, cell, number in costs
        if cost
    ]
    if costs:
        text += f". Missing: runs of {counted(len(costs), 'row')}"
        verb = "has" if len(known) == 1 else "have"
        text += "" if len(known) == len(costs) else f", of which {len(known)} {verb} a known cost"
    if known:
        cores = " or ".join(f"{number}" for number in sorted({number for _, number in known}))
        text += f", about {sum(hours for hours, _ in known):.1f} hours on {cores} "
        text += "core" if cores == "1" else "cores"
    return f"{text}.\n"


def curves(name: str) -> Iterable[tuple[str, Any]]:
    """Yields each model with recorded runs: its name and a figure of the validation bound.

    The bound is drawn against the training steps and against the hours that they took.
    """
    models = dict.fromkeys(cell.model for cell in cells(name))
    for model in models:
        by_steps, by_hours = {}, {}
        for cell in cells(name):
            histories = [run["history"] for run in runs(cell)] if cell.model == model else []
            if histories:
                first = max(histories, key=lambda history: len(history["step"]))
                hours = [seconds / 3600 for seconds in first["seconds_so_far"]]
                by_steps[cell.estimator] = plots.Line(first["step"], first["hard_elbo_nats"])
                by_hours[cell.estimator] = plots.Line(hours, first["hard_elbo_nats"])
        if by_steps:
            titles = "Discrete ELBO, validation (higher is better)", "The same against time"
            panels = [
                plots.LinePanel(title, label, "nats per example", lines)
                for title, label, lines in zip(
                    titles, ("training steps", "hours"), (by_steps, by_hours), strict=True
                )
            ]
            yield model, plots.comparison(panels, title=model, columns=1)


def save_curves(name: str, folder: pathlib.Path) -> list[pathlib.Path]:
    """Writes the figures of `curves` to published-MODEL.png files in a folder; returns their paths."""
    paths = []
    for model, figure in curves(name):
        paths.append(folder / picture(model))
        plots.save(figure, paths[-1], dpi=DPI)
    return paths


def picture(model: str) -> str:
    """Returns the name of the file with the learning curves of a model."""
    stem = re.sub(r"[^a-z0-9.]+", "-", model.lower().replace("~", "-nonlinear-"))
    return f"published-{stem}.png"


def _rise(history: Record) -> float:
    steps, values = history["step"], history["hard_elbo_nats"]
    before = [value for step, value in zip(steps, values, strict=True) if step <= 0.9 * steps[-1]]
    return values[-1] - (before or values)[-1]


def _plain(cell: Cell, finished: Sequence[Record]) -> str:
    """The number of the weights themselves, where that of their average is the row's."""
    values = [-run["result"].get(f"plain_{cell.metric}", math.nan) for run in finished]
    return "" if math.isnan(sum(values)) else f" (plain {tables.spread(values, 2)})"


def _trials(cell: Cell) -> str:
    """The number of recorded trials on validation images that chose the settings."""
    kept = store.read("sweeps")
    return str(cell.trials + sum(len(kept[name]["runs"]) for name in cell.sweeps if name in kept))


def _seeds(cell: Cell, kept: Sequence[Record]) -> str:
    """The seeds with a number, those that diverged, and how many the table asks for where they are more."""
    finished = len(_finished(kept))
    diverged = f", {len(kept) - finished} diverged" if finished < len(kept) else ""
    return f"{finished}{diverged}" + (f" of {cell.num_seeds}" if len(kept) < cell.num_seeds else "")


def _steps(cell: Cell, finished: Sequence[Record]) -> str:
    """The steps of the runs, and those that the table asks for where they are more."""
    steps = sorted({run["result"]["steps"] for run in finished})
    asked = round(finished[0]["result"]["steps"] / finished[0]["result"]["epochs"] * cell.epochs)
    shown = " to ".join(str(step) for step in dict.fromkeys((steps[0], steps[-1])))
    return f"{shown} of {asked}" if steps[0] < asked else shown


def _finished(kept: Sequence[Record]) -> list[Record]:
    return [run for run in kept if run["status"] == "finished"]


def _about(hours: float) -> str:
    """Hours in words, with two digits."""
    return f"about {hours:.2g}" if hours < 10 else f"about {hours:.0f}"
