"""The canvas under every figure: construction, saving, conversion to pixels, colours."""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from tf_discrete._internal import writing

DPI = 100
SAVE_DPI = 200

# Okabe and Ito's palette, told apart under every common colour blindness.
BLUE, VERMILION, GREEN = "#0072B2", "#D55E00", "#009E73"
INK, MUTED, FAINT = "#222222", "#666666", "#DDDDDD"

TITLE_SIZE, HEADING_SIZE, LABEL_SIZE, TICK_SIZE = 14, 12, 11, 10


class _Figure(Figure):
    """A figure that notebooks show where a cell returns it, with no need of pyplot."""

    def _repr_png_(self) -> bytes:
        png = io.BytesIO()
        FigureCanvasAgg(self).print_png(png)
        return png.getvalue()


def new_figure(width: float, height: float, constrained: bool = False) -> Figure:
    """Builds an empty figure on its own Agg canvas, without pyplot's global state.

    Args:
      width: inches.
      height: inches.
      constrained: Bool, whether matplotlib arranges the axes, with some air around them.

    Returns:
      A `Figure` of 100 dots per inch on a white ground, which a notebook shows.

    Example:
      >>> new_figure(4, 3).get_size_inches().tolist()
      [4.0, 3.0]
    """
    figure = _Figure(figsize=(width, height), dpi=DPI, facecolor="white")
    if constrained:
        figure.set_layout_engine("constrained", w_pad=0.12, h_pad=0.12)
    FigureCanvasAgg(figure)
    return figure


def to_image(figure: Figure) -> np.ndarray:
    """Renders a figure to pixels, as an image summary of TensorBoard wants them.

    Args:
      figure: a figure of this package, or any other matplotlib figure.

    Returns:
      uint8 array `[height, width, 3]`, at the figure's own resolution.

    Example:
      >>> to_image(new_figure(4, 3)).shape
      (300, 400, 3)
    """
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def save(figure: Figure, path: str | os.PathLike[str], dpi: int | None = None) -> Path:
    """Writes a figure to a file, atomically.

    A reader, or a process that is killed, never leaves or meets half a file. Missing folders are created.

    Args:
      figure: the figure to write.
      path: target, with `~` expanded; its suffix chooses the format (`.png`, `.pdf`, `.svg`, ...).
      dpi: dots per inch of the file. Default: 200 (`SAVE_DPI`).

    Returns:
      The path written, as a `Path`.

    Raises:
      ValueError: if the suffix is missing or names no format that matplotlib can write.
      OSError: if there is no permission or no space; names the path.

    Example:
      >>> import tempfile
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     save(new_figure(4, 3), Path(folder) / "empty.png").name
      'empty.png'
    """
    path = writing.expand(path)
    canvas = FigureCanvasAgg(figure)
    formats = canvas.get_supported_filetypes()
    kind = path.suffix[1:].lower()
    if kind not in formats:
        raise ValueError(
            "a figure's file name must end in a format that matplotlib writes. "
            f"Give one of {', '.join('.' + name for name in sorted(formats))}. "
            f"Received: path={str(path)!r}"
        )
    with writing.replaced_file(path) as new:
        figure.savefig(new, format=kind, dpi=dpi or SAVE_DPI)
    return path


def tidy(axes: Axes, title: str = "", xlabel: str = "", ylabel: str = "") -> None:
    """Gives an axes the package's plain look: left heading, faint grid, two spines."""
    axes.set_title(title, loc="left", fontsize=HEADING_SIZE, color=INK)
    axes.set_xlabel(xlabel, fontsize=LABEL_SIZE, color=INK)
    axes.set_ylabel(ylabel, fontsize=LABEL_SIZE, color=INK)
    axes.tick_params(which="both", labelsize=TICK_SIZE, colors=MUTED)
    axes.grid(True, color=FAINT, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(MUTED)
