"""`FolderImages`: the image files of a folder, decoded when they are read."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence

import numpy as np

from tf_discrete.datasets import image_file
from tf_discrete.datasets.guide import GUIDE
from tf_discrete.datasets.image_file import WhiteLevels
from tf_discrete.datasets.on_demand import OnDemandImages


class FolderImages(OnDemandImages):
    """Image files of one size, or resized to one.

    Args:
        paths: Paths of the files, in the order of the examples.
        image_shape: (height, width, channels).
        white: Of the data set, see `image_file.decode`.
        resize: Bool, whether files of another size are resized; otherwise they are refused.
    """

    def __init__(
        self,
        paths: Sequence[str],
        image_shape: tuple[int, int, int],
        white: WhiteLevels,
        resize: bool,
    ):
        super().__init__(len(paths), image_shape)
        # As one array they take a third of the memory of strings.
        self._paths = np.array([os.fsencode(path) for path in paths])
        self._white, self._resize = white, resize

    def read(self, indices: np.ndarray) -> Iterator[np.ndarray]:
        height, width, channels = self.shape[1:]
        for index in indices:
            path = os.fsdecode(self._paths[index])
            if not self._resize and (size := image_file.header(path).size) != (height, width):
                raise ValueError(
                    "Images must all have one size. Give image_size=(height, width) to resize them. "
                    f"See {GUIDE}. Received: {path!r} of {size}, others of {(height, width)}"
                )
            yield image_file.decode(path, channels, (height, width), self._white)

    def identity(self) -> str:
        common = os.path.commonpath(
            [os.path.dirname(self._paths[0]), os.path.dirname(self._paths[-1])]
        )
        digest = hashlib.sha256()
        for path in self._paths.tolist():
            digest.update(b"%s\0%d\0" % (path.removeprefix(common), os.stat(path).st_size))
        return f"{digest.hexdigest()} {tuple(self._white)} {self._resize}"
