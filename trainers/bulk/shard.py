"""A shard of images, how it is read, and the images of a part of it, for all kinds of input."""

from __future__ import annotations

import dataclasses
import os
from typing import NamedTuple

import numpy as np

from tf_discrete.types import JsonObject


class Images(NamedTuple):
    """Some images of a shard.

    Attributes:
        ids: int64 [B].
        images: uint8 [B, *data_shape].
        labels: int64 [B], -1 where there is none.
        rejects: An id, a name and a reason for each image that cannot be read.
        paths: Of image files, where each one is in the folder of the input; else none.
    """

    ids: np.ndarray
    images: np.ndarray
    labels: np.ndarray
    rejects: list[JsonObject]
    paths: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Shard:
    """A part of the input that makes one file of the output.

    Attributes:
        number: 0, 1, ... in the order of the input.
        kind: "tfrecord", "folder" or "tfds".
        source: The TFRecord file, the folder, or NAME:SPLIT.
        start: Index of the first image; 0 for a TFRecord file.
        files: Paths of the images of a folder.
        stop: Index after the last image, of tfds.
        identity: Sizes and times of files, and versions, by which a change of the input is noticed.
    """

    number: int
    kind: str
    source: str
    start: int = 0
    files: tuple[str, ...] = ()
    stop: int = 0
    identity: tuple[tuple[int, int] | str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Reading:
    """How images are read.

    Attributes:
        data_shape: Height, width and channels.
        batch_size: Images of a batch.
        image_feature: Of a TFRecord example.
        label_feature: Of a TFRecord example.
        data_dir: Of tfds, or "".
        white_levels: The stored values of 8 and 16 bits that were white in training; None where unknown.
    """

    data_shape: tuple[int, ...]
    batch_size: int
    image_feature: str
    label_feature: str
    data_dir: str
    white_levels: tuple[int | None, int | None] = (None, None)


def identity(path: str) -> tuple[int, int]:
    """Size and time of a file; a link to nowhere has its own, and is refused when it is read."""
    found = os.stat(path) if os.path.exists(path) else os.lstat(path)
    return found.st_size, found.st_mtime_ns


def white(pixels: np.ndarray, how: Reading) -> np.ndarray:
    """Pixels that are stored as they are, with the white of the training data as 255.

    Raises:
        ValueError: The model was trained on images of 0 and 1, and these are others.
    """
    if how.white_levels[0] != 1:
        return pixels
    if pixels.max() > 1:
        raise ValueError(
            "The model was trained on images of 0 and 1. Choose another data set or model. "
            f"Received: pixels up to {pixels.max()}, a model of images of 0 and 1"
        )
    return pixels * np.uint8(255)


def all_of(
    shard: Shard, start: int, images: np.ndarray, labels: np.ndarray, rejects: list[JsonObject]
) -> Images:
    """Returns consecutive images, the first of which is image `start` of the shard."""
    return Images(shard.start + start + np.arange(len(images)), images, labels, rejects)


def some_of(
    shard: Shard,
    start: int,
    how: Reading,
    kept: list[int],
    images: list[np.ndarray],
    labels: list[int],
    rejects: list[JsonObject],
) -> Images:
    """Returns the images at the places `kept`, counted from `start` of the shard on."""
    if not kept:
        return only_rejects(rejects, how)
    ids = shard.start + start + np.array(kept)
    return Images(ids, np.stack(images), np.array(labels, np.int64), rejects)


def only_rejects(rejects: list[JsonObject], how: Reading) -> Images:
    """Returns no images, and the rejects."""
    none = np.zeros(0, np.int64)
    return Images(none, np.zeros([0, *how.data_shape], np.uint8), none, rejects)


def reject(shard: Shard, place: int, name: str, reason: str) -> JsonObject:
    """Returns what is written of an image that cannot be read."""
    return {"id": shard.start + place, "name": name, "reason": reason}


def reason(error: BaseException) -> str:
    """Returns the reason for a reject: what an error received, on one line."""
    return " ".join(str(error).split("Received: ", 1)[-1].split())[:200]
