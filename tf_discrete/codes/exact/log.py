"""The append log of an index: what was added and deleted since its base was built, one record a change.

A record is a header, its payload and an end mark. The end mark is written after the rest is on the disk,
and a change is acknowledged after the mark is. So a record without its mark was never acknowledged:
readers leave it out, and the next writer cuts it off. A record with its mark whose checksum is wrong was
damaged later and is refused.
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
import struct
import zlib
from typing import BinaryIO

import numpy as np

from tf_discrete._internal import reading, writing
from tf_discrete.codes.exact.base import EXPECTED

_HEADER = struct.Struct("<4sQQQII")
"""Magic, three counts, checksum of the payload, checksum of all that."""
_MAGIC, _END = b"TFDL", b"DONE"
_REMEDY = "Restore the folder from a copy, or build the index again."


@dataclasses.dataclass(frozen=True)
class Change:
    """One change, which is there as a whole or not at all.

    Attributes:
        places: uint64 [P], places of the items of the base that are deleted.
        removed: int64 [R], ids of items added since that are deleted.
        ids: int64 [A], items that are added.
        packed: uint8 [A, bytes], their codes.
    """

    places: np.ndarray
    removed: np.ndarray
    ids: np.ndarray
    packed: np.ndarray

    def _payload(self) -> bytes:
        return b"".join(
            [
                self.places.astype("<u8").tobytes(),
                self.removed.astype("<i8").tobytes(),
                self.ids.astype("<i8").tobytes(),
                np.ascontiguousarray(self.packed).tobytes(),
            ]
        )


def append(path: pathlib.Path, end: int, change: Change) -> int:
    """Adds a record; it is on the disk when the function returns.

    Args:
        path: The log.
        end: Where the last whole record ends; what follows is cut off.
        change: What to add.

    Returns:
        The new end.

    Raises:
        OSError: No permission, or no space; the log is as it was.
    """
    payload = change._payload()
    counts = len(change.places), len(change.removed), len(change.ids)
    header = _HEADER.pack(_MAGIC, *counts, zlib.crc32(payload), 0)[:-4]
    record = header + zlib.crc32(header).to_bytes(4, "little") + payload
    with writing.naming(path), open(path, "r+b", buffering=0) as file:
        file.truncate(end)
        file.seek(end)
        try:
            for part in (record, _END):
                _write(file, part)
                os.fsync(file.fileno())
        except BaseException:
            file.truncate(end)
            raise
    return end + len(record) + len(_END)


def read(path: pathlib.Path, code_bytes: int) -> tuple[list[Change], int]:
    """Reads all whole records.

    Args:
        path: The log.
        code_bytes: Bytes of a code.

    Returns:
        changes: In the order in which they were made.
        end: Where the last of them ends.

    Raises:
        DamagedFileError: A record whose checksum is wrong, or bytes that are none.
        FileNotFoundError: The log is missing.
    """
    reading.check_regular(path, EXPECTED, _REMEDY)
    with reading.reading(path, EXPECTED, _REMEDY):
        data = path.read_bytes()
    changes, end = [], 0
    while end < len(data):
        change, following = _record(path, data, end, code_bytes)
        if change is None:
            break
        changes.append(change)
        end = following
    return changes, end


def _record(
    path: pathlib.Path, data: bytes, start: int, code_bytes: int
) -> tuple[Change | None, int]:
    """The record at a place and its end; None for one that was never finished."""
    body = start + _HEADER.size
    if body > len(data):
        if not _MAGIC.startswith(data[start : start + 4]) and any(data[start:]):
            raise reading.damaged(path, EXPECTED, _REMEDY, f"no record at byte {start}")
        return None, start
    magic, places, removed, added, checksum, own = _HEADER.unpack_from(data, start)
    if magic != _MAGIC or zlib.crc32(data[start : body - 4]) != own:
        if not any(data[start:]):  # The file had grown, and nothing was written yet.
            return None, start
        raise reading.damaged(path, EXPECTED, _REMEDY, f"no record at byte {start}")
    sizes = [8 * places, 8 * removed, 8 * added, code_bytes * added]
    end = body + sum(sizes)
    if data[end : end + len(_END)] != _END:
        if end + len(_END) < len(data):
            raise reading.damaged(path, EXPECTED, _REMEDY, f"no end mark at byte {end}")
        return None, start
    if zlib.crc32(data[body:end]) != checksum:
        raise reading.damaged(path, EXPECTED, _REMEDY, f"a wrong checksum at byte {start}")
    cuts = np.cumsum([body, *sizes])
    pieces = [data[a:b] for a, b in zip(cuts, cuts[1:], strict=False)]
    change = Change(
        np.frombuffer(pieces[0], "<u8"),
        np.frombuffer(pieces[1], "<i8"),
        np.frombuffer(pieces[2], "<i8"),
        np.frombuffer(pieces[3], np.uint8).reshape(added, code_bytes),
    )
    return change, end + len(_END)


def _write(file: BinaryIO, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[file.write(view) :]
