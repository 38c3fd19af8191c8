"""The tables of published numbers, by name."""

from __future__ import annotations

from benchmarks.published import concrete, gumbel_softmax, reinmax
from benchmarks.published.cell import Cell

TABLES = {
    "gumbel_softmax": gumbel_softmax.jang,
    "concrete": concrete.concrete,
    "arity": concrete.arity,
    "concrete_structured": concrete.concrete_structured,
    "reinmax": reinmax.reinmax,
}


def cells(table: str) -> list[Cell]:
    """All cells of a table, in its order.

    Raises:
        ValueError: an unknown table.
    """
    if table not in TABLES:
        raise ValueError(f"table must be one of {', '.join(TABLES)}. Received: table={table!r}")
    return list(TABLES[table]())
