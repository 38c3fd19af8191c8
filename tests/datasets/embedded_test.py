from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits

import tf_discrete.datasets as datasets


@pytest.fixture(scope="module")
def digits() -> dict[str, datasets.Split]:
    return {split: datasets.get("digits", split) for split in ("train", "validation", "test")}


def test_sizes(digits):
    assert {split: len(data) for split, data in digits.items()} == {
        "train": 1294,
        "validation": 144,
        "test": 359,
    }
    for data in digits.values():
        assert data.image_shape == (8, 8, 1)
        assert data.num_classes == 10
        assert data.images.dtype == np.uint8 and data.labels.dtype == np.int32


def test_the_splits_together_are_the_data_set_of_scikit_learn(digits):
    raw = load_digits()
    expected = np.concatenate([raw.target[:, None], raw.data], 1)
    rows = [
        np.concatenate(
            [d.labels[:, None], np.round(d.images.reshape(len(d), -1) * (16.0 / 255.0))], 1
        )
        for d in digits.values()
    ]
    found = np.concatenate(rows)
    np.testing.assert_array_equal(found[np.lexsort(found.T)], expected[np.lexsort(expected.T)])


def test_sixteen_is_white(digits):
    batch = next(iter(digits["train"].batches(1294)))
    assert float(batch["image"].numpy().max()) == 1.0
    assert len(np.unique(batch["image"])) == 17


def test_every_split_has_the_shares_of_the_classes(digits):
    shares = np.bincount(load_digits().target) / 1797
    for data in digits.values():
        found = np.bincount(data.labels, minlength=10)
        assert np.abs(found - shares * len(data)).max() <= 1.5


def test_the_test_set_depends_on_no_argument(digits):
    other = datasets.get("digits", "test", seed=3, validation_fraction=0.4)
    np.testing.assert_array_equal(other.images, digits["test"].images)


def test_validation_fraction_and_max_examples_and_image_size():
    data = datasets.get("digits", "validation", validation_fraction=0.5)
    assert len(data) == 719
    few = datasets.get("digits", "train", max_examples=7, image_size=(16, 12))
    assert few.images.shape == (7, 16, 12, 1) and len(few.labels) == 7
