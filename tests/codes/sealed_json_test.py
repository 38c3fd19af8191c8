"""Sealed objects of JSON are read as they were written, and refused otherwise."""

import json

import pytest

from tf_discrete.codes import sealed_json

KINDS = {"count": int, "model": (str, type(None))}
FIELDS = {"count": 3, "model": None}


def test_what_was_sealed_is_read_through_a_file():
    stored = json.loads(json.dumps(sealed_json.sealed(FIELDS, 2), indent=2))
    sealed_json.check(stored, KINDS, 2)
    assert {name: stored[name] for name in FIELDS} == FIELDS
    # Files of earlier releases have this checksum.
    assert stored["sha256"].startswith("71f24e0a9e99cf82")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"count": 4}, "its checksum is another"),
        ({"sha256": "0" * 64}, "its checksum is another"),
        ({"more": 1}, "its checksum is another"),
        ({"count": True}, "missing or wrong: count"),
        ({"model": 1, "count": "3"}, "missing or wrong: count, model"),
        ({"sha256": None}, "missing or wrong: sha256"),
        ({"format_version": 1}, "format_version=1, this version reads 2"),
        ({"format_version": True}, "format_version=True, this version reads 2"),
    ],
)
def test_what_was_changed_is_refused(changes, message):
    stored = {**sealed_json.sealed(FIELDS, 2), **changes}
    with pytest.raises(ValueError, match=message):
        sealed_json.check(stored, KINDS, 2)
