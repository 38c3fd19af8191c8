"""A user's own images in one `.npz` file."""

from __future__ import annotations

import contextlib
import os
import zipfile
import zlib
from collections.abc import Iterator, Sequence

import numpy as np

from tf_discrete.datasets import carving, resizing
from tf_discrete.datasets.source import SPLITS, UNLABELLED, Arrays, Request

KEYS = """\
  image (or images) and, optionally, label (or labels), to be split here; or
  image_train and, optionally, image_validation, image_test, label_train, label_validation, label_test; or
  x_train and, optionally, x_validation, x_test, y_train, y_validation, y_test, as in Keras' mnist.npz"""

# How (image, label) keys are spelled: unsplit, then by split.
_UNSPLIT = (("image", "label"), ("images", "labels"))
_BY_SPLIT = (("image_", "label_"), ("x_", "y_"))
_UNREADABLE = (zipfile.BadZipFile, zlib.error, EOFError, ValueError, OSError, NotImplementedError)


def load(request: Request) -> Arrays:
    """One split of a `.npz` file, as `np.savez` and `np.savez_compressed` write it.

    Keys, one of:

    - `image` (or `images`) and, optionally, `label` (or `labels`). Test is a fixed tenth of the images,
      stratified by label, and validation is carved from the rest.
    - `image_train` and, optionally, `image_validation`, `image_test`, `label_train`, `label_validation`,
      `label_test`. A split that is missing is carved from `image_train`.
    - `x_train`, ... and `y_train`, ...: the same under the names of Keras' `mnist.npz`.

    Images are [n, H, W] or [n, H, W, C] with 1 to 4 channels: integers in 0..255, where a file of only 0
    and 1 (or bools) counts as black and white, or floats in [0, 1]. Labels are integers [n] from 0, -1
    where unlabelled. The arrays are read into memory.

    Args:
        request: what is wanted; `name` is the path.

    Returns:
        Arrays with uint8 images, or float32 ones where the file has floats.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file is no readable `.npz`, or its arrays are not as above.
    """
    path = os.path.expanduser(request.name)
    if not os.path.isfile(path):
        raise FileNotFoundError(
            f"The .npz file must exist. Check the path. Received: name={request.name!r}"
        )
    with _readable(request.name):
        file = np.load(path, allow_pickle=False)
        if not isinstance(file, np.lib.npyio.NpzFile):
            raise ValueError("it holds a single array, as np.save writes it")
    with file:
        keys = _split_keys(file.files, request.name)
        source = request.split if request.split in keys else "train"
        with _readable(request.name):
            images = file[keys[source][0]]
            labels = {split: file[label] for split, (_, label) in keys.items() if label}

    images = _checked_images(images, f"{request.name!r}, key {keys[source][0]}")
    for split, values in labels.items():
        labels[split] = _checked_labels(values, f"{request.name!r}, key {keys[split][1]}")
    label = labels.get(source)
    if label is not None and len(label) != len(images):
        raise ValueError(
            "There must be one label for every image. Use -1 for unlabelled images. Received: "
            f"{request.name!r} with {len(label)} labels in {keys[source][1]} for {len(images)} images "
            f"in {keys[source][0]}"
        )
    start, stop = 0, len(images)
    if source == "train":
        start, stop = carving.bounds(len(images), request, explicit=keys)
        order = carving.stratified_order(len(images), label)
        images, label = (
            images[order[start:stop]],
            None if label is None else label[order[start:stop]],
        )
    elif request.max_examples is not None:
        stop = min(stop, request.max_examples)
        images, label = images[:stop], None if label is None else label[:stop]
    num_classes = None
    if label is not None:
        num_classes = max(int(values.max()) for values in labels.values()) + 1
    return Arrays(resizing.resize(images, request.image_size), label, num_classes or None)


@contextlib.contextmanager
def _readable(name: str) -> Iterator[None]:
    try:
        yield
    except _UNREADABLE as error:
        raise ValueError(
            "The .npz file must be readable: a zip of arrays of numbers, as np.savez writes it. Write it "
            f"again. Received: {name!r}: {type(error).__name__}: {error}"
        ) from error


def _split_keys(found: Sequence[str], name: str) -> dict[str, tuple[str, str | None]]:
    """The keys of images and labels of each split that the file keeps apart, train at least."""
    layouts = [{"train": pair} for pair in _UNSPLIT if pair[0] in found]
    for image, label in _BY_SPLIT:
        splits = [split for split in SPLITS if image + split in found]
        if splits:
            layouts.append({split: (image + split, label + split) for split in splits})
    if len(layouts) != 1 or "train" not in layouts[0]:
        raise ValueError(
            f"An .npz file must hold its images under one of these sets of keys:\n{KEYS}\n"
            f"Rename the arrays. Received: {name!r} with keys {sorted(found)}"
        )
    return {
        split: (image, label if label in found else None)
        for split, (image, label) in layouts[0].items()
    }


def _checked_images(images: np.ndarray, where: str) -> np.ndarray:
    """uint8 or float32 [n, H, W, C]."""
    if images.ndim not in (3, 4) or 0 in images.shape or (images.ndim == 4 and images.shape[3] > 4):
        raise ValueError(
            "Images must be an array [n, height, width] or [n, height, width, channels] with at least one "
            f"image and 1 to 4 channels. Received: {where}: shape {images.shape}"
        )
    if images.ndim == 3:
        images = images[..., np.newaxis]
    if images.dtype.kind not in "buif":
        raise ValueError(
            "Images must be numbers: integers in 0..255 or floats in [0, 1]. "
            f"Received: {where}: dtype {images.dtype}"
        )
    low, high = images.min(), images.max()  # NaN if there is one
    if images.dtype.kind == "f":
        if not (low >= 0.0 and high <= 1.0):
            raise ValueError(
                "Float images must be finite and in [0, 1]. Divide them by their largest value, or store "
                f"uint8 in 0..255. Received: {where}: values from {low} to {high}"
            )
        return images.astype(np.float32, copy=False)
    if low < 0 or high > 255:
        raise ValueError(
            "Integer images must be in 0..255. Rescale them. "
            f"Received: {where}: values from {low} to {high}"
        )
    return images.astype(np.uint8, copy=False) * np.uint8(255 if high == 1 else 1)


def _checked_labels(labels: np.ndarray, where: str) -> np.ndarray:
    """int32 [n]; [n, 1] is taken too."""
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1 or len(labels) == 0 or labels.dtype.kind not in "iu":
        raise ValueError(
            "Labels must be an integer array [n], from 0 and -1 where unlabelled. Convert one-hot labels "
            f"with argmax. Received: {where}: shape {labels.shape}, dtype {labels.dtype}"
        )
    low, high = int(labels.min()), int(labels.max())
    if low < UNLABELLED or high > np.iinfo(np.int32).max:
        raise ValueError(
            "Labels must be classes from 0, or -1 where unlabelled. Number the classes from 0. "
            f"Received: {where}: values from {low} to {high}"
        )
    return labels.astype(np.int32)
