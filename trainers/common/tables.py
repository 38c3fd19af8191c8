"""Tables in Markdown."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence

NOT_MEASURED = "Not measured.\n"


def markdown(header: Sequence[str], rows: Iterable[Sequence[str]], right: bool = False) -> str:
    """A table.

    Args:
        header: of the columns.
        rows: as many cells each.
        right: whether all columns but the first are aligned to the right. Default: False.
    """
    rule = ["---", *(["---:" if right else "---"] * (len(header) - 1))]
    return "".join(f"| {' | '.join(line)} |\n" for line in (header, rule, *rows))


def spread(values: Sequence[float], digits: int) -> str:
    """Mean +- standard deviation; the mean alone of a single value."""
    mean = f"{statistics.fmean(values):.{digits}f}"
    return mean if len(values) < 2 else f"{mean} +- {statistics.stdev(values):.{digits}f}"
