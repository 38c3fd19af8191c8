"""Pictures of images: reconstructions, grids of samples, traversals of the latent variables."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import ArrayLike

from tf_discrete.plots import canvas, mosaic
from tf_discrete.plots.mosaic import GAP


def reconstructions(
    images: ArrayLike,
    reconstructions: ArrayLike,
    labels: ArrayLike | None = None,
    *,
    columns: int = 10,
    max_images: int = 40,
    title: str = "Reconstructions",
) -> Figure:
    """Draws originals above their reconstructions, in rows of pairs.

    Args:
      images: `[B, H, W]`, `[B, H, W, 1]` or `[B, H, W, 3]`; floats in [0, 1] or integers in
        [0, 255].
      reconstructions: the same shape and range.
      labels: `[B]`, printed above each pair; optional.
      columns: pairs per row.
      max_images: further pairs are left out.
      title: above the picture.

    Returns:
      A `Figure` with one axes.

    Raises:
      ValueError: for bad images, unequal shapes, a wrong number of labels or columns < 1.

    Example:
      >>> x = np.zeros([20, 8, 8])
      >>> len(reconstructions(x, 1 - x, labels=np.arange(20)).axes)
      1
    """
    originals = mosaic.as_images(images)
    copies = mosaic.as_images(reconstructions, "reconstructions")
    if originals.shape[:3] != copies.shape[:3]:
        raise ValueError(
            "images and reconstructions must be pairs of one size. Give arrays of the same "
            f"shape. Received: images.shape={np.shape(images)}, "
            f"reconstructions.shape={np.shape(reconstructions)}"
        )
    names = None if labels is None else np.asarray(labels)
    if names is not None and names.shape != (len(originals),):
        raise ValueError(
            "labels must hold one entry per image. Give an array of shape [B]. "
            f"Received: labels.shape={names.shape}, images.shape={np.shape(images)}"
        )
    shown, columns = _limits(len(originals), columns, max_images)
    upper = mosaic.tiles(originals[:shown], columns)
    lower = mosaic.tiles(copies[:shown], columns)
    height, width = upper.shape[1:3]
    rows = -(-shown // columns)
    text = 22 if names is not None else 0  # pixels above a pair
    block = text + 2 * height + 2  # one row of pairs
    pitch = block + 3 * GAP
    pixels = _blank(rows * pitch - 3 * GAP, columns * (width + GAP) - GAP)
    for i in range(shown):
        y, x = (i // columns) * pitch + text, (i % columns) * (width + GAP)
        pixels[y : y + height, x : x + width] = upper[i]
        pixels[y + height + 2 : y + 2 * height + 2, x : x + width] = lower[i]
    figure, axes = mosaic.grid_figure(pixels, title, mosaic.text_width("reconstruction") + 12)
    for i, name in enumerate([] if names is None else names[:shown]):
        x = (i % columns) * (width + GAP) + width / 2
        shown_name = mosaic.shortened(str(name), width)
        write(axes, x, (i // columns) * pitch + text - 4, shown_name)
    for row in range(rows):
        for half, kind in enumerate(("original", "reconstruction")):
            y = row * pitch + text + (height + 2) * half + height / 2
            write(axes, -10, y, kind, row_name=True)
    return figure


def image_grid(
    images: ArrayLike, *, columns: int = 10, max_images: int = 100, title: str = "Samples"
) -> Figure:
    """Draws images in a grid, row by row.

    Args:
      images: `[B, H, W]`, `[B, H, W, 1]` or `[B, H, W, 3]`; floats in [0, 1] or integers in
        [0, 255].
      columns: images per row.
      max_images: further images are left out.
      title: above the picture.

    Returns:
      A `Figure` with one axes.

    Raises:
      ValueError: for bad images or columns < 1.

    Example:
      >>> len(image_grid(np.zeros([12, 8, 8, 3]), columns=4).axes)
      1
    """
    array = mosaic.as_images(images)
    shown, columns = _limits(len(array), columns, max_images)
    return mosaic.grid_figure(paste(mosaic.tiles(array[:shown], columns), columns), title).figure


def traversal(
    images: ArrayLike,
    codes: ArrayLike | None = None,
    *,
    variables: Sequence[int] | None = None,
    title: str = "One variable at a time through its categories",
) -> Figure:
    """Draws one latent variable per row, decoded at each of its categories.

    Args:
      images: `[num_rows, num_categories, H, W]` or `[..., H, W, C]` with 1 or 3 channels; row r
        is the decoded code with only the row's variable changed, floats in [0, 1] or integers
        in [0, 255].
      codes: `[num_rows]` integers, the original code's category in each row, framed; optional.
      variables: Number of the variable in each row; default 0, 1, 2, ...
      title: above the picture.

    Returns:
      A `Figure` with one axes.

    Raises:
      ValueError: for bad images, or codes or variables that do not fit the rows.

    Example:
      >>> figure = traversal(np.zeros([3, 10, 8, 8, 1]), codes=[4, 0, 9], variables=[2, 5, 7])
      >>> len(figure.axes[0].patches)
      3
    """
    array = np.asarray(images)
    if array.ndim not in (4, 5) or 0 in array.shape:
        raise ValueError(
            "images of a traversal must be [num_rows, num_categories, H, W] or "
            "[num_rows, num_categories, H, W, C]. Stack one row per variable. "
            f"Received: images.shape={array.shape}"
        )
    rows, columns = array.shape[:2]
    names = list(range(rows)) if variables is None else list(variables)
    if len(names) != rows:
        raise ValueError(
            "variables must name every row of images. Give one number per row. "
            f"Received: variables={names}, images.shape={array.shape}"
        )
    marks = None if codes is None else np.asarray(codes)
    if marks is not None and (
        marks.shape != (rows,)
        or not np.issubdtype(marks.dtype, np.integer)
        or marks.min() < 0
        or marks.max() >= columns
    ):
        raise ValueError(
            f"codes must hold one category in [0, {columns}) per row of images. Give integers of "
            f"shape [num_rows]. Received: codes={codes!r}, images.shape={array.shape}"
        )
    flat = mosaic.as_images(array.reshape((-1,) + array.shape[2:]))
    shown = mosaic.tiles(flat, columns, largest=96)
    height, width = shown.shape[1:3]
    note = "framed: the category of the original code" if marks is not None else ""
    left = max(mosaic.text_width(f"variable {name}") for name in names) + 12
    figure, axes = mosaic.grid_figure(paste(shown, columns), title, left, 42, note)
    every = -(-26 // (width + GAP))  # category numbers need about 26 pixels
    for k in range(0, columns, every):
        write(axes, k * (width + GAP) + width / 2, -6, str(k))
    write(axes, (columns * (width + GAP) - GAP) / 2, -24, "category")
    for row, name in enumerate(names):
        y = row * (height + GAP)
        write(axes, -10, y + height / 2, f"variable {name}", row_name=True)
        if marks is not None:
            axes.add_patch(
                Rectangle(
                    (marks[row] * (width + GAP) - 2, y - 2),
                    width + 4,
                    height + 4,
                    fill=False,
                    edgecolor=canvas.VERMILION,
                    linewidth=2.5,
                    clip_on=False,
                )
            )
    return figure


def _limits(count: int, columns: int, max_images: int) -> tuple[int, int]:
    if columns < 1 or max_images < 1:
        raise ValueError(
            "columns and max_images must be positive. Give integers >= 1. "
            f"Received: columns={columns}, max_images={max_images}"
        )
    shown = min(count, max_images)
    return shown, min(columns, shown)


def write(axes: Axes, x: float, y: float, text: str, row_name: bool = False) -> None:
    """Writes above a point of the picture, or to the left of it."""
    horizontal, vertical = ("right", "center") if row_name else ("center", "bottom")
    style = {"fontsize": canvas.LABEL_SIZE, "color": canvas.MUTED}
    axes.text(x, y, text, style, ha=horizontal, va=vertical)


def _blank(height: int, width: int) -> np.ndarray:
    return np.full([height, width, 3], 255, np.uint8)


def paste(shown: np.ndarray, columns: int) -> np.ndarray:
    """Tiles `[B, h, w, 3]` as one picture, row by row."""
    height, width = shown.shape[1:3]
    rows = -(-len(shown) // columns)
    pixels = _blank(rows * (height + GAP) - GAP, columns * (width + GAP) - GAP)
    for i, tile in enumerate(shown):
        y, x = (i // columns) * (height + GAP), (i % columns) * (width + GAP)
        pixels[y : y + height, x : x + width] = tile
    return pixels
