"""A picture of schedules (temperature, KL weight, ...) before anything is trained."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from tf_discrete._internal import checks
from tf_discrete.plots import canvas

Values = Callable[[int], ArrayLike] | ArrayLike


def schedule(
    values: Values | Mapping[str, Values],
    steps: int | ArrayLike,
    *,
    name: str = "value",
    max_points: int = 1000,
    title: str = "Schedule",
) -> Figure:
    """Draws one or more schedules over the training steps.

    Args:
      values: a callable from an integer step to a number (every schedule of the package is
        one), or an array `[len(steps)]`; or a dict from names to these: one panel each.
      steps: Number of training steps (callables are read at about `max_points` of them), or
        the steps themselves as an increasing array.
      name: label of the vertical axis where `values` is no dict.
      max_points: upper limit for the number of calls.
      title: above the picture.

    Returns:
      A `Figure` with one axes per schedule.

    Raises:
      ValueError: for no schedules, steps that do not increase, values that are not finite or
        that do not match the steps.

    Example:
      >>> figure = schedule({"temperature": lambda step: 0.9 ** step}, steps=50)
      >>> figure.axes[0].get_ylabel()
      'temperature'
    """
    panels = dict(values) if isinstance(values, Mapping) else {name: values}
    if not panels:
        raise ValueError(
            "values must hold at least one schedule. Give a callable, an array or a dict of "
            f"them. Received: values={values!r}"
        )
    grid = np.asarray(steps)
    if grid.ndim == 0:
        grid = np.arange(checks.whole("steps", steps))
    if grid.ndim != 1 or not len(grid) or (np.diff(grid) <= 0).any():
        raise ValueError(
            "steps must be a positive number of steps or an increasing array of them. "
            f"Received: steps={steps!r}"
        )
    figure = canvas.new_figure(7.5, 2.6 * len(panels) + 0.8, constrained=True)
    figure.suptitle(title, fontsize=canvas.TITLE_SIZE, color=canvas.INK)
    for i, (label, source) in enumerate(panels.items()):
        axes = figure.add_subplot(len(panels), 1, i + 1)
        x, y = _read(label, source, grid, max_points)
        canvas.tidy(axes, "", "training step" if i == len(panels) - 1 else "", label)
        axes.plot(
            x,
            y,
            color=canvas.BLUE,
            linewidth=2.0,
            drawstyle="steps-post",
            marker="o" if len(x) == 1 else "",
        )
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
        low, high = min(float(y.min()), 0.0), max(float(y.max()), 0.0)
        axes.set_ylim(low * 1.05, high * 1.05 if high > low else 1.0)
    return figure


def _read(
    label: str, source: Values, grid: np.ndarray, max_points: int
) -> tuple[np.ndarray, np.ndarray]:
    if callable(source):
        picks = np.linspace(0, len(grid) - 1, min(len(grid), max_points)).astype(np.int64)
        grid = grid[picks]
        read = np.asarray([float(np.asarray(source(step))) for step in grid.tolist()])
    else:
        read = np.asarray(source, np.float64)
    if read.shape != grid.shape or not np.isfinite(read).all():
        raise ValueError(
            "a schedule must give one finite number per step. Give a callable or an array as "
            f"long as steps. Received: name={label!r}, shape={read.shape}, steps={grid.shape}, "
            f"finite={bool(np.isfinite(read).all())}"
        )
    return grid, read
