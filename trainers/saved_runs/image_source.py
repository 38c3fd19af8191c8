"""Images by their names, as a run's model sees them: of a split of its data, or files."""

from __future__ import annotations

import hashlib
import itertools
import os
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import tqdm

from tf_discrete import codes as codes_lib
from tf_discrete.datasets import folder_layout, image_folder
from tf_discrete.datasets.folder_layout import UNLABELLED_FOLDER

from ..common import data, identity
from ..common.finished_run import FinishedRun

_BATCH = 256


class ImageSource:
    """Reads and encodes images; "train/7" is the one with index 7 of a split, others are files.

    The pixels of files are scaled as those of the training data. Where training drew bits from grey pixels,
    they are cut at 1/2: equal images have equal codes.

    Args:
        finished: the run.
        split: of its data, or None for files.
    """

    def __init__(self, finished: FinishedRun, split: str | None):
        self.model = finished.model
        self.shape = tuple(finished.model.data_shape)
        self.threshold = finished.config.binarization != "none"
        self.white_levels = identity.white_levels(finished.directory.path)
        self.name = split
        self.split = finished.split(split) if split else None
        self.labels = self.split.labels if self.split else None

    @property
    def count(self) -> int:
        """Returns the number of images of the split, 0 for files."""
        return 0 if self.split is None else len(self.split)

    @property
    def class_names(self) -> tuple[str, ...] | None:
        """Returns the name of each class of the split, if it has names."""
        return None if self.split is None else self.split.class_names

    def names(self, folder: str = "") -> list[str]:
        """The names of all images of the split, or of the files in a folder."""
        if self.split is not None:
            return [f"{self.name}/{index}" for index in range(len(self.split))]
        return list(image_folder.files(folder))

    def classes(self, names: Sequence[str], folder: str = "") -> list[str]:
        """Returns the name of the class of each image; "" where it has none.

        Args:
            names: Of images of the split, or of files in `folder`.
            folder: Of files, in one of the layouts of a data set: with a subfolder for each class.
        """
        if self.split is not None:
            if self.split.labels is None:
                return ["" for _ in names]
            numbers = [int(name.rsplit("/", 1)[1]) for name in names]
            labels = np.asarray(self.split.labels)[numbers]
            return data.class_names_of(self.split, labels) or []
        try:
            splits = folder_layout.read(folder).splits.values()
        except ValueError:  # Another layout, which is searched all the same.
            return ["" for _ in names]
        known = {
            path: name
            for one in splits
            for path, name in zip(one.paths, one.classes or (), strict=False)
            if name != UNLABELLED_FOLDER
        }
        return [known.get(name, "") for name in names]

    def identity(self, folder: str = "") -> dict[str, Any]:
        """Returns a fingerprint of the images for JSON; another one means other images, or a change.

        Of files, the paths, sizes and times of change are compared, not the contents.
        """
        if self.split is not None:
            return {"count": len(self.split), "fingerprint": self.split.fingerprint}
        digest, paths = hashlib.sha256(), self.names(folder)
        for path in paths:
            found = os.stat(path) if os.path.exists(path) else os.lstat(path)  # A link to nowhere.
            entry = (os.path.relpath(path, folder), found.st_size, found.st_mtime_ns)
            digest.update(f"{entry!r}\n".encode())
        return {"count": len(paths), "fingerprint": digest.hexdigest()}

    def read(self, name: str) -> np.ndarray:
        """Intensities float32 [H, W, C] in [0, 1].

        Raises:
            ValueError: a file that cannot be read as an image.
        """
        if self.split is not None:
            image = np.asarray(self.split.images[int(name.rsplit("/", 1)[1])])
        else:
            image = image_folder.read(name, self.shape, self.white_levels)
        return image.astype(np.float32) / 255.0 if image.dtype == np.uint8 else image

    def encode(
        self, names: Sequence[str], skip: bool = False
    ) -> tuple[np.ndarray, list[str], list[str]]:
        """Codes of images.

        Args:
            names: of the images.
            skip: whether a file that cannot be read is named on stderr and left out.

        Returns:
            codes: int32 [M, N], of trees the digits.
            kept: the names of their images.
            skipped: the names of the others.

        Raises:
            ValueError: no image that can be read or, unless `skip`, one that cannot.
        """
        skipped: list[str] = []
        batches = self._batches(names, skipped if skip else None)
        first = next(batches, None)
        if first is None:
            raise ValueError(
                "There must be at least one image that can be read. "
                f"Received: {len(names)} images, {len(skipped)} skipped"
            )
        codes, _ = codes_lib.encode_digits(self.model, itertools.chain([first], batches))
        bad = set(skipped)
        return codes, [name for name in names if name not in bad], skipped

    def _batches(self, names: Sequence[str], skipped: list[str] | None) -> Iterator[np.ndarray]:
        part: list[np.ndarray] = []
        for name in tqdm.tqdm(names, unit="image", leave=False, disable=None):
            try:
                part.append(self.read(name))
            except ValueError as error:
                if skipped is None:
                    raise
                skipped.append(name)
                print(f"Skipped: {error}", file=sys.stderr)
            if len(part) == _BATCH:
                yield self.as_seen(np.stack(part))
                part = []
        if part:
            yield self.as_seen(np.stack(part))

    def as_seen(self, images: np.ndarray) -> np.ndarray:
        """Returns intensities as the model reads them, float32 of the same shape."""
        return (images > 0.5).astype(np.float32) if self.threshold else images
