"""Damaged files of every kind are refused with one clear error, or read correctly."""

from __future__ import annotations

import pytest

from tests.fuzz import damaged, files, mutations

_CASES = {"models": 8, "images": 90, "indexes": 60, "codes": 20, "npz": 45, "caches": 30}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", files.KINDS)
def test_damaged_files_are_refused_or_read_right(tmp_path, name):
    made = files.KINDS[name][0](tmp_path)
    if not made:
        pytest.skip("an extra is not installed")
    tally = mutations.Tally(name)
    damaged.attack(made, range(mutations.cases(_CASES.get(name, 60))), tally)
    tally.check()


def test_the_fuzzer_sees_each_kind_of_fault(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(b"whole")

    def read():
        data = path.read_bytes()
        if not data:
            raise KeyError("empty")
        if data != b"whole" and len(data) < 5:
            raise ValueError(f"The file must be whole. Write it again. Received: path={path}")
        return data

    tally = mutations.Tally("a")
    damaged.attack([damaged.File(path, read, lambda found: found == b"whole")], range(300), tally)
    assert set(tally.counts) == {"clear", "unclear", "silent", "harmless"}
    assert path.read_bytes() == b"whole"
