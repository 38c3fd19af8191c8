"""Lines over the sizes of a code, with a band over the seeds."""

from __future__ import annotations

from collections.abc import Iterable
from statistics import fmean

from tf_discrete import plots


def lines(points: Iterable[tuple[str, float, float]]) -> dict[str, plots.Line]:
    """Returns lines by name: the mean, the least and the most of all values at each x.

    Args:
        points: The name of a line, x and a value; the seeds of a cell have the same name and x.
    """
    found: dict[str, dict[float, list[float]]] = {}
    for name, x, value in points:
        found.setdefault(name, {}).setdefault(x, []).append(value)
    return {
        name: plots.Line(
            sorted(values), *([f(values[x]) for x in sorted(values)] for f in (fmean, min, max))
        )
        for name, values in found.items()
    }


def panel(x: str, y: str, points: Iterable[tuple[str, float, float]]) -> plots.LinePanel:
    """Returns the panel of such lines, with the names of both axes."""
    return plots.LinePanel(y, x, y, lines(points), whole=True)
