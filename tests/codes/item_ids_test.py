"""Semantic IDs: equal codes told apart, and back."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tf_discrete import codes
from tf_discrete.codes.item_ids import SemanticIds, number_equal
from tf_discrete.layers.quantizers import FiniteScalarQuantizer

X = np.asarray(tf.random.stateless_normal([300, 2], [0, 1]))


def test_equal_codes_are_numbered_in_their_order():
    random = np.random.default_rng(0)
    array = random.integers(0, 3, [200, 2])
    seen: dict[tuple[int, ...], int] = {}
    for row, digit in zip(array.tolist(), number_equal(array), strict=True):
        assert digit == seen.get(tuple(row), 0)
        seen[tuple(row)] = digit + 1


def test_ids_are_distinct_and_lead_back_to_their_items():
    found = codes.semantic_ids(FiniteScalarQuantizer((4, 4)), X, batch_size=77)
    report = found.collisions()
    assert report.num_items == 300 and report.num_distinct <= 16
    assert len(np.unique(found.ids, axis=0)) == 300
    assert found.num_digits == len(report.largest[0])
    order = np.random.default_rng(0).permutation(300)
    np.testing.assert_array_equal(found.rows(found.ids[order]), order)
    assert found.rows([[0, 299], [-1, 0], [2**40, 0], [256, 0]]).tolist() == [-1] * 4


def test_bytes_that_end_in_zeros_are_told_apart():
    found = SemanticIds(
        np.array([[1, 0], [1, 256], [0, 1], [0, 0]], np.int32), np.zeros(4, np.int32), 257
    )
    assert found.rows(found.ids).tolist() == [0, 1, 2, 3]
    assert found.rows([[256, 0, 0]]).tolist() == [-1]


@pytest.mark.parametrize(
    "wrong, rule",
    [
        (X[0], "must be numbers .M, D.*embeddings.shape=.2,"),
        (X[:0], "must be numbers .M, D.*embeddings.shape=.0, 2"),
        ([["a", "b"]], "must be numbers .M, D"),
        (np.where(np.arange(300)[:, None] == 7, np.nan, X), "must be finite.*1 rows.*row 7"),
    ],
)
def test_bad_embeddings_are_refused(wrong, rule):
    with pytest.raises(ValueError, match=rule):
        codes.semantic_ids(FiniteScalarQuantizer((4, 4)), wrong)


def test_bad_ids_are_refused():
    found = SemanticIds(np.zeros([2, 3], np.int32), np.arange(2, dtype=np.int32), 2)
    for wrong in ([[0, 0, 0]], [[0.0] * 4], [0] * 4):
        with pytest.raises(ValueError, match=r"integers \[Q, 4\].*Received: ids.dtype="):
            found.rows(wrong)
