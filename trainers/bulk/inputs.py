"""The input: shards of images, listed before anything runs, and the batches of one shard."""

from __future__ import annotations

import glob
import hashlib
import os
import pathlib
from collections.abc import Iterator

from tf_discrete.types import JsonObject

from . import image_files, prepared, records
from .shard import Images, Reading, Shard

_BATCHES = {
    "tfrecord": records.batches,
    "folder": image_files.batches,
    "tfds": prepared.batches,
}


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
        return prepared.shards(source.removeprefix("tfds:"), size, data_dir)
    path = os.path.expanduser(source)
    if os.path.isdir(path):
        return image_files.shards(path, size)
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
    return records.shards(files)


def batches(shard: Shard, how: Reading) -> Iterator[Images]:
    """Reads a shard, always in the same order."""
    yield from _BATCHES[shard.kind](shard, how)


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
