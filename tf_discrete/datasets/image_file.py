"""One image, a file or its bytes: what its header says, and its pixels as 8-bit grey or RGB."""

from __future__ import annotations

import contextlib
import io
import os
import stat
import warnings
from collections.abc import Iterator, Mapping
from typing import IO, NamedTuple

import numpy as np
import tensorflow as tf
from PIL import ExifTags, Image

from tf_discrete._internal import reading
from tf_discrete.datasets import resizing

EXTENSIONS = (
    ".png",
    ".jpg",
    ".jpeg",
    ".jfif",
    ".bmp",
    ".gif",
    ".webp",
    ".tif",
    ".tiff",
    ".ppm",
    ".pgm",
    ".pbm",
    ".pnm",
)
MAX_PIXELS = 2**26
"""Largest picture that is decoded: 8192 x 8192."""
MAX_FILE_BYTES = 2**30

_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "PPM")
_GREY_MODES = ("1", "L", "LA", "I", "I;16", "I;16L", "I;16B")  # Pillow's names
_LEVELS = {1: (255,), 8: (1, 255), 16: (1, 255, 4095, 65535)}
_LUMINANCE = np.array([19595, 38470, 7471], np.uint32)
"""Weights of red, green and blue; their sum is 2**16."""
_FAINT = 240  # Nothing can be seen on white if every pixel is at least this bright.
_GREY_BITS, _PNG_COLOUR_16 = ("I", "I;16", "I;16L", "I;16B"), (2, 4, 6)


Source = str | bytes
"""The path of a file, or what is in one."""


class Header(NamedTuple):
    """The properties of a picture that are known without decoding it.

    Attributes:
        size: (height, width), as it is to be seen.
        grey: Bool, whether it has no colour.
        bits: 1, 8 or 16 per channel.
    """

    size: tuple[int, int]
    grey: bool
    bits: int


class WhiteLevels(NamedTuple):
    """The stored value that is white, 255, after decoding: one for all files of a data set.

    Attributes:
        eight: of files of 8 bits: 1 or 255; None where there are none.
        sixteen: of files of 16 bits: 1, 255, 4095 or 65535; None where there are none.
    """

    eight: int | None = None
    sixteen: int | None = None


class _Pixels(NamedTuple):
    values: np.ndarray  # uint8 or uint16 [H, W, 1 or 3]
    alpha: np.ndarray | None  # of the same dtype, [H, W, 1]
    bits: int


def header(path: Source) -> Header:
    """Reads what the header of a file says, given its path or its bytes.

    Raises:
        ValueError: the file cannot be read as an image, or is too large; names it.
    """
    with _opened(path) as image:
        width, height = image.size
        if image.format == "TIFF":  # Pillow turns the size at once, and the pixels later.
            width, height = image.tag_v2[256], image.tag_v2[257]
        size = (width, height) if _orientation(image) in (5, 6, 7, 8) else (height, width)
        return Header(size, _is_grey(image, path), _bits(image, path))


def white_levels(headers: Mapping[str, Header] | Mapping[bytes, Header]) -> WhiteLevels:
    """Returns the levels of white that hold the largest stored value of all files.

    Files of 8 bits have 1, if no value is larger, or 255. Files of 16 bits have the smallest of 1,
    255 (8 bits), 4095 (12 bits) and 65535 that holds every value. Only as many files are decoded as
    it takes to know.

    Args:
        headers: Headers of all files of the data set, by path or bytes.

    Raises:
        ValueError: a file that cannot be decoded; names it.
    """
    found = {}
    for bits in (8, 16):
        paths = [path for path, one in headers.items() if one.bits == bits]
        largest, certain = 0, _LEVELS[bits][-2]
        for path in paths:
            with _opened(path) as image:
                largest = max(largest, int(_pixels(image, path, one_channel=False).values.max()))
            if largest > certain:
                break
        # Of pictures that are black alone nothing is known.
        found[bits] = _level(bits, largest or _LEVELS[bits][-1]) if paths else None
    return WhiteLevels(found[8], found[16])


