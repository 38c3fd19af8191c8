"""The input: shards of images, listed before anything runs, and the batches of one shard."""

from __future__ import annotations

import dataclasses
import glob
import hashlib
import itertools
import operator
import os
import pathlib
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tf_discrete._internal import reading
from tf_discrete.datasets import image_file, image_folder, record_file, record_folder
from tf_discrete.types import JsonObject

_ID_BITS = 32
"""A TFRecord file's images have the ids from its number times 2**32 on."""
_BEGINNINGS = (
    b"\x89PNG",
    b"\xff\xd8\xff",
    b"GIF8",
    b"BM",
    b"RIFF",
    b"II*\0",
    b"MM\0*",
    b"P5",
    b"P6",
)
"""Beginnings of image files; other bytes may be pixels as they are."""


class Images(NamedTuple):
    """Some images of a shard.

    Attributes:
        ids: int64 [B].
        images: uint8 [B, *data_shape].
        labels: int64 [B], -1 where there is none.
        rejects: An id, a name and a reason for each image that cannot be read.
    """

    ids: np.ndarray
    images: np.ndarray
    labels: np.ndarray
    rejects: list[JsonObject]


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


def shards(source: str, size: int, data_dir: str = "") -> list[Shard]:
    """Lists the shards of an input.

    Args:
        source: A pattern of files, a folder, or tfds:NAME[:SPLIT].
        size: Images of a shard, except of TFRecord files.
        data_dir: Of tfds, or "".

    Raises:
        FileNotFoundError: Nothing there.
        ValueError: A part of several TFRecord files is missing, or a split of tfds.
    """
    if source.startswith("tfds:"):
        return _tfds_shards(source.removeprefix("tfds:"), size, data_dir)
    path = os.path.expanduser(source)
    if os.path.isdir(path):
        return _folder_shards(path, size)
    found = sorted(glob.glob(path, recursive=True))
    if broken := [file for file in found if not os.path.exists(file)]:
        raise FileNotFoundError(
            "A link to TFRecords must lead to a file. Restore the file, or remove the link. "
            f"Received: {len(broken)} links to nowhere, such as {broken[0]!r}"
        )
    files = [file for file in found if os.path.isfile(file)]
    if not files:
        raise FileNotFoundError(
            "There must be something to encode: TFRecord files, a folder of images, or tfds:NAME. Check the "
            f"path. Received: input={source!r}"
        )
    for folder, names in itertools.groupby(map(os.path.split, files), operator.itemgetter(0)):
        record_folder.check_parts(folder or os.curdir, [name for _, name in names])
    return [
        Shard(number, "tfrecord", file, number << _ID_BITS, identity=(_identity(file),))
        for number, file in enumerate(files)
    ]


def batches(shard: Shard, how: Reading) -> Iterator[Images]:
    """Reads a shard, always in the same order."""
    yield from {"tfrecord": _records, "folder": _files, "tfds": _examples}[shard.kind](shard, how)


def _identity(path: str) -> tuple[int, int]:
    """Size and time of a file; a link to nowhere has its own, and is refused when it is read."""
    found = os.stat(path) if os.path.exists(path) else os.lstat(path)
    return found.st_size, found.st_mtime_ns


def _folder_shards(folder: str, size: int) -> list[Shard]:
    paths = sorted(image_folder.files(folder))
    if not paths:
        raise FileNotFoundError(
            f"The folder must hold images. Check the path. Received: input={folder!r}"
        )
    made = []
    for number, start in enumerate(range(0, len(paths), size)):
        part = tuple(paths[start : start + size])
        identity = tuple(_identity(path) for path in part)
        made.append(Shard(number, "folder", folder, start, part, identity=identity))
    return made


