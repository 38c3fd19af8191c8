"""A user's own images in one `.npz` file."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping, Sequence

import numpy as np

from tf_discrete.datasets import resizing, splitting
from tf_discrete.datasets.npz_reader import NpzReader
from tf_discrete.datasets.source import SPLITS, UNLABELLED, Arrays, Request

KEYS = """\
  image (or images) and, optionally, label (or labels), to be split here; or
  image_train and, optionally, image_validation, image_test, label_train, label_validation, label_test; or
  x_train and, optionally, x_validation, x_test, y_train, y_validation, y_test, as in Keras' mnist.npz;
  with labels, also class_names"""

# How (image, label) keys are spelled: unsplit, then by split.
_UNSPLIT = (("image", "label"), ("images", "labels"))
_BY_SPLIT = (("image_", "label_"), ("x_", "y_"))
_NAMES = "class_names"
"""Key of the names of the classes, with any of the layouts."""
_MOST_CLASSES = 1000
"""Maximum number of classes that the largest label alone may imply."""


def load(request: Request) -> Arrays:
    """Loads one split of a `.npz` file, as `np.savez` and `np.savez_compressed` write it.

    Keys, one of:

    - `image` (or `images`) and, optionally, `label` (or `labels`). Test is a fixed tenth of the images,
      stratified by label, and validation is carved from the rest.
    - `image_train` and, optionally, `image_validation`, `image_test`, `label_train`, `label_validation`,
      `label_test`. A split that is missing is carved from `image_train`.
    - `x_train`, ... and `y_train`, ...: the same under the names of Keras' `mnist.npz`.
    - with labels, optionally `class_names`: strings [K], the name of class 0, 1, ...

    Images are [n, H, W] or [n, H, W, C] with 1 to 4 channels: integers in 0..255, where a file of only 0
    and 1 (or bools) counts as black and white, or floats in [0, 1]. Labels are integers [n] from 0, -1
    where unlabelled; the largest may be 999, or ten times the number of different ones. The arrays are
    read into memory. Other keys are refused.

    Args:
        request: what is wanted; `name` is the path.

    Returns:
        Arrays with uint8 images, or float32 ones where the file has floats.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file is no readable `.npz`, or its arrays are not as above.
    """
    with NpzReader(os.path.expanduser(request.name)) as file:
        keys = _split_keys(file.keys, request.name)
        source = request.split if request.split in keys else "train"
        images = _checked_images(
            file.read(keys[source][0]), f"{request.name!r}, key {keys[source][0]}"
        )
        white = _white(
            images, file, [image for image, _ in keys.values() if image != keys[source][0]]
        )
        labels = {
            split: _checked_labels(file.read(key), f"{request.name!r}, key {key}")
            for split, (_, key) in keys.items()
            if key
        }
        names = _checked_names(file, labels, request.name)
    if white == 1:
        images = images * np.uint8(255)
    label = labels.get(source)
    if label is not None and len(label) != len(images):
        raise ValueError(
            "There must be one label for every image. Use -1 for unlabelled images. Received: "
            f"{request.name!r} with {len(label)} labels in {keys[source][1]} for {len(images)} images "
            f"in {keys[source][0]}"
        )
    chosen = splitting.chosen(len(images), request, keys, label)
    if not np.array_equal(chosen, np.arange(len(images))):
        images = images[chosen]
    num_classes = len(names) if names else count_classes(labels, request.name)
    return Arrays(
        resizing.resize(images, request.image_size),
        None if label is None else label[chosen],
        None if label is None else num_classes,
        None if label is None else names,
        white_levels=(white, None),
        carved=source != request.split,
    )


def _split_keys(found: Sequence[str], name: str) -> dict[str, tuple[str, str | None]]:
    """Returns the keys of images and labels of each split that the file keeps apart, train at least."""
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
    known = [*(key for pair in layouts[0].values() for key in pair), _NAMES]
    if unknown := sorted(set(found) - set(known)):
        near = {
            key: difflib.get_close_matches(key, sorted(set(known) - set(found)), 1, 0.75)
            for key in unknown
        }
        hints = [f"{match[0]!r} for {key!r}" for key, match in near.items() if match]
        raise ValueError(
            "Every key of an .npz file must be one that is read. "
            + (f"Did you mean {' and '.join(hints)}? " if hints else "")
            + "Rename or remove the others. Received: "
            f"{name!r} with {unknown} next to {sorted(set(found) & set(known))}; known here: {known}"
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
    return images.astype(np.uint8, copy=False)


def _white(images: np.ndarray, file: NpzReader, others: Sequence[str]) -> int:
    """Returns the value that is white: 1 in a file of 0 and 1 only, all splits together, else 255."""
    if images.dtype != np.uint8 or images.max() != 1:
        return 255
    rest = (file.read(key) for key in others)
    return 1 if all(one.dtype.kind in "bui" and one.max(initial=0) <= 1 for one in rest) else 255


def count_classes(labels: Mapping[str, np.ndarray], name: str) -> int | None:
    """Returns the number of classes over all splits; None where nothing is labelled.

    Raises:
        ValueError: Labels that look like ids.
    """
    if not labels:
        return None
    values = np.unique(np.concatenate(list(labels.values())))
    distinct, num_classes = int((values >= 0).sum()), int(values.max()) + 1
    if num_classes > max(_MOST_CLASSES, 10 * distinct):
        raise ValueError(
            "Labels must be classes, numbered from 0, and these look like ids. Number them with "
            "np.unique(labels, return_inverse=True)[1]. "
            f"Received: {name!r} with {distinct} different labels up to {num_classes - 1}"
        )
    return num_classes or None


def _checked_names(
    file: NpzReader, labels: Mapping[str, np.ndarray], name: str
) -> tuple[str, ...] | None:
    """The names of the classes; None where the file has none."""
    if _NAMES not in file.keys:
        return None
    names = file.read(_NAMES)
    if names.dtype.kind != "U" or names.ndim != 1 or len(set(names.tolist())) < len(names):
        raise ValueError(
            "class_names must be different strings [K], the name of class 0, 1, ... Give "
            f"np.array(['cat', 'dog']). Received: {name!r}, key {_NAMES}: shape {names.shape}, dtype "
            f"{names.dtype}"
        )
    highest = max((int(one.max()) for one in labels.values()), default=None)
    if highest is None or highest >= len(names):
        found = "no labels" if highest is None else f"a label {highest}"
        raise ValueError(
            "Names of classes go with labels below their number. Give labels, or a name for each class. "
            f"Received: {name!r} with {len(names)} class_names and {found}"
        )
    return tuple(map(str, names))


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
