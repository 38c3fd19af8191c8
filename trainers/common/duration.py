"""Lengths of time in words."""

from __future__ import annotations


def duration(seconds: float) -> str:
    """Returns a length of time in words.

    Example:
        >>> [duration(seconds) for seconds in (0.31, 12.3, 200, 7500, 200000)]
        ['0.3 s', '12 s', '3 min', '2 h 5 min', '2 d 7 h']
    """
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 24 * 60:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{minutes // 1440} d {minutes % 1440 // 60} h"
