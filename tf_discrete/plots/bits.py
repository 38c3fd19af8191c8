"""A picture of binary codes: how often each bit is set, and how bits depend on one another."""

from __future__ import annotations

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from tf_discrete.plots import canvas


def bit_statistics(bits: ArrayLike, *, title: str = "Bits of the codes") -> Figure:
    """Draws the share of examples in which each bit is set, and the correlation of every two bits.

    A dashed line marks 1/2, where a bit says most. A bit that never changes is orange, and grey in the
    correlations, which are undefined for it.

    Args:
      bits: codes `[B, N]` of 0 and 1.
      title: above the picture.

    Returns:
      A `Figure` with three axes: shares, correlations, colour bar.

    Raises:
      ValueError: for codes that are no matrix of bits.

    Example:
      >>> len(bit_statistics([[0, 1], [1, 1], [1, 0]]).axes)
      3
    """
    array = np.asarray(bits)
    if array.ndim != 2 or array.size == 0 or not np.isin(array, (0, 1)).all():
        raise ValueError(
            "bits must be codes [B, N] of 0 and 1, at least one. Give what `encode` gives. "
            f"Received: bits.shape={array.shape}, dtype={array.dtype}"
        )
    share = array.mean(axis=0)
    numbers = np.arange(len(share))
    figure = canvas.new_figure(11.0, 4.6, constrained=True)
    figure.suptitle(title, fontsize=canvas.TITLE_SIZE, color=canvas.INK)
    bars, heat, scale = figure.subplots(1, 3, width_ratios=[5.2, 4.0, 0.2])

    constant = (share == 0) | (share == 1)
    bars.bar(numbers, share, 0.8, color=np.where(constant, canvas.VERMILION, canvas.BLUE))
    bars.plot(
        numbers[constant], share[constant], "o", color=canvas.VERMILION, markersize=5, clip_on=False
    )
    note = " (orange: never changes)" if constant.any() else ""
    canvas.tidy(bars, "Share of examples with the bit set" + note, "bit", "share")
    bars.axhline(0.5, color=canvas.MUTED, linewidth=1.2, linestyle="--")
    bars.set_ylim(0, 1)
    bars.grid(False, axis="x")

    picture = heat.imshow(
        np.ma.masked_invalid(correlations(array)),
        cmap=colormaps["RdBu_r"].with_extremes(bad="#C8C8C8"),
        vmin=-1.0,
        vmax=1.0,
        interpolation="nearest",
    )
    canvas.tidy(heat, "Correlation", "bit", "bit")
    heat.grid(False)
    heat.spines[:].set_visible(False)
    for axis in (bars.xaxis, heat.xaxis, heat.yaxis):
        axis.set_major_locator(MaxNLocator(integer=True, nbins=10, min_n_ticks=1))
    figure.colorbar(picture, cax=scale).outline.set_visible(False)
    scale.tick_params(labelsize=canvas.TICK_SIZE, colors=canvas.MUTED)
    return figure


def correlations(bits: ArrayLike) -> np.ndarray:
    """Returns the correlation of every two columns, `[N, N]`; NaN for a column that never changes.

    Example:
      >>> correlations([[0, 1], [1, 0]]).round(6).tolist()
      [[1.0, -1.0], [-1.0, 1.0]]
    """
    centred = np.asarray(bits, np.float64)
    centred = centred - centred.mean(axis=0)
    scale = np.sqrt((centred**2).sum(axis=0))
    with np.errstate(invalid="ignore", divide="ignore"):
        return (centred.T @ centred) / (scale[:, np.newaxis] * scale)
