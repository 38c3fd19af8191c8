"""The guide to data of one's own, which every refusal of data names."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

GUIDE = "docs/your_data.md"
"""Where keys, layouts, labels and limits are explained."""


@contextlib.contextmanager
def named() -> Iterator[None]:
    """Adds the guide to every refusal inside, in front of what was received.

    Example:
        >>> with named():
        ...     raise ValueError("Label some images. Received: labels=None")
        Traceback (most recent call last):
        ValueError: Label some images. See docs/your_data.md. Received: labels=None
    """
    try:
        yield
    except (FileNotFoundError, ValueError) as error:
        told = str(error)
        if len(error.args) == 1 and GUIDE not in told:
            before, received, after = told.partition(" Received:")
            error.args = (f"{before} See {GUIDE}.{received}{after}",)
        raise
