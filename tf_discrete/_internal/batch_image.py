"""The observations of a batch that may be a dict."""

from __future__ import annotations

from typing import Any


def image_of(batch: Any) -> Any:
    """Returns what a dict holds under 'image', and anything else as it is.

    Raises:
        ValueError: A dict without 'image'.

    Example:
        >>> image_of({"image": 1, "label": 2}), image_of(1)
        (1, 1)
    """
    if not isinstance(batch, dict):
        return batch
    if "image" not in batch:
        raise ValueError(
            "A batch that is a dict must hold the observations under 'image'. "
            f"Received: keys={sorted(batch, key=str)}"
        )
    return batch["image"]
