"""JSON objects with a version of their format, fields of fixed types, and a checksum of all of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from tf_discrete.types import JsonObject

Kinds = Mapping[str, "type | tuple[type, ...]"]
"""The types of the fields by name, without those that every sealed object has."""


def sealed(fields: Mapping[str, object], version: int) -> JsonObject:
    """Returns fields with the version of their format and their checksum.

    Example:
        >>> sorted(sealed({"count": 3}, version=2))
        ['count', 'format_version', 'sha256']
    """
    whole = {"format_version": version, **fields}
    return {**whole, "sha256": checksum(whole)}


def check(stored: JsonObject, kinds: Kinds, version: int) -> None:
    """Refuses what `sealed` has not made, or of other fields or another version.

    Raises:
        ValueError: Says what is wrong, in words that go on after "Received: ... ".

    Example:
        >>> check({**sealed({"count": 3}, version=2), "count": 4}, {"count": int}, version=2)
        Traceback (most recent call last):
        ...
        ValueError: its checksum is another
    """
    found = stored.get("format_version")
    if type(found) is not int or found != version:
        raise ValueError(f"format_version={found!r}, this version reads {version}")
    wrong = [
        name
        for name, kind in {**kinds, "sha256": str}.items()
        if not isinstance(stored.get(name, ...), kind) or isinstance(stored[name], bool)
    ]
    if wrong:
        raise ValueError(f"fields that are missing or wrong: {', '.join(wrong)}")
    if checksum(stored) != stored["sha256"]:
        raise ValueError("its checksum is another")


def checksum(fields: Mapping[str, object]) -> str:
    """Returns the SHA-256 of all fields but the checksum itself."""
    rest = {name: value for name, value in fields.items() if name != "sha256"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()
