"""Many small images as one sharp picture: checks, tiles, placement."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.textpath import TextPath
from numpy.typing import ArrayLike
from PIL import Image

from tf_discrete.plots import canvas

GAP = 6  # pixels between tiles
MARGIN = 16  # pixels around everything
_WIDTH = 1000  # pixels of a row of tiles


class Grid(NamedTuple):
    """A figure with one axes, whose data coordinates are pixels of the picture."""

    figure: Figure
    axes: Axes


def as_images(images: ArrayLike, name: str = "images") -> np.ndarray:
    """Checks images and brings them to uint8 RGB.

    Args:
      images: `[B, H, W]`, `[B, H, W, 1]` (grey) or `[B, H, W, 3]` (colour); floats and booleans
        in [0, 1] (floats beyond are clipped), integers in [0, 255].
      name: the argument's name in error messages.

    Returns:
      uint8 array `[B, H, W, 3]`.

    Raises:
      ValueError: for another shape, no images, non-finite floats, or integers out of range.

    Example:
      >>> as_images([[[0.0, 1.0]]])[0, 0].tolist()
      [[0, 0, 0], [255, 255, 255]]
    """
    array = np.asarray(images)
    if array.ndim == 3:
        array = array[..., np.newaxis]
    if array.ndim != 4 or array.shape[-1] not in (1, 3) or 0 in array.shape:
        raise ValueError(
            f"{name} must be at least one grey or colour image. Reshape it to [B, H, W], "
            f"[B, H, W, 1] or [B, H, W, 3]. Received: {name}.shape={np.shape(images)}"
        )
    if np.issubdtype(array.dtype, np.integer):
        if array.min() < 0 or array.max() > 255:
            raise ValueError(
                f"{name} of integers must lie in [0, 255]. Rescale it, or give floats in [0, 1]. "
                f"Received: minimum={array.min()}, maximum={array.max()}"
            )
        array = array.astype(np.uint8)
    else:
        array = array.astype(np.float64)
        if not np.isfinite(array).all():
            raise ValueError(
                f"{name} must be finite. Look for a diverged model or a bad file. "
                f"Received: {np.count_nonzero(~np.isfinite(array))} non-finite values"
            )
        array = np.rint(np.clip(array, 0.0, 1.0) * 255.0).astype(np.uint8)
    return np.broadcast_to(array, array.shape[:-1] + (3,))


def tiles(images: np.ndarray, columns: int, largest: int = 256) -> np.ndarray:
    """Resizes images so that `columns` of them fill about 1000 pixels.

    Small images grow by a whole factor, to 128 pixels at most (every pixel stays a sharp
    square), large ones shrink by averaging.

    Args:
      images: uint8 `[B, H, W, 3]`.
      columns: Tiles in a row.
      largest: upper limit for the longer side of a tile, in pixels.

    Returns:
      uint8 `[B, h, w, 3]`.

    Example:
      >>> tiles(np.zeros([2, 8, 8, 3], np.uint8), columns=10).shape
      (2, 88, 88, 3)
    """
    height, image_width = images.shape[1:3]
    longer = max(height, image_width)
    target = int(np.clip(_WIDTH // columns - GAP, 12, largest))
    if longer <= target:
        factor = max(1, min(target, 128) // longer)
        return images.repeat(factor, axis=1).repeat(factor, axis=2)
    size = (max(1, image_width * target // longer), max(1, height * target // longer))
    return np.stack(
        [np.asarray(Image.fromarray(i).resize(size, Image.Resampling.BOX)) for i in images]
    )


def text_width(text: str, size: float = canvas.LABEL_SIZE) -> int:
    """Measures a line of text, in pixels of a figure.

    Example:
      >>> text_width("") == 0 < text_width("a") < text_width("ab")
      True
    """
    if not text.strip():
        return 0
    extents = TextPath((0, 0), text, size=size).get_extents()
    return math.ceil(extents.width * canvas.DPI / 72)


def shortened(text: str, width: float, size: float = canvas.LABEL_SIZE) -> str:
    """Returns a line of text, cut and ended by dots where it is wider than a tile and half of its gap.

    Args:
      text: a name.
      width: pixels of the tile.
      size: of the font, in points.

    Example:
      >>> shortened("Coat", 90), shortened("golden retriever", 90)
      ('Coat', 'golden ret...')
    """
    kept = text
    while text_width(text, size) > width + GAP / 2 and kept:
        kept = kept[:-1].rstrip()
        text = f"{kept}..."
    return text


def grid_figure(
    pixels: np.ndarray, title: str = "", left: int = 0, top: int = 0, note: str = ""
) -> Grid:
    """Puts a picture on a figure, one picture pixel on one figure pixel.

    Args:
      pixels: uint8 `[height, width, 3]`.
      title: above the picture; empty for none.
      left: extra pixels left of the picture, for row names.
      top: extra pixels between the title and the picture, for column names.
      note: explanation below the picture, in the marking colour; empty for none.

    Returns:
      A `Grid`: the figure and its only axes, in which text is placed by pixel.

    Example:
      >>> grid_figure(np.zeros([100, 600, 3], np.uint8)).figure.get_size_inches().tolist()
      [6.32, 1.32]
    """
    height, width = pixels.shape[:2]
    head = MARGIN + top + (34 if title else 0)
    bottom = 30 if note else 0
    texts = text_width(title, canvas.TITLE_SIZE), text_width(note)
    total_width = max(width + left, *texts) + 2 * MARGIN
    total_height = height + head + bottom + MARGIN
    x, y = left + (total_width - width - left) // 2, MARGIN + bottom
    figure = canvas.new_figure(total_width / canvas.DPI, total_height / canvas.DPI)
    axes = figure.add_axes(
        (x / total_width, y / total_height, width / total_width, height / total_height)
    )
    axes.imshow(pixels, interpolation="nearest", extent=(0, width, height, 0), aspect="auto")
    axes.set_axis_off()
    if title:
        figure.text(
            0.5,
            1 - MARGIN / total_height,
            title,
            ha="center",
            va="top",
            fontsize=canvas.TITLE_SIZE,
            color=canvas.INK,
        )
    if note:
        figure.text(
            0.5,
            MARGIN / total_height,
            note,
            ha="center",
            va="bottom",
            fontsize=canvas.LABEL_SIZE,
            color=canvas.VERMILION,
        )
    return Grid(figure, axes)
