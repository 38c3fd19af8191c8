"""A picture of a search: each query next to its nearest neighbours, with their distances."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from tf_discrete.plots import canvas, mosaic
from tf_discrete.plots.mosaic import GAP

_APART = 4 * GAP
_TEXT = 22
"""Pixels above an image for its distance."""


def neighbors(
    queries: ArrayLike,
    found: ArrayLike,
    distances: ArrayLike,
    *,
    query_names: Sequence[str] | None = None,
    found_names: Sequence[Sequence[str]] | None = None,
    max_queries: int = 12,
    title: str = "Queries and their nearest neighbours",
) -> Figure:
    """Draws one query a row, and right of it what was found, nearest first.

    Args:
      queries: `[Q, H, W]`, `[Q, H, W, 1]` or `[Q, H, W, 3]`; floats in [0, 1] or integers in
        [0, 255].
      found: `[Q, k, H, W(, C)]` likewise.
      distances: Numbers `[Q, k]`, printed above each image; none above one that is negative, whose
        image is not drawn.
      query_names: Q words above the queries, such as the names of their classes. Default: "query".
      found_names: `[Q, k]` words behind the distances. Default: None.
      max_queries: further queries are left out.
      title: above the picture.

    Returns:
      A `Figure` with one axes.

    Raises:
      ValueError: for bad images or shapes that do not match.

    Example:
      >>> len(neighbors(np.zeros([2, 8, 8]), np.ones([2, 5, 8, 8]), np.ones([2, 5])).axes)
      1
    """
    asked = mosaic.as_images(queries, "queries")[:max_queries]
    answers, far = np.asarray(found), np.asarray(distances)
    if far.ndim != 2 or answers.shape[:2] != far.shape or len(far) != len(np.asarray(queries)):
        raise ValueError(
            "found and distances must hold k neighbours of each query. Give arrays [Q, k, H, W, C] and "
            f"[Q, k]. Received: queries.shape={np.shape(queries)}, found.shape={answers.shape}, "
            f"distances.shape={far.shape}"
        )
    count, k = len(asked), far.shape[1]
    flat = mosaic.as_images(answers[:count].reshape(count * k, *answers.shape[2:]), "found")
    left = mosaic.tiles(asked, k + 1)
    right = mosaic.tiles(flat, k + 1)
    height, width = left.shape[1:3]
    pitch = height + _TEXT + GAP
    pixels = np.full([count * pitch - GAP, (k + 1) * (width + GAP) + _APART, 3], 255, np.uint8)
    places = [width + GAP + _APART + column * (width + GAP) for column in range(k)]
    for row in range(count):
        y = row * pitch + _TEXT
        pixels[y : y + height, :width] = left[row]
        for column, x in enumerate(places):
            if far[row, column] >= 0:
                pixels[y : y + height, x : x + width] = right[row * k + column]
    figure, axes = mosaic.grid_figure(pixels, title, top=4)
    size = canvas.LABEL_SIZE if found_names is None else canvas.TICK_SIZE
    style = {"fontsize": size, "color": canvas.MUTED}
    for row in range(count):
        y = row * pitch + _TEXT - 4
        name = query_names[row] if query_names is not None else "query"
        asked_for = mosaic.shortened(str(name), width, size)
        axes.text(width / 2, y, asked_for, style, ha="center", va="bottom")
        for column, x in enumerate(places):
            if far[row, column] >= 0:
                name = found_names[row][column] if found_names is not None else ""
                text = mosaic.shortened(f"{far[row, column]:g} {name}".rstrip(), width, size)
                axes.text(x + width / 2, y, text, style, ha="center", va="bottom")
    return figure