def decode(
    path: Source, channels: int, size: tuple[int, int] | None, white: WhiteLevels
) -> np.ndarray:
    """Returns the pixels of a file.

    The stored values are scaled first, so that white is 255. Transparency is composited over white;
    over black where nothing could be seen on white. Resizing comes last.

    Args:
        path: Path of the file, or its bytes.
        channels: 1 for grey, or 3 for RGB.
        size: (height, width) of the result; None to keep that of the file.
        white: of the data set. A file with larger values, or of a kind that the data set does not
            have, is scaled by the smallest level that holds its own.

    Returns:
        uint8 [*size, channels].

    Raises:
        ValueError: the file cannot be read as an image, or is too large; names it.
    """
    with _opened(path) as image:
        pixels = _pixels(image, path, one_channel=channels == 1)
        orientation = _orientation(image)
    level = {1: 255, 8: white.eight, 16: white.sixteen}[pixels.bits]
    largest = int(pixels.values.max())
    if level is None or largest > level:
        level = _level(pixels.bits, largest)
    values = _scaled(pixels.values, level)
    if pixels.alpha is not None:
        values = _composited(values, _scaled(pixels.alpha, np.iinfo(pixels.alpha.dtype).max))
    oriented = _oriented(values, orientation)
    return oriented if size is None else resizing.resize(oriented[np.newaxis], size)[0]


def _level(bits: int, largest: int) -> int:
    return next(level for level in _LEVELS[bits] if largest <= level)


