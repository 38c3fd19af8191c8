"""A picture of how the latent codes are used."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from tf_discrete.evaluation import information
from tf_discrete.plots import canvas


def code_usage(
    counts: ArrayLike,
    perplexity: ArrayLike | None = None,
    *,
    collapsed: Sequence[int] = (),
    title: str = "Use of the latent codes",
) -> Figure:
    """Draws how often each variable takes each category, with its perplexity next to it.

    A dark row with one bright cell is a variable that says nothing; grey cells are categories
    that never occurred; a dashed line marks the perplexity of a variable that uses all of its
    categories equally.

    Args:
      counts: `[num_variables, num_categories]`, how often each category was chosen (two columns
        for binary latents).
      perplexity: `[num_variables]`; default computed from `counts`.
      collapsed: indices of variables to draw in the warning colour.
      title: above the picture.

    Returns:
      A `Figure` with three axes: heat map, colour bar, perplexity.

    Raises:
      ValueError: for counts that are not a matrix of numbers >= 0, or a perplexity that does not
        match.

    Example:
      >>> len(code_usage([[5, 5, 0], [10, 0, 0]]).axes)
      3
    """
    array = np.asarray(counts)
    information.check_counts(array)
    num_variables, num_categories = array.shape
    values = (
        information.perplexity(array) if perplexity is None else np.asarray(perplexity, np.float64)
    )
    if values.shape != (num_variables,):
        raise ValueError(
            "perplexity must hold one number per variable. Give an array of shape "
            f"[num_variables], or leave it out. Received: perplexity.shape={values.shape}, "
            f"counts.shape={array.shape}"
        )
    share = array / np.maximum(array.sum(axis=1, keepdims=True), 1)

    height = float(np.clip(0.3 * num_variables, 2.4, 11.0))
    width = float(np.clip(0.5 * num_categories, 3.2, 9.0))
    figure = canvas.new_figure(width + 4.2, height + 1.4, constrained=True)
    figure.suptitle(title, fontsize=canvas.TITLE_SIZE, color=canvas.INK)
    heat, scale, bars = figure.subplots(1, 3, width_ratios=[width, 0.2, 2.4])
    bars.sharey(heat)

    picture = heat.imshow(
        np.ma.masked_equal(share, 0.0),
        cmap=colormaps["viridis"].with_extremes(bad="#C8C8C8"),
        vmin=0.0,
        vmax=max(float(share.max()), 1e-12),
        aspect="auto",
        interpolation="nearest",
    )
    canvas.tidy(heat, "Share of examples (grey: never)", "category", "variable")
    heat.grid(False)
    heat.spines[:].set_visible(False)
    for axis in (heat.xaxis, heat.yaxis):
        axis.set_major_locator(MaxNLocator(integer=True, nbins=20, min_n_ticks=1))
    figure.colorbar(picture, cax=scale).outline.set_visible(False)
    scale.tick_params(labelsize=canvas.TICK_SIZE, colors=canvas.MUTED)

    colours = np.full(num_variables, canvas.BLUE)
    colours[list(collapsed)] = canvas.VERMILION
    thickness = 0.7 if num_variables <= 64 else 1.0
    bars.barh(np.arange(num_variables), np.nan_to_num(values), thickness, color=colours)
    canvas.tidy(
        bars, "Perplexity" + (" (orange: collapsed)" if len(collapsed) else ""), "categories"
    )
    bars.axvline(num_categories, color=canvas.MUTED, linewidth=1.2, linestyle="--")
    bars.set_xlim(0, num_categories * 1.05)
    bars.tick_params(labelleft=False)
    bars.grid(False, axis="y")
    return figure
