"""`packed.pack` and `unpack`: arrays as JSON holds them, weights in integers with a scale for each output."""

from __future__ import annotations

import base64

import numpy as np

from tf_discrete._internal import checks
from tf_discrete.types import JsonObject

PRECISIONS = ("int16", "int8")
"""The integers that weights are rounded to, the most precise first."""


def pack(array: np.ndarray) -> JsonObject:
    """Returns an array as JSON: its shape, its dtype and its bytes in base64, little-endian.

    Args:
        array: Numbers of any shape; floats are stored as float32.

    Example:
        >>> pack(np.array([1.0, 2.0]))
        {'shape': [2], 'dtype': 'float32', 'data': 'AACAPwAAAEA='}
    """
    array = np.asarray(array)
    if np.issubdtype(array.dtype, np.floating):
        array = array.astype(np.float32)
    little = np.ascontiguousarray(array.astype(array.dtype.newbyteorder("<")))
    data = base64.b64encode(little.tobytes()).decode("ascii")
    return {"shape": list(array.shape), "dtype": array.dtype.name, "data": data}


def pack_weights(array: np.ndarray, precision: str) -> JsonObject:
    """Returns weights as `pack` does, rounded to integers with one scale for each index of the last axis.

    Args:
        array: float [..., D].
        precision: "int16" or "int8".

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
    scale = (np.where(largest > 0, largest, 1.0) / np.iinfo(precision).max).astype(np.float32)
    return {**pack(np.round(array / scale).astype(precision)), "scale": pack(scale)}


def unpack(packed: JsonObject) -> np.ndarray:
    """Returns the array that `pack` or `pack_weights` has packed; weights as float32."""
    dtype = np.dtype(packed["dtype"]).newbyteorder("<")
    array = np.frombuffer(base64.b64decode(packed["data"]), dtype).reshape(packed["shape"])
    array = array.astype(dtype.newbyteorder("="))
    if "scale" in packed:
        return array.astype(np.float32) * unpack(packed["scale"])
    return array
