from __future__ import annotations

import os

import numpy as np
import pytest

from tf_discrete.datasets import image_cache

IMAGES = np.random.RandomState(0).randint(0, 256, (7, 3, 4, 2)).astype(np.uint8)
LABELS = np.arange(7)


class Decoder:
    def __init__(self, images: np.ndarray = IMAGES, fail_after: int | None = None):
        self.images, self.fail_after, self.calls = images, fail_after, 0

    def __call__(self):
        self.calls += 1
        for i, start in enumerate(range(0, len(self.images), 3)):
            if i == self.fail_after:
                raise KeyboardInterrupt
            yield self.images[start : start + 3], LABELS[start : start + 3]


def fill(decode: Decoder, folder, count: int = 7, key: str = "made"):
    return image_cache.fill(count, (3, 4, 2), decode, cache_dir=str(folder), key=key)


def test_small_data_stay_in_memory(tmp_path):
    images, labels = fill(Decoder(), tmp_path)
    np.testing.assert_array_equal(images, IMAGES)
    np.testing.assert_array_equal(labels, LABELS)
    assert labels.dtype == np.int32
    assert os.listdir(tmp_path) == []


def test_large_data_are_decoded_once_into_a_mapped_file(tmp_path, monkeypatch):
    monkeypatch.setattr(image_cache, "MEMORY_BYTES", 10)
    decode = Decoder()
    for _ in range(2):
        images, labels = fill(decode, tmp_path / "new")
        assert isinstance(images, np.memmap)
        np.testing.assert_array_equal(images, IMAGES)
        np.testing.assert_array_equal(labels, LABELS)
    assert decode.calls == 1
    fill(decode, tmp_path / "new", key="other")
    assert decode.calls == 2


def test_an_interrupted_decode_leaves_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.setattr(image_cache, "MEMORY_BYTES", 10)
    with pytest.raises(KeyboardInterrupt):
        fill(Decoder(fail_after=1), tmp_path)
    assert os.listdir(tmp_path) == []
    np.testing.assert_array_equal(fill(Decoder(), tmp_path)[0], IMAGES)


def test_the_faster_of_two_processes_wins(tmp_path, monkeypatch):
    monkeypatch.setattr(image_cache, "MEMORY_BYTES", 10)
    inner = Decoder()

    def decode():
        fill(inner, tmp_path)  # another process finishes while this one decodes
        yield from Decoder()()

    images, _ = fill(decode, tmp_path)
    np.testing.assert_array_equal(images, IMAGES)
    assert inner.calls == 1 and len(os.listdir(tmp_path)) == 1


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o755), (0o002, 0o775), (0o077, 0o700)])
def test_the_umask_says_who_may_read_the_folder(tmp_path, monkeypatch, umask, mode):
    monkeypatch.setattr(image_cache, "MEMORY_BYTES", 10)
    before = os.umask(umask)
    try:
        fill(Decoder(), tmp_path / "new")
    finally:
        os.umask(before)
    (folder,) = (tmp_path / "new").iterdir()
    assert folder.stat().st_mode & 0o777 == mode
    assert {file.stat().st_mode & 0o777 for file in folder.iterdir()} == {0o666 & ~umask}


def test_what_killed_processes_left_of_other_images_is_removed(tmp_path, monkeypatch):
    monkeypatch.setattr(image_cache, "MEMORY_BYTES", 10)
    (tmp_path / f".{'0' * 24}.tmp-01234567").mkdir()
    (tmp_path / ".mine.tmp-01234567").mkdir()
    fill(Decoder(), tmp_path)
    assert len(os.listdir(tmp_path)) == 2 and (tmp_path / ".mine.tmp-01234567").is_dir()


def damaged(folder, name: str, kind: str) -> None:
    file = folder / name
    if kind == "missing":
        file.unlink()
    elif kind == "fifo":
        file.unlink()
        os.mkfifo(file)
    elif kind == "truncated":
        file.write_bytes(file.read_bytes()[:-5])
    elif kind == "huge":
        header = {"descr": "|u1", "fortran_order": False, "shape": (2**45, 3, 4, 2)}
        with open(file, "wb") as stream:
            np.lib.format.write_array_header_1_0(stream, header)
    else:
        file.write_bytes(b"no array")


@pytest.mark.parametrize("name", ["images.npy", "labels.npy"])
@pytest.mark.parametrize("kind", ["missing", "fifo", "truncated", "huge", "text"])
def test_a_damaged_cache_is_named_with_what_to_do(tmp_path, monkeypatch, name, kind):
    monkeypatch.setattr(image_cache, "MEMORY_BYTES", 10)
    fill(Decoder(), tmp_path)
    (folder,) = tmp_path.iterdir()
    damaged(folder, name, kind)
    message = rf"must be cached images, an array of .*Remove the folder '{folder}'.*{name}'"
    with pytest.raises(ValueError, match=message):
        fill(Decoder(), tmp_path)


def test_a_full_disk_is_reported_with_the_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(image_cache, "MEMORY_BYTES", 10)
    usage = type("Usage", (), {"free": 5})
    monkeypatch.setattr(image_cache.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(
        OSError, match="168 bytes are needed and 5 are free.*Give a data_dir.*168 bytes"
    ):
        fill(Decoder(), tmp_path)
    assert os.listdir(tmp_path) == []


def test_a_folder_that_cannot_be_made_is_reported(tmp_path, monkeypatch):
    monkeypatch.setattr(image_cache, "MEMORY_BYTES", 10)
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="could not be written.*Give a data_dir with free space"):
        fill(Decoder(), tmp_path / "file")


@pytest.mark.parametrize("count", [5, 9])
def test_a_source_with_fewer_or_more_images_than_announced_is_refused(tmp_path, count):
    message = f"as many images as it announces.* Received: 7 of {count} images"
    with pytest.raises(ValueError, match=message):
        fill(Decoder(), tmp_path, count=count)
