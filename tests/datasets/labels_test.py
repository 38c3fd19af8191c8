"""Which labels are used, and batches of labelled and unlabelled images."""

from __future__ import annotations

import numpy as np
import pytest

from tf_discrete import datasets
from tf_discrete.datasets import labels

LABELS = np.array([0, 1, 2, -1] * 25)


def test_the_choice_is_balanced_seeded_and_nested():
    few, more = (labels.choose(LABELS, 3, n, seed=4) for n in (3, 7))
    np.testing.assert_array_equal(np.bincount(LABELS[few]), [3, 3, 3])
    np.testing.assert_array_equal(few, labels.choose(LABELS, 3, 3, seed=4))
    assert set(few) < set(more)
    assert set(few) != set(labels.choose(LABELS, 3, 3, seed=5))
    np.testing.assert_array_equal(labels.choose(LABELS, 3), np.flatnonzero(LABELS >= 0))


def test_each_example_is_as_likely_as_any_other():
    draws = 3000
    count = np.zeros(100)
    for seed in range(draws):
        count[labels.choose(LABELS, 3, 5, seed)] += 1
    share = count[LABELS >= 0] / draws
    assert not count[LABELS < 0].any()
    # 75 binomial shares of 1 / 5; 5 standard deviations.
    assert np.abs(share - 0.2).max() < 5 * np.sqrt(0.2 * 0.8 / draws)


BAD = {
    "none": (np.full(4, -1), 3, 0, "needs some labels.*Received: labels=-1 of all 4 images"),
    "missing": (np.array([0, 2]), 3, 0, "Each of the 3 classes needs 1 label.*class 1 with 0"),
    "too many": (LABELS, 3, 26, "needs 26 label.*class 0 with 25, class 1 with 25, class 2"),
    "range": (np.array([0, 3]), 3, 0, "in 0..2, or -1.*Received: labels=0..3"),
    "below": (np.array([0, -2]), 3, 0, "in 0..2, or -1.*Received: labels=-2..0"),
    "floats": (np.array([0.0, 1.0]), 2, 0, "must be integers.*Received: labels.dtype=float64"),
    "no labels": (None, None, 1, "Give the data labels.*Received: labels=None"),
    "one class": (np.zeros(3, int), 1, 0, "at least 2 classes.*Received: num_classes=1"),
    "negative": (LABELS, 3, -1, "at least 1, or 0 for all labels.*Received: per_class=-1"),
}


@pytest.mark.parametrize("case", BAD)
def test_refused(case):
    values, num_classes, per_class, message = BAD[case]
    with pytest.raises(ValueError, match=message):
        labels.choose(values, num_classes, per_class)


def test_a_divided_split_has_every_image_and_the_bits_of_the_whole():
    data = datasets.get("digits", "train", binarization="static", max_examples=80, seed=3)
    chosen = labels.choose(data.labels, 10, 2)
    labelled, unlabelled = labels.divide(data, chosen)
    assert len(unlabelled) == 80 and (unlabelled.labels == -1).all()
    whole = next(iter(data.batches(80)))["image"].numpy()
    part = next(iter(labelled.batches(20)))
    np.testing.assert_array_equal(part["image"], whole[chosen])
    np.testing.assert_array_equal(part["label"], data.labels[chosen])


def test_every_batch_has_so_many_rows_of_each_kind():
    data = datasets.get("digits", "train", max_examples=50)
    labelled, unlabelled = labels.divide(data, labels.choose(data.labels, 10, 1))
    found = list(labels.batches(labelled, unlabelled, 4, 20, seed=0).take(6))
    assert {len(batch["labelled_image"]) for batch in found} == {4}
    assert {len(batch["image"]) for batch in found} == {20}
    # Two batches are an epoch of 10 labels, without repetition.
    for i in (0, 2, 4):
        seen = np.concatenate([found[i]["labelled_label"], found[i + 1]["labelled_label"]])
        assert len(set(seen.tolist())) == 8
