"""Results as JSON lines: a file for each table, a line for each record.

    store.append("sweeps", {"name": "linear", "provenance": provenance.record(), ...})
    store.read("sweeps")["linear"]

Records are added, never changed: of several with one name the last counts. A record without a name gets that
of its table. A process that dies while it writes leaves at most a last line without an end, which is left
out when the file is read and removed by the next `append`; anything else that is no record is an error.
"""

from __future__ import annotations

import fcntl
import json
import os
import pathlib
import warnings
from typing import Any

ROOT = pathlib.Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"
IMAGES = ROOT / "docs" / "images"


def path_of(table: str) -> pathlib.Path:
    """The file of a table."""
    return RESULTS / f"{table}.jsonl"


def append(table: str, record: dict[str, Any]) -> dict[str, Any]:
    """Adds a record to a table, the whole line or nothing, and returns it as it is read back.

    Raises:
        OSError: No permission or no space; the file is as it was before.
        ValueError: NaN or infinity, which JSON does not have.
    """
    path = path_of(table)
    record = {"name": table, **record}
    line = json.dumps(record, allow_nan=False).encode() + b"\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a+b", buffering=0) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        whole, torn = _split(file.read())
        if _parse(torn) is not None:  # Only the end of the line is missing.
            whole, line = whole + torn, b"\n" + line
        file.truncate(len(whole))
        try:
            if file.write(line) != len(line):
                raise OSError(f"No space for a record of {len(line)} bytes in {path}")
            os.fsync(file.fileno())
        except BaseException:
            file.truncate(len(whole))
            raise
    return json.loads(line)


def read(table: str) -> dict[str, dict[str, Any]]:
    """The records of a table by name, in the order of names; empty if there is no file.

    Raises:
        ValueError: A line that is no record, other than a last one that has no end.
    """
    return dict(sorted(oldest_first(table).items()))


def oldest_first(table: str) -> dict[str, dict[str, Any]]:
    """The records of a table by name, in the order in which they were added; empty if there is no file.

    Raises:
        ValueError: A line that is no record, other than a last one that has no end.
    """
    path = path_of(table)
    if not path.exists():
        return {}
    whole, torn = _split(path.read_bytes())
    lines = whole.splitlines()
    if _parse(torn) is not None:
        lines.append(torn)
    elif torn:
        warnings.warn(f"{path}, line {len(lines) + 1}: left out, it has no end.", stacklevel=2)
    found: dict[str, dict[str, Any]] = {}
    for number, line in enumerate(lines, 1):
        record = _parse(line)
        if record is None:
            raise ValueError(
                "Every line must be a JSON object with a name. Restore the file, or remove the line. "
                f"Received: {path}, line {number}: {line[:60]!r}"
            )
        found.pop(
            record["name"], None
        )  # Of several with one name the last counts, in its own place.
        found[record["name"]] = record
    return found


def newest(table: str, name: str = "") -> dict[str, Any] | None:
    """The record of a name, by default of the table's own; None if there is none."""
    return read(table).get(name or table)


def _split(data: bytes) -> tuple[bytes, bytes]:
    """The whole lines, and what stands after the last of them."""
    end = data.rfind(b"\n") + 1
    return data[:end], data[end:]


def _parse(line: bytes) -> dict[str, Any] | None:
    """The record of a line, or None if it is none."""
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) and isinstance(record.get("name"), str) else None
