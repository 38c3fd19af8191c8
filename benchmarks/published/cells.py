"""The tables of published numbers, by name."""

from __future__ import annotations

from benchmarks.published import concrete, gumbel_rao, gumbel_softmax, reinmax
from benchmarks.published.cell import Cell

TABLES = {
    "gumbel_softmax": gumbel_softmax.jang,
    "concrete": concrete.concrete,
    "arity": concrete.arity,
    "concrete_structured": concrete.concrete_structured,
    "reinmax": reinmax.reinmax,
    "gumbel_rao": gumbel_rao.paulus,
}
PAPER_STEPS = {
    "concrete": 10_000_000,
    "arity": 10_000_000,
    "concrete_structured": 10_000_000,
    "gumbel_rao": gumbel_rao.STEPS,
    "reinmax": 96_000,
}
"""Training steps of the papers that name them."""


def cells(table: str) -> list[Cell]:
    """All cells of a table, in its order.

    Raises:
        ValueError: an unknown table.
    """
    if table not in TABLES:
        raise ValueError(f"table must be one of {', '.join(TABLES)}. Received: table={table!r}")
    return list(TABLES[table]())
