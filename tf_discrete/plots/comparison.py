"""Many named lines in a few panels, every one with its name at its end."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatter, MaxNLocator
from numpy.typing import ArrayLike

from tf_discrete._internal import checks
from tf_discrete.plots import canvas

# Okabe and Ito's colours that are dark enough for a line on white, and black.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#222222")
_STYLES = ("-", (0, (5, 1.5)), (0, (1.2, 1.2)), (0, (6, 1.5, 1.2, 1.5)))
_LABEL_HEIGHT = 0.19  # inches
_LETTER_WIDTH = 0.066  # inches


class Line(NamedTuple):
    """One line; `low` and `high` bound a band around it, or are None."""

    x: ArrayLike
    y: ArrayLike
    low: ArrayLike | None = None
    high: ArrayLike | None = None


class LinePanel(NamedTuple):
    """One panel: its heading, the names of its axes, and its lines by name.

    Its vertical axis, where linear, shows where the lines end or, with `whole`, all of every line.
    """

    title: str
    x_label: str
    y_label: str
    lines: Mapping[str, Line]
    log_x: bool = False
    log_y: bool = False
    whole: bool = False


def comparison(
    panels: Sequence[LinePanel], *, title: str = "Comparison", columns: int | None = None
) -> Figure:
    """Draws lines that are told apart by colour, stroke and a label at their end.

    A name has the same colour and stroke in all panels. Labels carry the last value and are moved
    apart where lines end together. The vertical axis shows where the lines end, not how they begin, unless
    the panel is `whole`; a line that ends far below the others leaves the panel, and its label says where
    it is.

    Args:
      panels: Panels, row by row.
      title: above the picture.
      columns: Panels of a row. Default: None, all.

    Returns:
      A `Figure` with one axes per panel.

    Raises:
      ValueError: if a panel has no line with a finite value to show.

    Example:
      >>> lines = {"one": Line([0, 1], [2.0, 3.0]), "other": Line([0, 1], [2.0, 2.5])}
      >>> len(comparison([LinePanel("Bound", "step", "nats", lines)]).axes)
      1
    """
    points = [
        {name: _points(line, panel) for name, line in panel.lines.items()} for panel in panels
    ]
    drawn = [{name: p for name, p in lines.items() if p.shape[1]} for lines in points]
    for panel, lines in zip(panels, drawn, strict=True):
        if not lines:
            raise ValueError(
                "a panel must have at least one line with a finite value (positive, on a logarithmic "
                f"axis). Received: title={panel.title!r}, lines={sorted(panel.lines)}"
            )
    names = sorted({name for lines in drawn for name in lines})
    most = max((len(lines) for lines in drawn), default=0)
    margin = _LETTER_WIDTH * (max(map(len, names), default=0) + 10) + 0.2
    height = max(4.2, _LABEL_HEIGHT * most + 1.4)
    width = 5.9 + margin
    columns = checks.optional(checks.whole, "columns", columns) or max(1, len(panels))
    rows = max(1, math.ceil(len(panels) / columns))
    total, tall = width * columns + 0.9, height * rows
    figure = canvas.new_figure(total, tall)
    figure.suptitle(title, x=0.9 / total, ha="left", fontsize=canvas.TITLE_SIZE, color=canvas.INK)
    for i, (panel, lines) in enumerate(zip(panels, drawn, strict=True)):
        left = (0.9 + i % columns * width) / total
        bottom = ((rows - 1 - i // columns) * height + 0.65) / tall
        axes = figure.add_axes((left, bottom, 4.7 / total, (height - 1.5) / tall))
        _draw(axes, panel, lines, names, height - 1.5)
    return figure


def _points(line: Line, panel: LinePanel) -> np.ndarray:
    """x, y, low and high of the points that can be drawn, float64 [4, n]."""
    y = np.asarray(line.y, np.float64)
    bands = (y if band is None else np.asarray(band, np.float64) for band in (line.low, line.high))
    points = np.stack([np.asarray(line.x, np.float64), y, *bands])
    keep = np.isfinite(points).all(axis=0)
    if panel.log_x:
        keep &= points[0] > 0
    if panel.log_y:
        keep &= (points[1:] > 0).all(axis=0)
    return points[:, keep]


def _draw(
    axes: Axes, panel: LinePanel, lines: dict[str, np.ndarray], names: list[str], inches: float
) -> None:
    canvas.tidy(axes, panel.title, panel.x_label, panel.y_label)
    for name, (x, y, low, high) in lines.items():
        colour, style = _look(names.index(name))
        axes.plot(x, y, linestyle=style, color=colour, linewidth=1.7)
        if len(x) < 12:
            axes.plot(x, y, "o", color=colour, markersize=3.5)
        if (high > low).any():
            axes.fill_between(x, low, high, color=colour, alpha=0.12, linewidth=0)
    if panel.log_x:
        axes.set_xscale("log")
    elif len({x for line in lines.values() for x in line[0]}) > 1:
        axes.xaxis.set_major_locator(MaxNLocator(nbins=6))
    if panel.log_y:
        axes.set_yscale("log")
        for which in (axes.yaxis.set_major_formatter, axes.yaxis.set_minor_formatter):
            which(LogFormatter(minor_thresholds=(2, 0.5)))
        axes.tick_params(which="both", labelsize=canvas.TICK_SIZE, colors=canvas.MUTED)
    elif not panel.whole:
        axes.set_ylim(*_limits([line[1] for line in lines.values()]))
    _label(axes, lines, names, inches)


def _look(index: int) -> tuple[str, object]:
    return _COLOURS[index % len(_COLOURS)], _STYLES[index // len(_COLOURS) % len(_STYLES)]


def _limits(values: Sequence[np.ndarray]) -> tuple[float, float]:
    """From a little above the highest value to a little below the lowest end that is no outlier.

    The line that ends highest is seen at least from the end of its first tenth on.
    """
    ends = np.array([y[-1] for y in values])
    top = max(float(y.max()) for y in values)
    spread = max(float(np.ptp(np.quantile(ends, [0.25, 1.0]))), 1e-3 * abs(top), 1e-9)
    bottom = max(float(ends.min()), float(np.quantile(ends, 0.25)) - 1.5 * spread)
    bottom = min(bottom, max(float(min(y.min() for y in values)), bottom - spread))
    best = values[int(ends.argmax())]
    bottom = min(bottom, float(best[len(best) // 10 :].min()))
    margin = 0.06 * max(top - bottom, spread)
    return bottom - margin, top + margin


def _label(axes: Axes, lines: dict[str, np.ndarray], names: list[str], inches: float) -> None:
    """Names at the right, as near to the ends of their lines as they go without overlapping."""
    axes.figure.canvas.draw()
    ends = {
        name: axes.transData.transform((line[0][-1], line[1][-1])) for name, line in lines.items()
    }
    to_axes = axes.transAxes.inverted()
    at = {name: to_axes.transform(end) for name, end in ends.items()}
    order = sorted(at, key=lambda name: at[name][1])
    wanted = np.clip([at[name][1] for name in order], 0.0, 1.0)
    heights = _apart(wanted, min(_LABEL_HEIGHT / inches, 1.0 / max(len(order) - 1, 1)))
    for name, height in zip(order, heights, strict=True):
        colour, _ = _look(names.index(name))
        x, y = at[name]
        if 0.0 <= y <= 1.0:
            axes.plot(
                [x, 1.02, 1.035],
                [y, y if x > 0.98 else height, height],
                transform=axes.transAxes,
                color=colour,
                linewidth=0.7,
                alpha=0.6,
                clip_on=False,
            )
        off = "" if 0.0 <= y <= 1.0 else " (not shown)"
        axes.text(
            1.045,
            height,
            f"{name}  {lines[name][1][-1]:.4g}{off}",
            transform=axes.transAxes,
            fontsize=9,
            color=colour,
            va="center",
        )


def _apart(wanted: np.ndarray, gap: float) -> np.ndarray:
    """Returns the increasing positions in [0, 1] nearest to those wanted with at least `gap` between two."""
    blocks: list[list[float]] = []  # [sum of (wanted - offset), count], merged while they collide
    for i, position in enumerate(wanted):
        blocks.append([position - gap * i, 1])
        while len(blocks) > 1 and blocks[-2][0] / blocks[-2][1] >= blocks[-1][0] / blocks[-1][1]:
            total, count = blocks.pop()
            blocks[-1][0] += total
            blocks[-1][1] += count
    flat = np.concatenate([np.full(int(count), total / count) for total, count in blocks])
    return np.clip(flat, 0.0, max(0.0, 1.0 - gap * (len(wanted) - 1))) + gap * np.arange(
        len(wanted)
    )
