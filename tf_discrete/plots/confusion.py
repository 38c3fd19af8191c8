"""The confusion matrix of a classifier as a picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from tf_discrete.plots import canvas

MAX_WRITTEN = 20
"""Most classes for which the counts are written into the cells."""


def confusion(
    matrix: ArrayLike, *, names: Sequence[str] | None = None, title: str = "Confusion matrix"
) -> Figure:
    """Draws how often each class (row) was read as each class (column).

    The shade is the share of the row, so that rare classes show as well; the numbers are counts.

    Args:
      matrix: int `[K, K]`, as `evaluation.confusion_matrix` counts it.
      names: Names of the classes; default 0, 1, 2, ...
      title: above the picture; the accuracy is put behind it.

    Returns:
      A `Figure` with one axes.

    Raises:
      ValueError: for a matrix that is not square, or a wrong number of names.

    Example:
      >>> len(confusion([[8, 2], [0, 10]]).axes)
      1
    """
    counts = np.asarray(matrix)
    if (
        counts.ndim != 2
        or counts.shape[0] != counts.shape[1]
        or not counts.size
        or counts.min() < 0
    ):
        raise ValueError(
            "matrix must hold counts, [num_classes, num_classes]. Use evaluation.confusion_matrix. "
            f"Received: matrix.shape={counts.shape}"
        )
    classes = len(counts)
    labels = [str(k) for k in range(classes)] if names is None else [str(name) for name in names]
    if len(labels) != classes:
        raise ValueError(
            f"names must name every class. Give {classes} names. Received: names={labels}"
        )
    total = counts.sum()
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    size = float(np.clip(0.52 * classes + 1.2, 3.2, 9.0))
    figure = canvas.new_figure(size + 0.6, size + 0.6, constrained=True)
    axes = figure.add_subplot()
    axes.imshow(share, cmap="Blues", vmin=0.0, vmax=1.0)
    accuracy = f", accuracy {np.trace(counts) / total:.2%}" if total else ""
    axes.set_title(title + accuracy, loc="left", fontsize=canvas.HEADING_SIZE, color=canvas.INK)
    axes.set_xlabel("read as", fontsize=canvas.LABEL_SIZE, color=canvas.INK)
    axes.set_ylabel("is", fontsize=canvas.LABEL_SIZE, color=canvas.INK)
    every = -(-classes // 40)
    places = range(0, classes, every)
    turned = 90 if max(map(len, labels)) > 3 else 0
    axes.set_xticks(places, [labels[k] for k in places], rotation=turned)
    axes.set_yticks(places, [labels[k] for k in places])
    axes.tick_params(labelsize=canvas.TICK_SIZE, colors=canvas.MUTED, length=0)
    axes.spines[:].set_visible(False)
    if classes <= MAX_WRITTEN:
        for row, column in zip(*np.nonzero(counts), strict=True):
            dark = share[row, column] > 0.55
            axes.text(
                column,
                row,
                f"{counts[row, column]}",
                ha="center",
                va="center",
                fontsize=canvas.TICK_SIZE,
                color="white" if dark else canvas.INK,
            )
    return figure
