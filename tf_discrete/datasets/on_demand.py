"""`OnDemandImages`: images that stay in their files, and are decoded when they are read."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

import numpy as np

from tf_discrete._internal import checks

BUFFER = 10_000
"""Default number of images among which records are shuffled."""

_FINGERPRINTED = 256


class OnDemandImages:
    """Images as an array [n, H, W, C] of uint8 that is never held as a whole.

    `images[indices]` decodes some of them. A subclass supplies `read`.

    Args:
        count: Number of images.
        image_shape: (height, width, channels) of each.
        shards: Number of images of each file, in order, for images that lie one after the other in
            large files; they are shuffled by file, and then among `buffer` of them. Default: (), each
            image has its own file, and an epoch is shuffled as a whole.
        buffer: Int, at least 1. Default: `BUFFER`.
    """

    dtype = np.dtype(np.uint8)
    ndim = 4

    def __init__(
        self,
        count: int,
        image_shape: tuple[int, int, int],
        shards: Sequence[int] = (),
        buffer: int = BUFFER,
    ):
        self.shape = (count, *image_shape)
        self.shards = tuple(shards)
        self.buffer = checks.whole("buffer", buffer)

    def read(self, indices: np.ndarray) -> Iterator[np.ndarray]:
        """Decodes the images at some indices, int64 [m], each uint8 [H, W, C]."""
        raise NotImplementedError

    def identity(self) -> str:
        """Returns a text that changes where names or sizes of files do."""
        raise NotImplementedError

    @property
    def nbytes(self) -> int:
        """Returns how many bytes all images would take."""
        return int(np.prod(self.shape, dtype=np.int64))

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, chosen: int | slice | np.ndarray) -> np.ndarray:
        """Decodes one image, [H, W, C], or some, [m, H, W, C]."""
        if isinstance(chosen, (int, np.integer)):
            return next(iter(self.read(np.arange(len(self))[[chosen]])))
        if isinstance(chosen, slice):
            chosen = np.arange(*chosen.indices(len(self)))
        indices = np.asarray(chosen)
        if indices.dtype == bool:
            indices = np.flatnonzero(indices)
        found = np.empty((len(indices), *self.shape[1:]), np.uint8)
        for place, image in enumerate(self.read(indices)):
            found[place] = image
        return found

    def sample(self, most: int) -> np.ndarray:
        """Returns at most `most` images, evenly spaced, the first and the last included."""
        return self[np.unique(np.linspace(0, len(self) - 1, most).round().astype(np.int64))]

    def fingerprint(self, labels: np.ndarray | None) -> str:
        """Returns a digest of names, sizes, labels and the pixels of 256 images."""
        digest = hashlib.sha256(f"{self.shape} {self.identity()}".encode())
        digest.update(b"None" if labels is None else labels.astype("<i8").tobytes())
        digest.update(self.sample(_FINGERPRINTED).tobytes())
        return digest.hexdigest()