def _tfds_shards(name: str, size: int, data_dir: str) -> list[Shard]:
    import tensorflow_datasets as tfds

    name, _, split = name.partition(":")
    split = split or "train"
    found = tfds.builder(name, data_dir=data_dir or None)
    if split not in found.info.splits:
        known = ", ".join(found.info.splits) or "none: prepare the data set first"
        raise ValueError(
            f"The data set must have the split, and must be prepared. Choose one of {known}. "
            f"Received: input='tfds:{name}:{split}', data_dir={data_dir!r}"
        )
    count = found.info.splits[split].num_examples
    source = f"{name}:{split}"
    files = map(os.fspath, found.info.splits[split].filepaths)
    identity = (found.info.full_name, *map(_identity, files))
    return [
        Shard(number, "tfds", source, start, stop=min(start + size, count), identity=identity)
        for number, start in enumerate(range(0, count, size))
    ]


def _records(shard: Shard, how: Reading) -> Iterator[Images]:
    """Examples of a TFRecord file, in order; records that are damaged are rejects."""
    dataset = tf.data.TFRecordDataset(shard.source, buffer_size=1 << 20).batch(how.batch_size)
    iterator, start = iter(dataset), 0
    while True:
        try:
            records = next(iterator).numpy().tolist()
        except StopIteration:
            return
        except tf.errors.NotFoundError:
            raise FileNotFoundError(
                f"A shard is gone. Restore it. Received: {shard.source!r}"
            ) from None
        except tf.errors.DataLossError:
            yield from _past_damage(shard, how, start)
            return
        yield _parsed(records, shard, start, how)
        start += len(records)


def _past_damage(shard: Shard, how: Reading, start: int) -> Iterator[Images]:
    """Examples from record `start` on, where each record that is damaged is a reject.

    A damaged length ends the file, as nobody knows where the next record begins: one reject names the rest.
    """
    records = record_file.intact_records(shard.source, start)
    while True:
        batch: list[bytes | None] = []
        lost = ""
        try:
            for record in itertools.islice(records, how.batch_size):
                batch.append(record)
        except reading.DamagedFileError as error:
            lost = f"this record and all after it: the file is cut off or damaged ({_short(error)})"
        if batch:
            yield _parsed(batch, shard, start, how)
        start += len(batch)
        if lost:
            yield _only_rejects([_reject(shard, start, f"{shard.source}#{start}", lost)], how)
        if len(batch) < how.batch_size:
            return


def _parsed(records: list[bytes | None], shard: Shard, start: int, how: Reading) -> Images:
    """Decodes records together, or one by one where one of them is wrong; a damaged one is None."""
    try:
        return _kept(shard, start, *_decode_examples(records, how), [])
    except (tf.errors.OpError, ValueError):
        pass
    images: list[np.ndarray] = []
    labels: list[int] = []
    rejects: list[JsonObject] = []
    kept: list[int] = []
    for place, record in enumerate(records):
        try:
            image, label = _decode_examples([record], how)
        except (tf.errors.OpError, ValueError) as error:
            name = f"{shard.source}#{start + place}"
            rejects.append(_reject(shard, start + place, name, _short(error)))
            continue
        images.append(image[0])
        labels.append(label[0])
        kept.append(place)
    return _some(shard, start, how, kept, images, labels, rejects)


def _decode_examples(records: list[bytes | None], how: Reading) -> tuple[np.ndarray, np.ndarray]:
    """Images uint8 [B, *data_shape] and labels of serialized examples."""
    if None in records:
        raise ValueError("the record is damaged: its checksum is not that of its bytes")
    features = {
        how.image_feature: tf.io.FixedLenFeature([], tf.string),
        how.label_feature: tf.io.FixedLenFeature([], tf.int64, -1),
    }
    parsed = tf.io.parse_example(tf.constant(records), features)
    data = parsed[how.image_feature].numpy()
    size = int(np.prod(how.data_shape))
    if all(len(one) == size and not one.startswith(_BEGINNINGS) for one in data):
        images = _white(np.frombuffer(b"".join(data), np.uint8), how).reshape(-1, *how.data_shape)
    else:
        images = np.stack([_decode_image(one, how) for one in data])
    return images, parsed[how.label_feature].numpy()


