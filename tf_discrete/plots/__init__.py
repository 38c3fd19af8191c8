"""Figures of training runs, images and codes: matplotlib on Agg, without pyplot."""

from tf_discrete.plots.bits import bit_statistics
from tf_discrete.plots.canvas import save, to_image
from tf_discrete.plots.class_grid import class_grid
from tf_discrete.plots.comparison import Line, LinePanel, comparison
from tf_discrete.plots.completions import completions
from tf_discrete.plots.confusion import confusion
from tf_discrete.plots.history import PANELS, Panel, curves
from tf_discrete.plots.images import image_grid, reconstructions, traversal
from tf_discrete.plots.neighbors import neighbors
from tf_discrete.plots.schedules import schedule
from tf_discrete.plots.usage import code_usage

__all__ = [
    "PANELS",
    "Line",
    "LinePanel",
    "Panel",
    "bit_statistics",
    "class_grid",
    "code_usage",
    "comparison",
    "completions",
    "confusion",
    "curves",
    "image_grid",
    "neighbors",
    "reconstructions",
    "save",
    "schedule",
    "to_image",
    "traversal",
]
