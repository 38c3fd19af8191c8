"""The folder of a bulk encoding: its plan, one Parquet file and one record for each shard, and the manifest.

A shard is done when its record is there, which names the checksum of the Parquet file that was written
before. Both are replaced in one step each, so a shard that is encoded twice, or by two workers at once, is
there once; at the end every file is compared with its record.
"""

from __future__ import annotations

import json
import pathlib
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from tf_discrete._internal import locking, reading, writing
from tf_discrete.codes.code_files import (
    BIT_ORDER,
    MANIFEST,
    PLAN,
    RECORDS,
    CodeBatch,
    CodeLayout,
    write_codes,
)
from tf_discrete.codes.digest import file_digest
from tf_discrete.types import JsonObject

REJECTS = "rejects.jsonl"
FORMAT_VERSION = 1
_EXPECTED = "a file that trainers.encode has written"
_REMEDY = "Remove the folder, or choose another --output."


class Encoded(NamedTuple):
    """The codes of one shard.

    Attributes:
        number: Of the shard.
        ids: int64 [B].
        packed: uint8 [B, bytes].
        labels: int64 [B], -1 where there is none.
        rejects: Images that could not be read.
        scores: float32 [B], or None where they are not asked for.
        paths: str [B] of image files; else none.
    """

    number: int
    ids: np.ndarray
    packed: np.ndarray
    labels: np.ndarray
    rejects: list[JsonObject]
    scores: np.ndarray | None = None
    paths: tuple[str, ...] = ()


def start(folder: pathlib.Path, plan: JsonObject) -> None:
    """Writes the plan, or checks that the folder has the same.

    Raises:
        DamagedFileError: The plan that is there cannot be read.
        FileExistsError: The folder holds something else.
        ValueError: The folder holds codes of another model, of other images or with other flags.
    """
    file = folder / PLAN
    writing.sweep(folder, PLAN.__eq__)
    if file.exists():
        stored = reading.read_json(file, _EXPECTED, _REMEDY)
        # A flag that is off may be left out.
        different = [
            name
            for name in {**plan, **stored}
            if (stored.get(name) or None) != (plan.get(name) or None)
        ]
        if different:
            raise ValueError(
                "An encoding is continued with the same model, images and flags. Choose another --output. "
                f"Received: output={str(folder)!r}, which differs in {', '.join(different)}"
            )
        return
    if any(not _is_own(entry.name) for entry in folder.iterdir()):
        raise FileExistsError(
            "The output must be a new or empty folder, or one of the same encoding. Choose another "
            f"--output. Received: output={str(folder)!r}"
        )
    writing.write_json(file, plan)


def _is_own(name: str) -> bool:
    """Returns whether a name is of what a job leaves that is killed before its plan is there."""
    return name == locking.LOCK_FILE or writing.is_temporary(name, PLAN.__eq__)


def shard_file(number: int) -> str:
    """Returns the name of the Parquet file of a shard."""
    return f"codes-{number:06d}.parquet"


def write_shard(folder: pathlib.Path, encoded: Encoded, layout: CodeLayout) -> None:
    """Writes the codes of a shard and then its record."""
    labels = encoded.labels if (encoded.labels >= 0).any() else None
    paths = np.array(encoded.paths, object) if encoded.paths else None
    batch = CodeBatch(encoded.ids, encoded.packed, labels, encoded.scores, paths)
    file = folder / shard_file(encoded.number)
    with writing.replaced_file(file) as new:  # Also a damaged one, unlike `write_codes`.
        count = write_codes(new, [batch] if len(encoded.ids) else [], layout)
        digest = file_digest(new)  # Another worker may replace the file in the next moment.
    record = {
        "file": file.name,
        "count": count,
        "sha256": digest,
        "rejects": encoded.rejects,
    }
    writing.write_json(_record(folder, encoded.number), record)


def is_done(folder: pathlib.Path, number: int) -> bool:
    """Returns whether a shard is whole; one that is damaged is to be made again."""
    try:
        record = _read_record(folder, number)
        return file_digest(folder / shard_file(number)) == record["sha256"]
    except (FileNotFoundError, reading.DamagedFileError):
        return False


def finish(folder: pathlib.Path, numbers: Iterable[int], plan: JsonObject) -> JsonObject:
    """Writes the rejects and the manifest, and returns the manifest.

    Raises:
        ValueError: A shard is missing, or differs from its record; or there are rejects alone.
    """
    numbers = list(numbers)
    wrong = [shard_file(number) for number in numbers if not is_done(folder, number)]
    if wrong:
        raise ValueError(
            "Every shard must be in the output as its record says, and all workers must mount the output. "
            "Run the same command again: it encodes these shards again. Received: "
            f"output={str(folder)!r} with {len(wrong)} shards that are missing or differ, such as {wrong[0]}"
        )
    records = [_read_record(folder, number) for number in numbers]
    rejects = [reject for record in records for reject in record["rejects"]]
    lines = "".join(json.dumps(reject) + "\n" for reject in rejects)
    writing.write_text(folder / REJECTS, lines)
    count = sum(record["count"] for record in records)
    if rejects and not count:
        raise ValueError(
            f"At least one image must be one that the model reads. Read the reasons in {REJECTS}, and give "
            f"other images with another --output. Received: output={str(folder)!r} with {len(rejects)} "
            f"rejects and no image; the first is {rejects[0]['name']!r}: {rejects[0]['reason']}"
        )
    manifest = {
        "format_version": FORMAT_VERSION,
        "bit_order": BIT_ORDER,
        **{name: plan[name] for name in ("model", "num_variables", "num_categories", "input")},
        "count": count,
        "num_rejects": len(rejects),
        "shards": [
            {name: record[name] for name in ("file", "count", "sha256")} for record in records
        ],
    }
    writing.write_json(folder / MANIFEST, manifest)
    return manifest


def _record(folder: pathlib.Path, number: int) -> pathlib.Path:
    return folder / RECORDS / f"{number:06d}.json"


def _read_record(folder: pathlib.Path, number: int) -> JsonObject:
    file = _record(folder, number)
    stored = reading.read_json(file, _EXPECTED, _REMEDY)
    with reading.reading(file, _EXPECTED, _REMEDY):
        named = stored["file"], type(stored["count"]), type(stored["rejects"]), stored["sha256"]
        if named[:3] != (shard_file(number), int, list):
            raise ValueError(f"{named}")
    return stored
