"""One file of a JSON header and a payload, with a checksum of both: the format of the files of codes.

Magic (8 bytes), length of the header (4 bytes, little-endian), the header, the payload.
"""

from __future__ import annotations

import hashlib
import json
import os
import pathlib
from collections.abc import Mapping
from typing import NamedTuple

from tf_discrete._internal import reading, writing
from tf_discrete.types import JsonObject

_MAX_HEADER_BYTES = 2**16
_MAX_FILE_BYTES = 2**40


class Format(NamedTuple):
    """The header of the files of one kind.

    Attributes:
        magic: 8 bytes.
        fields: Name -> type of the fields of the header, those that every header has left out.
        name: What such a file is, such as "file of compressed codes", for messages.
        writer: The function that writes it.
        remedy: What to do about a damaged file, as a sentence.
    """

    magic: bytes
    fields: Mapping[str, type]
    name: str
    writer: str
    remedy: str

    @property
    def expected(self) -> str:
        """Returns what a file must be, for messages."""
        return f"a whole {self.name}, as {self.writer} has written it"

    def damaged(self, path: str | os.PathLike[str], reason: object) -> reading.DamagedFileError:
        """Returns the error for a file that was read and found wrong."""
        return reading.damaged(path, self.expected, self.remedy, reason)


def write(
    path: str | os.PathLike[str],
    kind: Format,
    header: Mapping[str, object],
    payload: bytes,
    overwrite: bool,
) -> None:
    """Writes a file, atomically.

    Raises:
        FileExistsError: Something is at the path, and it may not or must not be replaced.
        OSError: No permission, or no space.
    """
    fields = {**header, "payload_bytes": len(payload)}
    fields["sha256"] = _digest(fields, payload)
    text = json.dumps(fields, separators=(",", ":")).encode()
    with writing.new_path(
        path, overwrite, ours=lambda found: is_container(found, kind), kind=kind.name
    ) as file:
        with open(file, "wb") as stream:
            stream.write(kind.magic + len(text).to_bytes(4, "little") + text)
            stream.write(payload)


def read(path: str | os.PathLike[str], kind: Format) -> tuple[JsonObject, bytes]:
    """Reads the header and the payload of a file, both checked.

    Raises:
        FileNotFoundError: The file is missing.
        DamagedFileError: A file that is truncated, changed or of another kind.
    """
    path = writing.expand(path)
    data = reading.read_bytes(path, kind.expected, kind.remedy, _MAX_FILE_BYTES)
    if not data.startswith(kind.magic):
        raise kind.damaged(path, f"it does not begin with {kind.magic.decode()}")
    start = len(kind.magic) + 4
    length = int.from_bytes(data[len(kind.magic) : start], "little")
    if length > min(len(data) - start, _MAX_HEADER_BYTES):
        raise kind.damaged(path, f"a header of {length} bytes in a file of {len(data)}")
    with reading.reading(path, kind.expected, kind.remedy):
        header = json.loads(data[start : start + length].decode())
        fields = header if isinstance(header, dict) else {}
        wanted = {**kind.fields, "payload_bytes": int, "sha256": str}
        wrong = [name for name, type_ in wanted.items() if type(fields.get(name)) is not type_]
        if wrong:
            raise kind.damaged(path, f"fields that are missing or wrong: {', '.join(wrong)}")
        payload = data[start + length :]
        if len(payload) != header["payload_bytes"]:
            reason = f"{len(payload)} bytes of codes instead of {header['payload_bytes']}"
            raise kind.damaged(path, reason)
        if _digest(header, payload) != header["sha256"]:
            raise kind.damaged(path, "its checksum is another")
    return header, payload


def is_container(path: pathlib.Path, kind: Format) -> bool:
    """Returns whether a path is a file of a kind, whole or damaged."""
    if not path.is_file():
        return False
    with open(path, "rb") as file:
        return file.read(len(kind.magic)) == kind.magic


def _digest(header: Mapping[str, object], payload: bytes) -> str:
    rest = {name: value for name, value in header.items() if name != "sha256"}
    digest = hashlib.sha256(json.dumps(rest, sort_keys=True).encode())
    digest.update(payload)
    return digest.hexdigest()
