"""`packed.pack` and `unpack`: arrays as JSON holds them, weights in integers with a scale for each output."""

from __future__ import annotations

import base64
import zlib

import numpy as np

from tf_discrete._internal import checks
from tf_discrete.types import JsonObject

PRECISIONS = ("int16", "int12", "int11", "int10", "int9", "int8")
"""The integers that weights are rounded to, the most precise first."""


def pack(array: np.ndarray) -> JsonObject:
    """Returns an array as JSON: its shape, its dtype and its bytes, little-endian, by zlib and in base64.

    Args:
        array: Numbers of any shape; floats are stored as float32.

    Example:
        >>> found = pack(np.array([1.0, 2.0]))
        >>> found["shape"], found["dtype"], unpack(found).tolist()
        ([2], 'float32', [1.0, 2.0])
    """
    array = np.asarray(array)
    if np.issubdtype(array.dtype, np.floating):
        array = array.astype(np.float32)
    little = np.ascontiguousarray(array.astype(array.dtype.newbyteorder("<")))
    return _packed(array.shape, array.dtype.name, little.tobytes())


def pack_weights(array: np.ndarray, precision: str) -> JsonObject:
    """Returns weights as `pack` does, rounded to integers with one scale for each index of the last axis.

    The upper 8 bits of all integers come first, then each lower bit of all of them, the higher first: zlib
    finds the small entropy of the upper bits; the lower bits are close to random and do not compress.

    Args:
        array: float [..., D].
        precision: One of `PRECISIONS`.

    Returns:
        The packed integers, with the packed scales, float32 [D], under "scale".

    Raises:
        ValueError: An unknown precision, or weights that are not finite.

    Example:
        >>> found = unpack(pack_weights(np.array([[0.5, 100.0], [-1.0, 50.0]]), "int8"))
        >>> [[round(float(x), 2) for x in row] for row in found]
        [[0.5, 100.0], [-1.0, 50.39]]
    """
    checks.choice("precision", precision, PRECISIONS)
    array = np.asarray(array, np.float64)
    if not np.isfinite(array).all():
        raise ValueError(
            "The weights of a page must be finite. Take the model of an earlier epoch. "
            f"Received: weights of shape {array.shape} with NaN or infinity"
        )
    largest = np.abs(array).max(axis=tuple(range(array.ndim - 1)), initial=0.0)
    lower = _lower_bits(precision)
    steps = 2.0 ** (7 + lower) - 1
    scale = (np.where(largest > 0, largest, 1.0) / steps).astype(np.float32)
    integers = np.round(array / scale).astype(np.int32).ravel()
    planes = [np.packbits(integers >> bit & 1).tobytes() for bit in reversed(range(lower))]
    upper = (integers >> lower).astype(np.int8).tobytes()
    return {**_packed(array.shape, precision, b"".join([upper, *planes])), "scale": pack(scale)}


def unpack(packed: JsonObject) -> np.ndarray:
    """Returns the array that `pack` or `pack_weights` has packed; weights as float32."""
    data, shape = zlib.decompress(base64.b64decode(packed["data"])), packed["shape"]
    if "scale" not in packed:
        dtype = np.dtype(packed["dtype"]).newbyteorder("<")
        return np.frombuffer(data, dtype).reshape(shape).astype(dtype.newbyteorder("="))
    lower, count = _lower_bits(packed["dtype"]), int(np.prod(shape))
    integers = np.frombuffer(data, np.int8, count).astype(np.int32)
    for plane in np.frombuffer(data, np.uint8)[count:].reshape(lower, -(-count // 8)):
        integers = integers << 1 | np.unpackbits(plane, count=count)
    return integers.astype(np.float32).reshape(shape) * unpack(packed["scale"])


def _lower_bits(precision: str) -> int:
    return int(precision.removeprefix("int")) - 8


def _packed(shape: tuple[int, ...], dtype: str, data: bytes) -> JsonObject:
    text = base64.b64encode(zlib.compress(data, 9)).decode("ascii")
    return {"shape": list(shape), "dtype": dtype, "data": text}
