"""A notice where nearly all pictures have one code, so that a table of codes cannot tell them apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tf_discrete._internal.counted import counted

FEW = 2
"""Largest number of states that counts as collapsed."""
ROUNDS = 2
"""Rounds of learning in a row with so few states: after the first one codes may still come into use."""


def notice(rows: Sequence[Mapping[str, Any]], pixel_scale: float) -> str:
    """Returns a notice where the codes of a run have collapsed, else "".

    Args:
        rows: Of the history so far, in order.
        pixel_scale: Of the run.

    Example:
        >>> rows = [{"agent/states": 1, "model/loss": 21306.6}] * 2
        >>> notice(rows, 0.1).split(".")[0]
        'The pictures that are remembered have 1 code after 2 rounds of learning'
    """
    learned = sum("model/loss" in row for row in rows)
    last = rows[-ROUNDS:]
    if learned < ROUNDS or any(row["agent/states"] > FEW for row in last):
        return ""
    return (
        f"The pictures that are remembered have {counted(last[-1]['agent/states'], 'code')} after "
        f"{counted(learned, 'round')} of learning. The agent cannot tell them apart. Raise --pixel_scale for "
        "large pictures without noise; lower it where few pixels change. docs/state_tabulation.md has more. "
        f"Received: pixel_scale={pixel_scale:g}"
    )
