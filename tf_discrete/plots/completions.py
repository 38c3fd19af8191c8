"""Pictures of what a model makes of a part of an image."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from tf_discrete.plots import mosaic
from tf_discrete.plots.images import paste, write


def completions(
    given: ArrayLike,
    samples: ArrayLike,
    mean: ArrayLike,
    truth: ArrayLike,
    labels: Sequence[str] | None = None,
    *,
    max_images: int = 10,
    title: str = "Completions",
) -> Figure:
    """Draws, a row for each image: what was given, several completions, their mean, the truth.

    Args:
      given: `[B, H, W]`, `[B, H, W, 1]` or `[B, H, W, 3]`, with any colour where nothing was given;
        floats in [0, 1] or integers in [0, 255].
      samples: `[S, B, ...]`, completions of the same images.
      mean: of the shape of `given`, the mean completion.
      truth: of the shape of `given`.
      labels: `[B]`, printed to the left of each row; optional.
      max_images: further images are left out.
      title: above the picture.

    Returns:
      A `Figure` with one axes.

    Raises:
      ValueError: for bad images, shapes that do not fit together, or a wrong number of labels.

    Example:
      >>> half = np.zeros([2, 8, 8, 1])
      >>> len(completions(half, np.zeros([3, 2, 8, 8, 1]), half, half, ["cat", "dog"]).axes)
      1
    """
    columns = [np.asarray(given), *np.asarray(samples), np.asarray(mean), np.asarray(truth)]
    if len({column.shape for column in columns}) > 1:
        raise ValueError(
            "given, mean, truth and each of the samples must be the same images. Received: "
            f"given.shape={np.shape(given)}, samples.shape={np.shape(samples)}, "
            f"mean.shape={np.shape(mean)}, truth.shape={np.shape(truth)}"
        )
    if labels is not None and len(labels) != len(columns[0]):
        raise ValueError(
            "labels must hold one entry per image. Give a list of B names. "
            f"Received: {len(labels)} labels, given.shape={np.shape(given)}"
        )
    rows = np.stack(columns, axis=1)[:max_images]
    classes = [str(label) for label in (() if labels is None else labels[:max_images])]
    flat = mosaic.as_images(rows.reshape((-1, *rows.shape[2:])), "given, samples, mean and truth")
    shown = mosaic.tiles(flat, len(columns), largest=96)
    height, width = shown.shape[1:3]
    names = ["given", *map(str, range(1, len(columns) - 2)), "mean", "truth"]
    widest = max((mosaic.text_width(name) for name in classes), default=0)
    left = widest + 12 if widest else 0
    figure, axes = mosaic.grid_figure(paste(shown, len(columns)), title, left, top=24)
    for column, name in enumerate(names):
        write(axes, column * (width + mosaic.GAP) + width / 2, -6, name)
    for row, name in enumerate(classes):
        write(axes, -10, row * (height + mosaic.GAP) + height / 2, name, row_name=True)
    return figure
