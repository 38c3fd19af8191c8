"""Images as PNG and JPEG in memory, alone or in a sheet, and how many of the bytes are not header."""

from __future__ import annotations

import io
import math

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


def resize(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """An image of another size, uint8 [height, width] or [height, width, 3]."""
    if image.shape[:2] == (height, width):
        return image
    return np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BICUBIC))


def sheet(images: np.ndarray) -> np.ndarray:
    """Arranges images [M, H, W] or [M, H, W, 3] in a picture as square as can be, black at its end.

    Example:
        >>> sheet(np.ones([5, 4, 6], np.uint8)).shape
        (8, 18)
    """
    count, height, width, *rest = images.shape
    columns = math.isqrt(count - 1) + 1
    rows = -(-count // columns)
    blank = np.zeros([rows * columns - count, *images.shape[1:]], images.dtype)
    tiles = np.concatenate([images, blank]).reshape(rows, columns, height, width, *rest)
    return tiles.swapaxes(1, 2).reshape(rows * height, columns * width, *rest)


def cut(picture: np.ndarray, count: int, height: int, width: int) -> np.ndarray:
    """Returns the images that `sheet` has arranged, [M, H, W] or [M, H, W, 3]."""
    rows, columns, rest = picture.shape[0] // height, picture.shape[1] // width, picture.shape[2:]
    tiles = picture.reshape(rows, height, columns, width, *rest).swapaxes(1, 2)
    return tiles.reshape(rows * columns, height, width, *rest)[:count]


def _save(image: np.ndarray, **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, **options)
    return buffer.getvalue()