def _decode_image(data: bytes, how: Reading) -> np.ndarray:
    """The pixels of an image file, resized as in folders; other bytes are pixels if they are as many."""
    white = image_file.WhiteLevels(*how.white_levels)
    try:
        height, width, channels = how.data_shape
        image = image_file.decode(data, channels, (height, width), white)
    except ValueError:
        if len(data) != np.prod(how.data_shape):
            raise
        image = _white(np.frombuffer(data, np.uint8), how).reshape(how.data_shape)
    if image.shape != how.data_shape:
        raise ValueError(f"an image of {image.shape}, the model reads {how.data_shape}")
    return image


def _files(shard: Shard, how: Reading) -> Iterator[Images]:
    """Images of a folder, resized as the trainers resize them."""
    shape: tuple[int, int, int] = how.data_shape  # type: ignore[assignment]
    for first in range(0, len(shard.files), how.batch_size):
        images, rejects, kept = [], [], []
        for place, path in enumerate(shard.files[first : first + how.batch_size], first):
            try:
                image = image_folder.read(path, shape, how.white_levels)
            except (OSError, ValueError) as error:
                rejects.append(_reject(shard, place, path, _short(error)))
                continue
            images.append(image)
            kept.append(place)
        yield _some(shard, 0, how, kept, images, [-1] * len(kept), rejects)


def _examples(shard: Shard, how: Reading) -> Iterator[Images]:
    """Examples of a prepared data set, in the order of its files."""
    import tensorflow_datasets as tfds

    name, split = shard.source.rsplit(":", 1)
    found = tfds.builder(name, data_dir=how.data_dir or None)
    part = f"{split}[{shard.start}:{shard.stop}]"
    in_order = tfds.ReadConfig(interleave_cycle_length=1, try_autocache=False)
    dataset = found.as_dataset(split=part, shuffle_files=False, read_config=in_order)
    place = 0
    for batch in dataset.batch(how.batch_size):
        images = batch["image"].numpy()
        labels = (
            batch["label"].numpy().astype(np.int64) if "label" in batch else -np.ones(len(images))
        )
        if images.shape[1:] != how.data_shape:
            raise ValueError(
                "The images must have the shape that the model reads. Choose another data set or model. "
                f"Received: images {images.shape[1:]}, a model of {how.data_shape}"
            )
        yield _kept(shard, place, _white(images, how), labels.astype(np.int64), [])
        place += len(images)


def _white(pixels: np.ndarray, how: Reading) -> np.ndarray:
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


def _kept(
    shard: Shard, start: int, images: np.ndarray, labels: np.ndarray, rejects: list[JsonObject]
) -> Images:
    return Images(shard.start + start + np.arange(len(images)), images, labels, rejects)


def _some(
    shard: Shard,
    start: int,
    how: Reading,
    kept: list[int],
    images: list[np.ndarray],
    labels: list[int],
    rejects: list[JsonObject],
) -> Images:
    if not kept:
        return _only_rejects(rejects, how)
    ids = shard.start + start + np.array(kept)
    return Images(ids, np.stack(images), np.array(labels, np.int64), rejects)


def _only_rejects(rejects: list[JsonObject], how: Reading) -> Images:
    none = np.zeros(0, np.int64)
    return Images(none, np.zeros([0, *how.data_shape], np.uint8), none, rejects)


def _reject(shard: Shard, place: int, name: str, reason: str) -> JsonObject:
    return {"id": shard.start + place, "name": name, "reason": reason}


def _short(error: BaseException) -> str:
    return " ".join(str(error).split("Received: ", 1)[-1].split())[:200]


def fingerprint(found: list[Shard]) -> list[JsonObject]:
    """Returns what identifies the shards, for JSON: a changed input has another one."""
    return [
        {
            "source": shard.source
            if shard.kind == "tfds"
            else pathlib.Path(os.path.abspath(shard.source)).name,
            "start": shard.start,
            "stop": shard.stop,
            "files": len(shard.files),
            "identity": _digest(shard),
        }
        for shard in found
    ]


def _digest(shard: Shard) -> str:
    """Returns a digest of the names, sizes and times of the files of a shard."""
    names = [os.path.basename(file) for file in shard.files]
    return hashlib.sha256(repr((names, shard.identity)).encode()).hexdigest()[:16]
