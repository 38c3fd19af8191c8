from __future__ import annotations

import numpy as np
import pytest

from tf_discrete.datasets import splitting
from tf_discrete.datasets.source import SPLITS, Request


def all_bounds(
    count: int, explicit: tuple[str, ...], fraction: float = 0.1
) -> dict[str, tuple[int, int]]:
    return {
        split: splitting.bounds(
            count, Request("made", split, validation_fraction=fraction), explicit
        )
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
    assert splitting.bounds(100, request, ()) == (81, 85)


@pytest.mark.parametrize(
    ("count", "explicit", "fraction"),
    [(1, ("test", "validation"), 0.1), (1, (), 0.1), (2, (), 0.1), (9, (), 0.99)],
)
def test_too_few_images_are_refused(count, explicit, fraction):
    request = Request("mine", "train", validation_fraction=fraction)
    with pytest.raises(
        ValueError, match=rf"must hold enough images.* Received: name='mine' with {count} image"
    ):
        splitting.bounds(count, request, explicit)


def test_the_order_is_a_fixed_permutation():
    order = splitting.stratified_order(50)
    np.testing.assert_array_equal(np.sort(order), np.arange(50))
    np.testing.assert_array_equal(order, splitting.stratified_order(50))
    assert not np.array_equal(order, np.arange(50))


def test_every_run_of_the_order_has_the_shares_of_the_classes():
    labels = np.repeat([0, 1, -1], [60, 30, 10])
    order = splitting.stratified_order(100, labels)
    np.testing.assert_array_equal(np.sort(order), np.arange(100))
    for start in range(0, 100, 20):
        found = [(labels[order[start : start + 20]] == c).sum() for c in (0, 1, -1)]
        assert np.abs(np.array(found) - [12, 6, 2]).max() <= 1


def test_examples_of_a_class_are_shuffled():
    order = splitting.stratified_order(100, np.repeat([0, 1], 50))
    members = order[order < 50]
    assert not np.array_equal(members, np.arange(50))


def test_the_order_is_that_of_a_shuffle_spread_by_class():
    random = np.random.RandomState(1)
    labels = random.randint(-1, 5, 200)
    shuffled = np.random.RandomState(splitting._ORDER_SEED).permutation(200)
    place = np.empty(200)
    for label in np.unique(labels):
        members = shuffled[labels[shuffled] == label]
        place[members] = (np.arange(len(members)) + 0.5) / len(members)
    expected = shuffled[np.argsort(place[shuffled], kind="stable")]
    np.testing.assert_array_equal(splitting.stratified_order(200, labels), expected)


def test_as_many_classes_as_examples_are_no_hang():
    labels = np.arange(300_000)[::-1]
    order = splitting.stratified_order(300_000, labels)  # One pass a class would take hours.
    assert np.bincount(order).max() == 1


@pytest.mark.parametrize("split", ["validation", "test"])
def test_a_part_of_an_explicit_split_has_all_classes(split):
    labels = np.repeat(np.arange(4), 25)
    explicit = ("train", "validation", "test")
    few = splitting.chosen(100, Request("made", split, max_examples=8), explicit, labels)
    assert np.bincount(labels[few]).tolist() == [2, 2, 2, 2]
    for most in (None, 100, 200):
        whole = splitting.chosen(100, Request("made", split, max_examples=most), explicit, labels)
        np.testing.assert_array_equal(whole, np.arange(100))


def test_what_is_carved_is_chosen_in_the_spread_order():
    order = splitting.stratified_order(100)
    request = Request("made", "validation", max_examples=4)
    np.testing.assert_array_equal(splitting.chosen(100, request, ["train"]), order[81:85])
