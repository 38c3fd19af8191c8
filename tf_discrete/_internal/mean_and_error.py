"""The mean of independent examples with its standard error."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike


def mean_and_error(values: ArrayLike) -> tuple[float, float]:
    """Returns the mean of examples [M], M >= 1, and its standard error, which is NaN for a single one.

    Example:
        >>> mean_and_error(np.array([1.0, 2.0, 3.0, 6.0]))
        (3.0, 1.08...)
    """
    found = np.asarray(values, np.float64)
    error = found.std(ddof=1) / math.sqrt(len(found)) if len(found) > 1 else math.nan
    return float(found.mean()), float(error)
