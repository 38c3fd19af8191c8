"""A folder of TFRecord shards: each record a `tf.train.Example` with an encoded image and, maybe, a class."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import tensorflow as tf

from tf_discrete._internal import reading
from tf_discrete.datasets import (
    folder_layout,
    image_cache,
    image_file,
    npz_file,
    record_file,
    resizing,
    splitting,
)
from tf_discrete.datasets.on_demand import OnDemandImages
from tf_discrete.datasets.record_file import Keys
from tf_discrete.datasets.source import SPLITS, UNLABELLED, Arrays, Request

_PART = re.compile(r"(.*?)-(\d{5,})-of-(\d{5,})(.*)")
_SAMPLED = 256
_ONE_SIZE = "Images must all have one size. Give image_size=(height, width) to resize them."


class RecordImages(OnDemandImages):
    """The images of TFRecord files, decoded when they are read.

    The records of all files are scanned once: a file that is cut off or of another kind is refused.

    Args:
        paths: Paths of the files, in order.
        request: Its `image_size` and `buffer` are used.
        keys: Features of an example. Default: those of the first record, see `record_file.keys_of`.
        channels: 1 or 3, of images that are decoded as TFDS does. Default: those of the first record, and
            images are decoded as files of a folder are.

    Attributes:
        labels: int32 [n]; None where examples have no class.
    """

    def __init__(
        self,
        paths: Sequence[str],
        request: Request,
        keys: Keys | None = None,
        channels: int | None = None,
    ):
        self._paths = tuple(paths)
        files: list[int] = []
        starts: list[int] = []
        lengths: list[int] = []
        labels: list[int] = []
        for number, path in enumerate(self._paths):
            for start, record in record_file.records(path):
                with _reading(path, start):
                    keys = keys or record_file.keys_of(record)
                    record_file.encoded_image(record, keys)
                    labels.append(UNLABELLED if keys.label is None else _label(record, keys))
                files.append(number)
                starts.append(start)
                lengths.append(len(record))
        if keys is None or not files:
            raise ValueError(
                "TFRecord files must hold at least one image. Check the path. "
                f"Received: {self._paths[:1]} and {len(self._paths) - 1} more, without records"
            )
        self.keys = keys
        self.labels = None if keys.label is None else _checked_labels(labels, self._paths[0])
        self._files = np.array(files, np.int32)
        self._starts, self._lengths = np.array(starts, np.int64), np.array(lengths, np.int64)
        self._as_seen, self._sixteen = channels is None, None
        first = self._encoded(0)
        with _reading(self._paths[0], int(self._starts[0])):
            self._channels = channels or (1 if image_file.header(first).grey else 3)
            stored = self._decode(first).shape[:2]
        self._resize = request.image_size is not None
        size = request.image_size or stored
        shards = np.bincount(self._files, minlength=len(self._paths)).tolist()
        super().__init__(len(files), (*size, self._channels), shards, request.buffer)
        self.white, self._sixteen = 255, self._white_of_16_bits()
        if self._sixteen is None and self.sample(_SAMPLED).max() <= 1:
            self.white = 1

    @property
    def white_levels(self) -> tuple[int | None, int | None]:
        """Returns the stored values of 8 and 16 bits that become white, as the records that are read
        beforehand say.
        """
        return self.white, self._sixteen

    def _white_of_16_bits(self) -> int | None:
        """Returns the smallest level that holds the values of a sample; None of images of 8 bits."""
        if not self._as_seen:
            return None
        found = {}
        for index in np.unique(np.linspace(0, len(self) - 1, _SAMPLED).round().astype(np.int64)):
            data = self._encoded(int(index))
            with _reading(self._paths[self._files[index]], int(self._starts[index])):
                found[data] = image_file.header(data)
        deep = {data: header for data, header in found.items() if header.bits == 16}
        return image_file.white_levels(deep).sixteen if deep else None

    def _decode(self, data: bytes) -> np.ndarray:
        """Decodes a file as it is to be seen, or, of TFDS, as TFDS does."""
        if self._as_seen:
            white = image_file.WhiteLevels(255, self._sixteen)
            return image_file.decode(data, self._channels, None, white)
        return tf.io.decode_image(data, channels=self._channels, expand_animations=False).numpy()

    def read(self, indices: np.ndarray) -> Iterator[np.ndarray]:
        for index in indices:
            path, start = self._paths[self._files[index]], int(self._starts[index])
            data = self._encoded(int(index))
            with _reading(path, start):
                pixels = self._decode(data)
                if self.white == 1:
                    if pixels.max() > 1:
                        raise ValueError("other images are of 0 and 1 only")
                    pixels = pixels * np.uint8(255)
                if self._resize:
                    pixels = resizing.resize(pixels[np.newaxis], self.shape[1:3])[0]
                if pixels.shape != self.shape[1:]:
                    raise ValueError(
                        f"{_ONE_SIZE} It is {pixels.shape[:2]}, the first is {self.shape[1:3]}"
                    )
                yield pixels

    def part(self, start: int, stop: int, most: int | None = None) -> RecordImages:
        """Returns the images of a range, without another scan.

        Args:
            start: Index of the first.
            stop: Index after the last.
            most: How many of them, with the classes' shares, in their order. Default: all.
        """
        chosen = np.arange(start, stop)
        if most is not None and most < len(chosen):
            labels = None if self.labels is None else self.labels[start:stop]
            chosen = start + np.sort(splitting.stratified_order(len(chosen), labels)[:most])
        one = object.__new__(RecordImages)
        one.__dict__.update(self.__dict__)
        for name in ("_files", "_starts", "_lengths"):
            setattr(one, name, getattr(self, name)[chosen])
        one.labels = None if self.labels is None else self.labels[chosen]
        sizes = np.bincount(one._files, minlength=len(self._paths)).tolist()
        OnDemandImages.__init__(one, len(chosen), self.shape[1:], sizes, self.buffer)
        return one

    def identity(self) -> str:
        names = [os.path.basename(path) for path in self._paths]
        places = hashlib.sha256(self._starts.tobytes() + self._lengths.tobytes()).hexdigest()
        return f"{names} {places} {self.keys}"

    def _encoded(self, index: int) -> bytes:
        path, start = self._paths[self._files[index]], int(self._starts[index])
        with reading.reading(path, record_file.EXPECTED, record_file.REMEDY):
            with open(path, "rb") as file:
                record = record_file.read_at(file, start, int(self._lengths[index]))
            return record_file.encoded_image(record, self.keys)


def load(request: Request) -> Arrays:
    """Loads one split of a folder of TFRecord files.

    Files belong to the split that is a part of their names, as in `photos-train-00000-of-00010.tfrecord`;
    without such names test is the last tenth of the records and validation the end of the rest. Every part
    `-of-00010` must be there. The image is a file of a kind that folders take, under `image`,
    `image/encoded` or `image_raw`, the class an integer under `label` or `image/class/label`.

    Args:
        request: what is wanted; `name` is the path. With `stream` the images stay in the files.

    Raises:
        ValueError: Parts are missing, a file is cut off or of another kind, or images have several sizes.
    """
    root = os.path.expanduser(request.name)
    files = shards(root)
    by_split = _by_split(root, files)
    everything = {
        split: RecordImages([os.path.join(root, name) for name in names], request)
        for split, names in by_split.items()
    }
    source = request.split if request.split in by_split else "train"
    start, stop = 0, len(everything[source])
    if source == "train":
        whole = dataclasses.replace(request, max_examples=None)
        start, stop = splitting.bounds(stop, whole, tuple(by_split))
    labels = {name: one.labels for name, one in everything.items() if one.labels is not None}
    classes = npz_file.count_classes(labels, request.name) if labels else None
    part = everything[source].part(start, stop, request.max_examples)
    return arrays(part, request, classes)


def arrays(
    images: RecordImages,
    request: Request,
    num_classes: int | None,
    class_names: tuple[str, ...] | None = None,
) -> Arrays:
    """Returns the images of a split as they are asked for: in their files, or decoded."""
    labels = images.labels
    white = images.white_levels
    if request.stream or images.nbytes > image_cache.MEMORY_BYTES:
        return Arrays(images, labels, num_classes, class_names, white)
    return Arrays(images[:], labels, num_classes, class_names, white)


def shards(folder: str) -> list[str]:
    """Returns the names of the TFRecord files in a folder, in order.

    Raises:
        ValueError: A part is missing.
    """
    with os.scandir(folder) as entries:
        names = sorted(
            entry.name
            for entry in entries
            if ".tfrecord" in entry.name and entry.name[0] != "." and entry.is_file()
        )
    check_parts(folder, names)
    return names


def check_parts(folder: str, names: Sequence[str]) -> None:
    """Refuses names of which another part, such as `-00003-of-00010`, is not in the folder.

    Args:
        folder: The folder.
        names: Names of files in it; those that are no part of several may be any.

    Raises:
        ValueError: A part is missing.
    """
    parts: dict[tuple[str, str, str], set[int]] = {}
    for match in filter(None, map(_PART.fullmatch, names)):
        parts.setdefault((match[1], match[3], match[4]), set()).add(int(match[2]))
    for (before, count, after), found in parts.items():
        others = [
            f"{before}-{number:0{len(count)}d}-of-{count}{after}"
            for number in sorted(set(range(int(count))) - found)
        ]
        missing = [name for name in others if not os.path.exists(os.path.join(folder, name))]
        if missing:
            raise ValueError(
                "All parts of a TFRecord data set must be there. Copy those that are missing. Received: "
                f"folder={folder!r} without {len(missing)} of {int(count)}: {', '.join(missing[:3])}"
            )


def _by_split(root: str, names: list[str]) -> Mapping[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name in names:
        words = re.split(r"[-_.]", name.lower())
        splits = {split for word in words if (split := folder_layout.split_of(word))}
        found.setdefault(splits.pop() if len(splits) == 1 else "", []).append(name)
    others = found.pop("", [])
    if found and (others or "train" not in found):
        raise ValueError(
            f"The name of every TFRecord file must hold one of {', '.join(SPLITS)}, train among them, or "
            f"none of them must. Rename the files. Received: folder={root!r} with {sorted(found)} and "
            f"{others[:3]}"
        )
    return found or {"train": others}


def _label(record: bytes, keys: Keys) -> int:
    label = record_file.label_of(record, keys)
    if label < UNLABELLED:
        raise ValueError(f"its label must be a class from 0 on, or -1, not {label}")
    return label


def _checked_labels(labels: list[int], path: str) -> np.ndarray:
    found = np.array(labels, np.int64)
    if found.max() > np.iinfo(np.int32).max:
        raise ValueError(
            "Labels must be classes from 0, or -1 where unlabelled. Number the classes from 0. "
            f"Received: {path!r} with labels up to {found.max()}"
        )
    return found.astype(np.int32)


def _reading(path: str, start: int) -> contextlib.AbstractContextManager[None]:
    where = f"an image in the record at byte {start - 12}"
    return reading.reading(path, f"a TFRecord file with {where}", record_file.REMEDY)
