"""Intervals of means of few seeds."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

_T = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)
"""97.5 % quantiles of Student's distribution with 1, 2, ... degrees of freedom."""


def quantile(degrees: int) -> float:
    """Returns the 97.5 % quantile of Student's distribution; infinity for 0 degrees of freedom."""
    return _T[min(degrees, len(_T)) - 1] if degrees else math.inf


def interval(values: Sequence[float]) -> float:
    """Returns half of the 95 % interval of a mean, by Student's distribution; infinity for one value."""
    if len(values) < 2:
        return math.inf
    return quantile(len(values) - 1) * float(np.std(values, ddof=1)) / math.sqrt(len(values))