def _scaled(values: np.ndarray, level: int) -> np.ndarray:
    """uint8, with `level` as 255."""
    if values.dtype == np.uint8 and level == 255:
        return values
    return (values.astype(np.uint32) * 255 // level).astype(np.uint8)


def _composited(values: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """uint8, over white, or over black where nothing could be seen on white."""
    ink = values.astype(np.uint32) * alpha
    on_white = (ink + 255 * (255 - alpha.astype(np.uint32)) + 127) // 255
    on_black = (ink + 127) // 255
    vanishes = on_white.min() >= _FAINT and alpha.any()
    return (on_black if vanishes else on_white).astype(np.uint8)


class _Refused(ValueError):
    """An error that names its file already."""


@contextlib.contextmanager
def _opened(path: Source) -> Iterator[Image.Image]:
    """The image, not decoded yet; whatever its reader raises becomes one error that names the file."""
    try:
        # Given a path, Pillow maps some TIFFs, and gets those wrong that lie on their side.
        with _file(path) as file, _without_size_warning():
            image = Image.open(file, formats=_FORMATS)
            if image.width * image.height > MAX_PIXELS:
                raise _Refused(
                    f"Images must have at most {MAX_PIXELS} pixels. Make it smaller. "
                    f"Received: {_name(path)} of {image.height} x {image.width} pixels"
                )
            yield image
    except _Refused:
        raise
    except Exception as error:  # Pillow's readers raise whatever their parsers meet.
        raise ValueError(
            f"Images must be whole, readable files of these kinds: {', '.join(EXTENSIONS)}. Remove or "
            "replace the file; in training, --skip_unreadable leaves it out. "
            f"Received: {_name(path)}: {reading.reason(error)}"
        ) from error


@contextlib.contextmanager
def _without_size_warning() -> Iterator[None]:
    """There is `MAX_PIXELS`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        yield


def _name(path: Source) -> str:
    return repr(path) if isinstance(path, str) else f"an image of {len(path)} bytes"


def _file(path: Source) -> IO[bytes]:
    if not isinstance(path, str):
        return io.BytesIO(path)
    status = os.stat(path)
    if not stat.S_ISREG(status.st_mode):
        raise ValueError("it is no regular file")
    if status.st_size > MAX_FILE_BYTES:
        raise ValueError(f"it has {status.st_size} bytes, more than {MAX_FILE_BYTES}")
    return open(path, "rb")


def _orientation(image: Image.Image) -> object:
    return image.getexif().get(ExifTags.Base.Orientation, 1)


def _oriented(pixels: np.ndarray, orientation: object) -> np.ndarray:
    """Returns [H, W, C] as EXIF wants it to be seen; values outside 1..8 mean nothing."""
    if orientation not in (2, 3, 4, 5, 6, 7, 8):
        return pixels
    if orientation in (5, 7):
        pixels = pixels.transpose(1, 0, 2)
    turns = {3: 2, 4: 2, 6: 3, 7: 2, 8: 1}.get(orientation, 0)
    pixels = np.rot90(pixels, turns)
    return pixels[:, ::-1] if orientation in (2, 4) else pixels


def _is_grey(image: Image.Image, path: Source) -> bool:
    if image.mode in ("P", "PA"):
        colours = np.reshape(image.getpalette("RGB"), (-1, 3))
        return bool((colours == colours[:, :1]).all())
    return image.mode in _GREY_MODES or _png_colour(image, path) == 4


def _bits(image: Image.Image, path: Source) -> int:
    if image.mode == "1":
        return 1
    if image.format == "PPM":  # It says itself which value is white, and Pillow obeys.
        return 8
    return 16 if image.mode in _GREY_BITS or _png_colour(image, path) else 8


def _png_colour(image: Image.Image, path: Source) -> int:
    """Returns the colour type of a PNG of 16 bits with colour or alpha, which Pillow cuts to 8; else 0."""
    if image.format != "PNG" or image.mode not in ("RGB", "RGBA", "LA"):
        return 0
    with _file(path) as file:
        start = file.read(26)
    depth, kind = start[24], start[25]
    return kind if depth == 16 and kind in _PNG_COLOUR_16 else 0


def _pixels(image: Image.Image, path: Source, one_channel: bool) -> _Pixels:
    """Returns the stored values of an opened image."""
    if _png_colour(image, path):
        with _file(path) as file:
            stored = tf.io.decode_png(file.read(), dtype=tf.uint16).numpy()
        alpha = stored[..., -1:] if stored.shape[-1] in (2, 4) else None
        values = stored if alpha is None else stored[..., :-1]
        return _Pixels(_channels(values, one_channel), _visible(alpha), 16)
    image.load()
    if image.mode in _GREY_BITS:
        values = _integers(image, path)
        alpha = None
        if isinstance(key := image.info.get("transparency"), int):
            alpha = np.where(values == key, 0, 65535).astype(np.uint16)
        if image.format == "PPM":
            return _Pixels(_channels(_scaled(values, 65535), one_channel), None, 8)
        return _Pixels(_channels(values, one_channel), _visible(alpha), 16)
    _check_depth(image, path)
    bits = _bits(image, path)
    if image.has_transparency_data:
        with_alpha = np.asarray(image.convert("RGBA"))
        alpha = _visible(with_alpha[..., 3:])
        if alpha is not None:
            return _Pixels(_channels(with_alpha[..., :3], one_channel), alpha, bits)
    values = np.asarray(image.convert("L" if one_channel else "RGB"))
    return _Pixels(values.reshape(*values.shape[:2], -1), None, bits)


def _check_depth(image: Image.Image, path: Source) -> None:
    """Refuses what Pillow would cut to 8 bits."""
    if image.mode == "F":
        raise _Refused(
            "Images must hold integers of 8 or 16 bits. Rescale it, or store float images in [0, 1] in "
            f"an .npz file. Received: {_name(path)} with floats"
        )
    depths = image.tag_v2.get(258, (8,)) if image.format == "TIFF" else (8,)
    if max(depths) > 8:
        raise _Refused(
            "A TIFF of more than 8 bits must be grey. Convert it to PNG. "
            f"Received: {_name(path)} with {depths} bits"
        )


def _integers(image: Image.Image, path: Source) -> np.ndarray:
    """uint16 [H, W, 1]."""
    values = np.asarray(image)[..., np.newaxis]
    if values.min() < 0 or values.max() > 65535:
        raise _Refused(
            "Images must have 8 or 16 bits: values in 0..65535. Rescale it. "
            f"Received: {_name(path)} with values from {values.min()} to {values.max()}"
        )
    return values.astype(np.uint16)


def _visible(alpha: np.ndarray | None) -> np.ndarray | None:
    """None where all is opaque."""
    if alpha is None or (alpha == np.iinfo(alpha.dtype).max).all():
        return None
    return alpha


def _channels(values: np.ndarray, one_channel: bool) -> np.ndarray:
    """One channel, the luminance as Pillow computes it, or three."""
    if not one_channel:
        return np.broadcast_to(values, (*values.shape[:2], 3))
    if values.shape[-1] == 1:
        return values
    luminance = (values.astype(np.uint32) * _LUMINANCE).sum(axis=-1, keepdims=True, dtype=np.uint32)
    return ((luminance + 2**15) >> 16).astype(values.dtype)
