"""Pictures of what a model makes of a part of an image."""

from __future__ import annotations

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
      max_images: further images are left out.
      title: above the picture.

    Returns:
      A `Figure` with one axes.

    Raises:
      ValueError: for bad images, or shapes that do not fit together.

    Example:
      >>> half = np.zeros([2, 8, 8, 1])
      >>> len(completions(half, np.zeros([3, 2, 8, 8, 1]), half, half).axes)
      1
    """
    columns = [np.asarray(given), *np.asarray(samples), np.asarray(mean), np.asarray(truth)]
    if len({column.shape for column in columns}) > 1:
        raise ValueError(
            "given, mean, truth and each of the samples must be the same images. Received: "
            f"given.shape={np.shape(given)}, samples.shape={np.shape(samples)}, "
            f"mean.shape={np.shape(mean)}, truth.shape={np.shape(truth)}"
        )
    rows = np.stack(columns, axis=1)[:max_images]
    flat = mosaic.as_images(rows.reshape((-1, *rows.shape[2:])), "given, samples, mean and truth")
    shown = mosaic.tiles(flat, len(columns), largest=96)
    width = shown.shape[2]
    names = ["given", *map(str, range(1, len(columns) - 2)), "mean", "truth"]
    figure, axes = mosaic.grid_figure(paste(shown, len(columns)), title, top=24)
    for column, name in enumerate(names):
        write(axes, column * (width + mosaic.GAP) + width / 2, -6, name)
    return figure
