"""Classes across, styles down: what a generator of class and style draws."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from tf_discrete.plots import images as image_plots
from tf_discrete.plots import mosaic
from tf_discrete.plots.mosaic import GAP


def class_grid(
    images: ArrayLike,
    originals: ArrayLike | None = None,
    *,
    names: Sequence[str] | None = None,
    labels: Sequence[str] | None = None,
    title: str = "",
) -> Figure:
    """Draws one style a row in all classes; with `originals`, the images that the styles are of.

    Args:
      images: `[num_styles, num_classes, H, W]` or `[..., H, W, C]` with 1 or 3 channels; floats in
        [0, 1] or integers in [0, 255].
      originals: `[num_styles, H, W(, C)]`, drawn in a column of their own on the left; optional.
      names: Names of the classes; default 0, 1, 2, ...
      labels: `[num_styles]`, the classes of the originals, printed to the left of each row; optional.
      title: above the picture; default says what it shows.

    Returns:
      A `Figure` with one axes.

    Raises:
      ValueError: for bad images, or originals, names or labels that do not fit them.

    Example:
      >>> len(class_grid(np.zeros([4, 10, 8, 8, 1]), originals=np.zeros([4, 8, 8, 1])).axes)
      1
    """
    array = np.asarray(images)
    if array.ndim not in (4, 5) or 0 in array.shape:
        raise ValueError(
            "images must be [num_styles, num_classes, H, W] or [num_styles, num_classes, H, W, C]. "
            f"Received: images.shape={array.shape}"
        )
    rows, classes = array.shape[:2]
    names = [str(k) for k in range(classes)] if names is None else [str(name) for name in names]
    if len(names) != classes:
        raise ValueError(
            f"names must name every class. Give {classes} names. Received: names={names}"
        )
    labels = [] if labels is None else [str(label) for label in labels]
    if labels and len(labels) != rows:
        raise ValueError(
            f"labels must hold one entry per row. Give {rows} names. Received: labels={labels}"
        )
    gap = 0
    if originals is not None:
        first = np.asarray(originals).reshape((-1, 1, *array.shape[2:]))
        if len(first) != rows:
            raise ValueError(
                "originals must hold one image for each row of images. Received: "
                f"originals.shape={np.shape(originals)}, images.shape={array.shape}"
            )
        array = np.concatenate([first, array], axis=1)
        gap = 3 * GAP
    columns = array.shape[1]
    flat = mosaic.as_images(array.reshape((-1, *array.shape[2:])))
    shown = mosaic.tiles(flat, columns, largest=96)
    pixels = image_plots.paste(shown, columns)
    height, width = shown.shape[1:3]
    if gap:
        space = np.full([len(pixels), gap, 3], 255, np.uint8)
        pixels = np.concatenate([pixels[:, : width + GAP], space, pixels[:, width + GAP :]], axis=1)
    default = "The style of an image in all classes" if gap else "Styles down, classes across"
    widest = max(map(mosaic.text_width, labels), default=0)
    figure, axes = mosaic.grid_figure(pixels, title or default, widest + 12 if widest else 0, 42)
    left = width + GAP + gap if gap else 0
    for k, name in enumerate(names):
        image_plots.write(
            axes, left + k * (width + GAP) + width / 2, -6, mosaic.shortened(name, width)
        )
    for row, label in enumerate(labels):
        image_plots.write(axes, -10, row * (height + GAP) + height / 2, label, row_name=True)
    middle = left + (classes * (width + GAP) - GAP) / 2
    image_plots.write(axes, middle, -24, "class")
    if gap:
        image_plots.write(axes, width / 2, -6, "original" if width > 50 else "of")
    return figure
