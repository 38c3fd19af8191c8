"""Files of any origin: what they announce is checked before memory is taken."""

from __future__ import annotations

import io
import os
import pathlib
import tracemalloc
import zipfile

import numpy as np
import pytest

from tf_discrete.datasets import npz_reader
from tf_discrete.datasets.npz_reader import NpzReader

IMAGES = np.random.RandomState(0).randint(0, 256, (50, 6, 5)).astype(np.uint8)


def write(path: pathlib.Path, members: dict[str, bytes], **kwargs) -> str:
    with zipfile.ZipFile(path, "w", **kwargs) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return str(path)


def npy(shape: tuple[int, ...], data: bytes, descr: str = "|u1") -> bytes:
    stream = io.BytesIO()
    header = {"descr": descr, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(stream, header)
    return stream.getvalue() + data


def refused(path: str, message: str) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=message) as error, NpzReader(path) as file:
            file.read("image")
        assert tracemalloc.get_traced_memory()[1] < 2**22
    finally:
        tracemalloc.stop()
    assert path in str(error.value)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize(
    "array",
    [
        IMAGES,
        IMAGES.astype(">f4"),
        np.asfortranarray(IMAGES),
        IMAGES[:0],
        np.arange(3),
        np.array(5),
    ],
)
def test_arrays_come_back(tmp_path, save, array):
    save(tmp_path / "mine.npz", image=array, other=IMAGES)
    with NpzReader(str(tmp_path / "mine.npz")) as file:
        assert file.keys == ["image", "other"]
        found = file.read("image")
    np.testing.assert_array_equal(found, array)
    assert found.dtype == array.dtype


@pytest.mark.parametrize(
    "shape", [(2**45, 6, 5), (2**62, 2**62), (51, 6, 5), (49, 6, 5), (-50, 6, -5)]
)
def test_a_header_that_does_not_fit_its_data_takes_no_memory(tmp_path, shape):
    path = write(tmp_path / "mine.npz", {"image.npy": npy(shape, IMAGES.tobytes())})
    refused(path, "must be readable.*its header announces")


def test_a_member_that_announces_more_than_deflate_can_hold_takes_no_memory(tmp_path):
    path = tmp_path / "mine.npz"
    content = npy((2**30,), b"")
    write(path, {"image.npy": content}, compression=zipfile.ZIP_DEFLATED)
    raw = bytearray(path.read_bytes())
    size = (len(content) + 2**30).to_bytes(4, "little")
    raw[22:26] = size  # Of the local header,
    central = raw.index(b"PK\x01\x02")
    raw[central + 24 : central + 28] = size  # and of the directory.
    path.write_bytes(raw)
    refused(str(path), "cannot hold the 1073741952 that are announced")


def test_more_than_the_memory_is_refused_before_it_is_taken(tmp_path, monkeypatch):
    np.savez_compressed(tmp_path / "mine.npz", image=np.zeros([2**24], np.uint8))
    monkeypatch.setattr(npz_reader, "physical_memory", lambda: 2**23)
    refused(
        str(tmp_path / "mine.npz"), "must fit into memory.*16777216 bytes, and 8388608 of memory"
    )


CRAFTED = {
    "no array": {"image.npy": b"no array"},
    "a version that does not exist": {"image.npy": b"\x93NUMPY\x09\x00" + npy((1,), b"1")[8:]},
    "a header that is code": {"image.npy": b"\x93NUMPY\x01\x00\x10\x00" + b"__import__('os')"},
    "a header that is deep": {"image.npy": b"\x93NUMPY\x01\x00\x88\x13" + b"(" * 5000},
}


@pytest.mark.parametrize("case", CRAFTED)
def test_crafted_members_are_refused(tmp_path, case):
    path = write(tmp_path / "mine.npz", CRAFTED[case])
    refused(path, "The .npz file must be readable.*Write it again")


def test_other_compression_and_twice_the_same_name_are_refused(tmp_path):
    good = npy((1,), b"1")
    path = write(tmp_path / "a.npz", {"image.npy": good}, compression=zipfile.ZIP_BZIP2)
    refused(path, "another method than deflate")
    with zipfile.ZipFile(tmp_path / "b.npz", "w") as file, pytest.warns(UserWarning):
        file.writestr("image.npy", good)
        file.writestr("image.npy", good)
    refused(str(tmp_path / "b.npz"), "two of its arrays have one name")
    path = write(tmp_path / "c.npz", {"image.npy": good, "image": good})
    refused(path, "two of its arrays have one name")


def test_fifos_and_folders_are_refused(tmp_path):
    os.mkfifo(tmp_path / "fifo.npz")
    refused(str(tmp_path / "fifo.npz"), "it is no regular file")
    (tmp_path / "folder.npz").mkdir()
    refused(str(tmp_path / "folder.npz"), "it is no regular file")


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_every_changed_byte_of_the_data_is_noticed(tmp_path, save):
    path = tmp_path / "mine.npz"
    save(path, image=IMAGES)
    content = path.read_bytes()
    end = content.index(b"PK\x01\x02")
    for place in range(end - 200, end, 10):
        path.write_bytes(content[:place] + bytes([content[place] ^ 4]) + content[place + 1 :])
        with pytest.raises(ValueError, match="must be readable"), NpzReader(str(path)) as file:
            file.read("image")
