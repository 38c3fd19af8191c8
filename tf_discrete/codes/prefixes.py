"""How far two paths through a tree go together."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from tf_discrete.codes.packing import as_array


def common_prefix(first: ArrayLike, second: ArrayLike) -> np.ndarray:
    """Returns the number of digits that two codes of a tree share from the root on.

    Args:
        first: Digits of codes of one variable, integers [..., D], as `encode_digits` returns them.
        second: Others, of a shape that broadcasts against it.

    Returns:
        depths: int64 [...], D for equal codes.

    Raises:
        ValueError: No integers, or codes of trees of another depth.

    Example:
        >>> common_prefix([[3, 1, 4], [3, 1, 5], [2, 1, 4]], [3, 1, 4]).tolist()
        [3, 2, 0]
    """
    arrays = as_array("first", first), as_array("second", second)
    whole = all(np.issubdtype(array.dtype, np.integer) and array.ndim for array in arrays)
    if not whole or arrays[0].shape[-1] != arrays[1].shape[-1]:
        raise ValueError(
            "first and second must be digits of one tree, integers [..., D]. Give what encode_digits "
            "returns. "
            f"Received: {', '.join(f'{array.dtype} of shape {array.shape}' for array in arrays)}"
        )
    same = np.cumprod(arrays[0] == arrays[1], axis=-1, dtype=np.int64)
    return same.sum(axis=-1)
