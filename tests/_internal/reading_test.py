"""Files that are missing, damaged, huge or no files at all give one clear error."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest

from tf_discrete._internal import reading

EXPECTED, REMEDY = "a JSON object", "Write it again."


def _read(path, **changes):
    return reading.read_json(path, EXPECTED, REMEDY, **changes)


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[1]", b"\xff\xfe", b"[" * 100_000, b"null", b'{"a": ' + b"9" * 10_000 + b"}"],
    ids=["empty", "torn", "list", "no text", "deep", "null", "long number"],
)
def test_what_is_no_json_object_is_refused(tmp_path, content):
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(
        reading.DamagedFileError, match=r"must be a JSON object\. Write it again\. Received: path="
    ):
        _read(path)


def test_a_whole_file_is_read(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps({"a": [1]}))
    assert _read(tmp_path / "a.json") == {"a": [1]}


def test_a_missing_file_is_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="must exist: a JSON object"):
        _read(tmp_path / "a.json")


def test_pipes_folders_and_devices_are_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path, "/dev/zero"):
        with pytest.raises(reading.DamagedFileError, match="not a regular file"):
            _read(path)


def test_a_limit_is_kept(tmp_path):
    (tmp_path / "a.json").write_text("{}" + " " * 100)
    with pytest.raises(reading.DamagedFileError, match="102 bytes, at most 50"):
        _read(tmp_path / "a.json", largest=50)


def _header(shape, dtype="<f4"):
    text = (
        repr({"descr": dtype, "fortran_order": False, "shape": shape}).encode().ljust(117) + b"\n"
    )
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


@pytest.mark.parametrize("mmap", [False, True])
def test_headers_of_arrays_are_held_against_the_size(tmp_path, mmap):
    path = tmp_path / "a.npy"
    np.save(path, np.arange(5.0))
    np.testing.assert_array_equal(reading.read_array(path, "codes", REMEDY, mmap), np.arange(5.0))
    whole = path.read_bytes()
    for content in (
        whole[:-1],
        whole + b"x",
        whole[:50],
        _header((2**45,)),
        _header((2**45, 2**45)),
        _header((-1,)),
        _header((1,), "|O") + bytes(8),
    ):
        path.write_bytes(content)
        with pytest.raises(reading.DamagedFileError, match="must be codes"):
            reading.read_array(path, "codes", REMEDY, mmap)


def test_a_damage_that_the_reader_names_itself_stays(tmp_path):
    with pytest.raises(reading.DamagedFileError, match=r"\(too short\)$"):
        with reading.reading("a", EXPECTED, REMEDY):
            raise reading.damaged("a", EXPECTED, REMEDY, "too short")


def test_lack_of_memory_is_named():
    with pytest.raises(reading.DamagedFileError, match="MemoryError"):
        with reading.reading("a", EXPECTED, REMEDY):
            raise MemoryError


def test_a_panic_that_is_no_exception_is_named():
    class Panic(BaseException):
        pass

    with pytest.raises(reading.DamagedFileError, match="Panic: in Rust"):
        with reading.reading("a", EXPECTED, REMEDY):
            raise Panic("in Rust")
    with pytest.raises(KeyboardInterrupt), reading.reading("a", EXPECTED, REMEDY):
        raise KeyboardInterrupt
