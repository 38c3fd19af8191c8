"""Images as PNG and JPEG in memory, and how many of the bytes are not header."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

_PNG_HEAD = 8
_JPEG_STANDALONE = range(0xD0, 0xDA)
"""Markers without a length: restarts, begin and end of the image."""
_START_OF_SCAN = 0xDA


def png(image: np.ndarray) -> bytes:
    """A lossless PNG, optimised.

    Args:
        image: uint8 [H, W] or [H, W, 3].

    Example:
        >>> data = png(np.zeros([4, 4], np.uint8))
        >>> len(data) > png_payload(data) > 0
        True
    """
    return _save(image, format="PNG", optimize=True)


def png_payload(data: bytes) -> int:
    """The bytes of a PNG's compressed pixels: what its IDAT chunks hold."""
    total, place = 0, _PNG_HEAD
    while place < len(data):
        size = int.from_bytes(data[place : place + 4], "big")
        if data[place + 4 : place + 8] == b"IDAT":
            total += size
        place += 12 + size
    return total


def jpeg(image: np.ndarray, quality: int, optimize: bool = True) -> bytes:
    """A JPEG.

    Args:
        image: uint8 [H, W] or [H, W, 3].
        quality: 1 to 95.
        optimize: whether it carries Huffman tables of its own, else the standard ones. Default: True.
    """
    return _save(image, format="JPEG", quality=quality, optimize=optimize)


def jpeg_payload(data: bytes) -> int:
    """The bytes of a JPEG's entropy-coded scan, for one that is not progressive."""
    place = 0
    while True:
        marker = data[place + 1]
        if marker in _JPEG_STANDALONE:
            place += 2
            continue
        place += 2 + int.from_bytes(data[place + 2 : place + 4], "big")
        if marker == _START_OF_SCAN:
            return len(data) - 2 - place


def read(data: bytes) -> np.ndarray:
    """The pixels of a PNG or a JPEG, uint8."""
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image)


def _save(image: np.ndarray, **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, **options)
    return buffer.getvalue()
