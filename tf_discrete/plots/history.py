"""Curves of a training run, as small multiples."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeGuard

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatter, MaxNLocator

from tf_discrete.plots import canvas

_SPLITS = {"train": canvas.BLUE, "validation": canvas.VERMILION, "test": canvas.GREEN}
_STYLES = ("-", "--", ":")


class Panel(NamedTuple):
    """One small multiple: its heading, the unit of its axis, and the fields drawn in it."""

    title: str
    unit: str
    fields: Mapping[str, str]  # field of a row without its split -> name in the legend
    log: bool = False
    whole: bool = False  # counts: ticks at whole numbers only


PANELS = (
    Panel(
        "Bound (higher is better)",
        "nats per example",
        {
            "hard_elbo_nats": "hard",
            "elbo_nats": "as trained",
            "multi_sample_bound_nats": "of several samples, as trained",
        },
    ),
    Panel("Loss (lower is better)", "nats per example", {"loss": ""}),
    Panel("KL to the prior", "nats per example", {"kl_nats": ""}),
    Panel(
        "Reconstruction error",
        "nats per example",
        {"hard_reconstruction_nats": "hard", "reconstruction_nats": "as trained"},
    ),
    Panel("Accuracy", "share of examples", {"accuracy": ""}),
    Panel("Code perplexity, mean over variables", "categories", {"perplexity": ""}),
    Panel("Active variables", "variables", {"active_units": ""}, whole=True),
    Panel("Temperature", "temperature", {"temperature": ""}),
    Panel("KL weight", "weight", {"kl_weight": ""}),
    Panel("Gradient norm", "global norm", {"gradient_norm": ""}, log=True),
    Panel("Learning rate", "learning rate", {"learning_rate": ""}, log=True),
)


def curves(
    history: Sequence[Mapping[str, Any]],
    *,
    x: str = "epoch",
    panels: Sequence[Panel] = PANELS,
    columns: int = 3,
    title: str = "Training",
) -> Figure:
    """Draws a run's history: one panel per quantity, one colour per split.

    Train is blue, validation vermilion, test green; where a panel holds several fields (the
    objective as trained and the bound of the discrete model, "hard") they differ in line style. Panels of
    which the history has nothing are left out, as are fields that no panel names and values
    that are missing or not finite.

    Args:
      history: rows in order, for example the lines of a `metrics.jsonl`: a number under `x` and
        fields such as `"train/loss"`, `"validation/hard_elbo_nats"` or plain `"temperature"`.
      x: the field on the horizontal axis; rows without it count 1, 2, 3, ...
      panels: what to draw, default `PANELS`.
      columns: panels per row.
      title: above the picture.

    Returns:
      A `Figure` with one axes per panel that has data.

    Raises:
      ValueError: if no row holds a finite value of any panel's fields.

    Example:
      >>> rows = [{"epoch": 1, "train/loss": 180.0}, {"epoch": 2, "train/loss": 120.0}]
      >>> [axes.get_title(loc="left") for axes in curves(rows).axes]
      ['Loss (lower is better)']
    """
    drawn = [(panel, lines) for panel in panels if (lines := _lines(panel, history, x))]
    if not drawn:
        keys = sorted({key for row in history for key in row})
        raise ValueError(
            "history must hold a finite value of a known field. Log fields such as 'train/loss' "
            f"or 'validation/hard_elbo_nats', or pass panels. Received: keys={keys}, "
            f"rows={len(history)}"
        )
    columns = min(columns, len(drawn))
    rows = -(-len(drawn) // columns)
    figure = canvas.new_figure(4.6 * columns, 3.3 * rows + 0.5, constrained=True)
    figure.suptitle(title, fontsize=canvas.TITLE_SIZE, color=canvas.INK)
    for i, (panel, lines) in enumerate(drawn):
        _draw(figure.add_subplot(rows, columns, i + 1), panel, lines, x)
    return figure


class _Line(NamedTuple):
    split: str
    name: str
    style: str
    points: np.ndarray  # [n, 2]


def _lines(panel: Panel, history: Sequence[Mapping[str, Any]], x: str) -> list[_Line]:
    lines: list[_Line] = []
    styles: dict[str, str] = {}
    for field, name in panel.fields.items():
        for split in (*_SPLITS, ""):
            key = f"{split}/{field}" if split else field
            points = [
                (row.get(x, i + 1), row[key])
                for i, row in enumerate(history)
                if _finite(row.get(key))
                and _finite(row.get(x, i + 1))
                and (not panel.log or row[key] > 0)
            ]
            if points:
                style = styles.setdefault(field, _STYLES[min(len(styles), len(_STYLES) - 1)])
                lines.append(_Line(split, name, style, np.asarray(points, np.float64)))
    return lines


def _finite(value: object) -> TypeGuard[float]:
    return isinstance(value, (int, float, np.number)) and math.isfinite(value)


def _draw(axes: Axes, panel: Panel, lines: list[_Line], x: str) -> None:
    canvas.tidy(axes, panel.title, x, panel.unit)
    for line in lines:
        axes.plot(
            *line.points.T,
            line.style,
            color=_SPLITS.get(line.split, canvas.INK),
            linewidth=1.8,
            marker="o" if len(line.points) < 20 else "",
            markersize=4,
            label=", ".join(part for part in (line.split, line.name) if part),
        )
    if panel.log:
        axes.set_yscale("log")
        for which in (axes.yaxis.set_major_formatter, axes.yaxis.set_minor_formatter):
            which(LogFormatter(minor_thresholds=(2, 0.5)))
        axes.tick_params(which="both", labelsize=canvas.TICK_SIZE, colors=canvas.MUTED)
    if panel.whole:
        axes.yaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    span = np.concatenate([line.points[:, 0] for line in lines])
    if span.min() == span.max():
        axes.set_xlim(span[0] - 1, span[0] + 1)
    if x in ("epoch", "step"):
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
    if len(lines) > 1:
        axes.legend(fontsize=canvas.TICK_SIZE, framealpha=0.8, edgecolor="none", handlelength=2.4)
