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


@pytest.mark.parametrize("limit", [10, 2**31])
def test_black_and_white_are_rescaled(tmp_path, monkeypatch, limit):
    monkeypatch.setattr(image_cache, "MEMORY_BYTES", limit)
    images, _ = fill(Decoder(IMAGES % 2), tmp_path)
    np.testing.assert_array_equal(images, IMAGES % 2 * 255)


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
    with pytest.raises(OSError, match="could not be written.*Give a data_dir with room"):
        fill(Decoder(), tmp_path / "file")


def test_a_source_with_fewer_images_than_announced_is_refused(tmp_path):
    with pytest.raises(
        ValueError, match="as many images as it announces.* Received: 7 of 9 images"
    ):
        fill(Decoder(), tmp_path, count=9)
