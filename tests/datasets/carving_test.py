from __future__ import annotations

import numpy as np
import pytest

from tf_discrete.datasets import carving
from tf_discrete.datasets.source import SPLITS, Request


def all_bounds(
    count: int, explicit: tuple[str, ...], fraction: float = 0.1
) -> dict[str, tuple[int, int]]:
    return {
        split: carving.bounds(count, Request("made", split, validation_fraction=fraction), explicit)
        for split in SPLITS
        if split == "train" or split not in explicit
    }


@pytest.mark.parametrize("explicit", [(), ("test",), ("validation",), ("validation", "test")])
@pytest.mark.parametrize("count", [3, 10, 11, 1000])
@pytest.mark.parametrize("fraction", [0.01, 0.1, 0.5])
def test_the_splits_cover_all_examples_and_are_disjoint(count, explicit, fraction):
    ranges = all_bounds(count, explicit, fraction)
    covered = np.concatenate([np.arange(*ranges[s]) for s in SPLITS if s in ranges])
    np.testing.assert_array_equal(covered, np.arange(count))
    assert all(stop > start for start, stop in ranges.values())


def test_sizes():
    assert all_bounds(60000, ("train", "test")) == {
        "train": (0, 54000),
        "validation": (54000, 60000),
    }
    assert all_bounds(100, ()) == {"train": (0, 81), "validation": (81, 90), "test": (90, 100)}


def test_max_examples_takes_the_first_of_the_split():
    request = Request("made", "validation", max_examples=4)
    assert carving.bounds(100, request, ()) == (81, 85)


@pytest.mark.parametrize(
    ("count", "explicit", "fraction"),
    [(1, ("test", "validation"), 0.1), (1, (), 0.1), (2, (), 0.1), (9, (), 0.99)],
)
def test_too_few_images_are_refused(count, explicit, fraction):
    request = Request("mine", "train", validation_fraction=fraction)
    with pytest.raises(
        ValueError, match=rf"must hold enough images.* Received: name='mine' with {count} image"
    ):
        carving.bounds(count, request, explicit)


def test_the_order_is_a_fixed_permutation():
    order = carving.stratified_order(50)
    np.testing.assert_array_equal(np.sort(order), np.arange(50))
    np.testing.assert_array_equal(order, carving.stratified_order(50))
    assert not np.array_equal(order, np.arange(50))


def test_every_run_of_the_order_has_the_shares_of_the_classes():
    labels = np.repeat([0, 1, -1], [60, 30, 10])
    order = carving.stratified_order(100, labels)
    np.testing.assert_array_equal(np.sort(order), np.arange(100))
    for start in range(0, 100, 20):
        found = [(labels[order[start : start + 20]] == c).sum() for c in (0, 1, -1)]
        assert np.abs(np.array(found) - [12, 6, 2]).max() <= 1


def test_examples_of_a_class_are_shuffled():
    order = carving.stratified_order(100, np.repeat([0, 1], 50))
    members = order[order < 50]
    assert not np.array_equal(members, np.arange(50))
