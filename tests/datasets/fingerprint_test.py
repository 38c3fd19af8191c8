"""A fingerprint changes with the data, and with nothing else."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tf_discrete.datasets import Split, fingerprint

IMAGES = np.random.RandomState(0).randint(0, 256, (40, 4, 5, 1)).astype(np.uint8)
LABELS = np.arange(40, dtype=np.int32) % 3
SPLIT = Split("made", "train", IMAGES, LABELS, 3)


def test_it_does_not_depend_on_name_binarization_seed_or_memory_layout(tmp_path):
    np.save(tmp_path / "images.npy", IMAGES)
    mapped = np.load(tmp_path / "images.npy", mmap_mode="r")
    others = (
        dataclasses.replace(SPLIT, name="other", split="test", binarization="static", seed=7),
        dataclasses.replace(SPLIT, images=mapped),
        dataclasses.replace(SPLIT, images=np.asfortranarray(IMAGES)),
        dataclasses.replace(SPLIT, labels=LABELS.astype(">i4")),
    )
    assert {other.fingerprint for other in others} == {SPLIT.fingerprint}
    assert len(SPLIT.fingerprint) == 64


def changed(index: tuple[int, ...]) -> np.ndarray:
    images = IMAGES.copy()
    images[index] ^= 1
    return images


@pytest.mark.parametrize(
    "change",
    [
        {"images": changed((0, 0, 0, 0))},
        {"images": changed((39, 3, 4, 0))},
        {"images": IMAGES[::-1]},
        {"images": IMAGES[:-1], "labels": LABELS[:-1]},
        {"images": IMAGES.reshape(40, 5, 4, 1)},
        {"images": IMAGES.astype(np.float32)},
        {"labels": np.roll(LABELS, 1)},
        {"labels": None},
    ],
)
def test_it_changes_with_the_data(change):
    assert dataclasses.replace(SPLIT, **change).fingerprint != SPLIT.fingerprint


def test_large_images_are_sampled_with_the_first_and_the_last_chunk(monkeypatch):
    monkeypatch.setattr(fingerprint, "FULL_BYTES", 100)
    monkeypatch.setattr(fingerprint, "_CHUNK_BYTES", 40)
    monkeypatch.setattr(fingerprint, "_SAMPLED_CHUNKS", 5)
    whole = fingerprint.of(IMAGES, LABELS)
    assert fingerprint.of(changed((0, 0, 0, 0)), LABELS) != whole
    assert fingerprint.of(changed((39, 3, 4, 0)), LABELS) != whole
    seen = [fingerprint.of(changed((i, 0, 0, 0)), LABELS) != whole for i in range(40)]
    assert sum(seen) == 10  # 5 chunks of 2 images
