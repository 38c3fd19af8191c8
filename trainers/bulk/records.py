"""TFRecord files as input of the bulk encoder: a shard for each file."""

from __future__ import annotations

import itertools
import operator
import os
from collections.abc import Iterator, Sequence

import numpy as np
import tensorflow as tf

from tf_discrete._internal import reading
from tf_discrete.datasets import image_file, record_file, record_folder
from tf_discrete.types import JsonObject

from .shard import (
    Images,
    Reading,
    Shard,
    all_of,
    identity,
    only_rejects,
    reason,
    reject,
    some_of,
    white,
)

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


def shards(files: Sequence[str]) -> list[Shard]:
    """Lists the shards of files.

    Raises:
        ValueError: A part of several is missing.
    """
    for folder, names in itertools.groupby(map(os.path.split, files), operator.itemgetter(0)):
        record_folder.check_parts(folder or os.curdir, [name for _, name in names])
    return [
        Shard(number, "tfrecord", file, number << _ID_BITS, identity=(identity(file),))
        for number, file in enumerate(files)
    ]


def batches(
    shard: Shard, how: Reading, first: int = 0, last: int | None = None
) -> Iterator[Images]:
    """Examples of a TFRecord file, in order; records that are damaged or missing are rejects.

    Args:
        shard: Its source is the file, and its start the id of record 0.
        how: How images are read.
        first: Number of the first record. Default: 0.
        last: Number after the last record. Default: all.
    """
    dataset = tf.data.TFRecordDataset(shard.source, buffer_size=1 << 20).skip(first)
    if last is not None:
        dataset = dataset.take(last - first)
    iterator, start = iter(dataset.batch(how.batch_size)), first
    while True:
        try:
            records = next(iterator).numpy().tolist()
        except StopIteration:
            if last is not None and start < last:
                yield _rest_lost(shard, start, how, "the file ends early")
            return
        except tf.errors.NotFoundError:
            raise FileNotFoundError(
                f"A shard is gone. Restore it. Received: {shard.source!r}"
            ) from None
        except tf.errors.DataLossError:
            yield from _past_damage(shard, how, start, last)
            return
        yield _parsed(records, shard, start, how)
        start += len(records)


def _past_damage(shard: Shard, how: Reading, start: int, last: int | None) -> Iterator[Images]:
    """Examples from record `start` on, where each record that is damaged is a reject.

    A damaged length ends the file, as nobody knows where the next record begins; a file may also end before
    record `last`. One reject names the rest.
    """
    rest = None if last is None else last - start
    records = itertools.islice(record_file.intact_records(shard.source, start), rest)
    while True:
        batch: list[bytes | None] = []
        lost = ""
        try:
            for record in itertools.islice(records, how.batch_size):
                batch.append(record)
        except reading.DamagedFileError as error:
            lost = f"the file is cut off or damaged ({reason(error)})"
        if batch:
            yield _parsed(batch, shard, start, how)
        start += len(batch)
        if len(batch) == how.batch_size:
            continue
        if not lost and last is not None and start < last:
            lost = "the file ends early"
        if lost:
            yield _rest_lost(shard, start, how, lost)
        return


def _rest_lost(shard: Shard, start: int, how: Reading, why: str) -> Images:
    """Returns the one reject for record `start` and all after it."""
    name = f"{shard.source}#{start}"
    return only_rejects([reject(shard, start, name, f"this record and all after it: {why}")], how)


def _parsed(records: list[bytes | None], shard: Shard, start: int, how: Reading) -> Images:
    """Decodes records together, or one by one where one of them is wrong; a damaged one is None."""
    try:
        return all_of(shard, start, *_decode_examples(records, how), [])
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
            rejects.append(reject(shard, start + place, name, reason(error)))
            continue
        images.append(image[0])
        labels.append(label[0])
        kept.append(place)
    return some_of(shard, start, how, kept, images, labels, rejects)


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
        images = white(np.frombuffer(b"".join(data), np.uint8), how).reshape(-1, *how.data_shape)
    else:
        images = np.stack([_decode_image(one, how) for one in data])
    return images, parsed[how.label_feature].numpy()


def _decode_image(data: bytes, how: Reading) -> np.ndarray:
    """The pixels of an image file, resized as in folders; other bytes are pixels if they are as many."""
    levels = image_file.WhiteLevels(*how.white_levels)
    try:
        height, width, channels = how.data_shape
        image = image_file.decode(data, channels, (height, width), levels)
    except ValueError:
        if len(data) != np.prod(how.data_shape):
            raise
        image = white(np.frombuffer(data, np.uint8), how).reshape(how.data_shape)
    if image.shape != how.data_shape:
        raise ValueError(f"an image of {image.shape}, the model reads {how.data_shape}")
    return image
