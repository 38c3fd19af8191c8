"""TFRecord files: where their records lie, and the images and labels that these hold."""

from __future__ import annotations

import itertools
import os
import struct
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

import tensorflow as tf

from tf_discrete._internal import reading

EXPECTED = "a TFRecord file of tf.train.Example with one image each"
REMEDY = "Write or copy it again."

_LENGTH = struct.Struct("<QI")
_CHECKSUM_BYTES = 4
_MASK_DELTA = 0xA282EAD8
_POLYNOMIAL = 0x82F63B78  # CRC-32C, reversed.


class Keys(NamedTuple):
    """The features of an example.

    Attributes:
        image: Name of the encoded image, a file of a kind that `image_file` reads.
        label: Name of the class, an integer; None where there is none.
    """

    image: str
    label: str | None


IMAGE_KEYS = ("image", "image/encoded", "image_raw")
LABEL_KEYS = ("label", "image/class/label")


def records(path: str) -> Iterator[tuple[int, bytes]]:
    """Returns the records of a file in order, each with the place of its first byte.

    Raises:
        DamagedFileError: The file is cut off, or no TFRecord file.
        FileNotFoundError: It is missing.
    """
    for start, data, _ in _stored(path):
        yield start, data


def intact_records(path: str, first: int = 0) -> Iterator[bytes | None]:
    """Returns the records of a file in order, and None for each whose checksum is not that of its bytes.

    Checksums are computed in Python, some megabytes a second.

    Args:
        path: Path of the file.
        first: Number of the first record that is returned. Default: 0.

    Raises:
        DamagedFileError: The file is cut off, or the length of a record is damaged, so that nobody knows
            where the next one begins.
        FileNotFoundError: It is missing.
    """
    for _, data, checksum in itertools.islice(_stored(path), first, None):
        yield data if masked_crc32c(data) == checksum else None


def _stored(path: str) -> Iterator[tuple[int, bytes, int]]:
    """Returns the place, the bytes and the stored checksum of each record."""
    with reading.reading(path, EXPECTED, REMEDY), open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        place = 0
        while place < size:
            length, start = _length(file, place, size), place + _LENGTH.size
            data = file.read(length)
            yield start, data, int.from_bytes(file.read(_CHECKSUM_BYTES), "little")
            place = start + length + _CHECKSUM_BYTES


def _length(file: BinaryIO, place: int, size: int) -> int:
    head = file.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        raise ValueError(f"it is cut off at byte {size}")
    length, checksum = _LENGTH.unpack(head)
    if checksum != masked_crc32c(head[:8]):
        raise ValueError(f"no record begins at byte {place}")
    if place + _LENGTH.size + length + _CHECKSUM_BYTES > size:
        raise ValueError(f"it is cut off in the record at byte {place}")
    return int(length)


def read_at(file: BinaryIO, start: int, length: int) -> bytes:
    """Returns the record that begins at a byte."""
    file.seek(start)
    return file.read(length)


def keys_of(record: bytes) -> Keys:
    """Returns the keys under which an example holds its image and its label.

    Raises:
        ValueError: It has no image under one of `IMAGE_KEYS`.
    """
    features = parse(record)
    image = next((key for key in IMAGE_KEYS if key in features), None)
    if image is None:
        raise ValueError(
            f"an example must hold its image under one of {', '.join(IMAGE_KEYS)}, "
            f"not {sorted(features)[:20]}"
        )
    return Keys(image, next((key for key in LABEL_KEYS if key in features), None))


def parse(record: bytes) -> dict[str, tf.train.Feature]:
    """Returns the features of a serialised `tf.train.Example`."""
    return dict(tf.train.Example.FromString(record).features.feature)


def encoded_image(record: bytes, keys: Keys) -> bytes:
    """Returns the file of the image that a record holds."""
    return tf.train.Example.FromString(record).features.feature[keys.image].bytes_list.value[0]


def label_of(record: bytes, keys: Keys) -> int:
    """Returns the class that a record holds."""
    return int(tf.train.Example.FromString(record).features.feature[keys.label].int64_list.value[0])


def masked_crc32c(data: bytes) -> int:
    """Returns the checksum of TFRecord files.

    Example:
        >>> hex(masked_crc32c(b"123456789"))
        '0xc78ab0e5'
    """
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _TABLE[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + _MASK_DELTA) & 0xFFFFFFFF


def _entry(value: int) -> int:
    for _ in range(8):
        value = value >> 1 ^ (_POLYNOMIAL if value & 1 else 0)
    return value


_TABLE = tuple(_entry(value) for value in range(256))
