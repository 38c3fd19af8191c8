"""Digests that tell whether two splits hold the same images and labels."""

from __future__ import annotations

import hashlib

import numpy as np

FULL_BYTES = 2 * 2**30
"""Images of more bytes than this are sampled."""

_CHUNK_BYTES = 2**22
_SAMPLED_CHUNKS = 256


def of(images: np.ndarray, labels: np.ndarray | None) -> str:
    """Returns a digest of images and labels.

    It covers the shapes, the dtypes, every label and the bytes of the images: all of them up to
    2 GiB; of larger arrays 256 chunks of 4 MiB, evenly spaced, the first and the last included, so
    that a change between two chunks of such data is not seen. Memory-mapped images are read in
    chunks.

    Args:
        images: [n, H, W, C] of any numeric dtype.
        labels: [n], or None.

    Returns:
        SHA-256, 64 hexadecimal digits.

    Example:
        >>> import numpy as np
        >>> of(np.zeros([2, 3, 3, 1], np.uint8), None)[:8]
        'f9d3d334'
    """
    digest = hashlib.sha256()
    for name, array in (("images", images), ("labels", labels)):
        if array is None:
            digest.update(f"{name} None\n".encode())
            continue
        little = array.dtype.newbyteorder("<")
        digest.update(f"{name} {little.str} {tuple(array.shape)}\n".encode())
        if array.size:
            _update(digest, array, little, sampled=name == "images")
    return digest.hexdigest()


def _update(digest: hashlib._Hash, array: np.ndarray, dtype: np.dtype, *, sampled: bool) -> None:
    rows = max(1, _CHUNK_BYTES * len(array) // array.nbytes)
    starts = list(range(0, len(array), rows))
    if sampled and array.nbytes > FULL_BYTES and len(starts) > _SAMPLED_CHUNKS:
        places = np.linspace(0, len(starts) - 1, _SAMPLED_CHUNKS).round().astype(int)
        starts = [starts[place] for place in places]
    for start in starts:
        digest.update(np.ascontiguousarray(array[start : start + rows], dtype).data)
