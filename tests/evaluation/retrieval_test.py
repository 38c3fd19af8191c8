"""Retrieval metrics against counting by hand, scikit-learn, and all orders of tied items."""

import itertools

import numpy as np
import pytest
import scipy.stats
from sklearn import metrics

from tf_discrete import evaluation
from tf_discrete.evaluation import retrieval

RANDOM = np.random.default_rng(3)
# Ranks 1..5: relevant at 1, 3 and 4; R = 3.
DISTANCES = np.array([[4, 0, 9, 2, 3]])
RELEVANT = np.array([[True, True, False, False, True]])


def by_hand(ranked, k):
    """precision@k, recall@k and AP@k of a list of 0 and 1."""
    total, found = sum(ranked), sum(ranked[:k])
    precision = [sum(ranked[: i + 1]) / (i + 1) for i in range(k)]
    ap = sum(p for p, hit in zip(precision, ranked, strict=False) if hit) / min(k, total)
    return found / k, found / total, ap


def test_a_ranking_counted_by_hand():
    assert evaluation.precision_at_k(DISTANCES, RELEVANT, 3).tolist() == [2 / 3]
    assert evaluation.recall_at_k(DISTANCES, RELEVANT, 3).tolist() == [2 / 3]
    np.testing.assert_allclose(
        evaluation.average_precision(DISTANCES, RELEVANT), [(1 + 2 / 3 + 3 / 4) / 3]
    )
    np.testing.assert_allclose(evaluation.average_precision(DISTANCES, RELEVANT, k=2), [1 / 2])
    np.testing.assert_allclose(
        evaluation.average_precision(DISTANCES, RELEVANT, k=4), [(1 + 2 / 3 + 3 / 4) / 3]
    )


def test_without_ties_average_precision_is_that_of_scikit_learn():
    distances = RANDOM.permuted(np.tile(np.arange(50.0), [20, 1]), axis=1)
    relevant = RANDOM.uniform(size=[20, 50]) < 0.3
    expected = [
        metrics.average_precision_score(r, -d) for r, d in zip(relevant, distances, strict=True)
    ]
    for ties in ("index", "expected"):
        found = evaluation.average_precision(distances, relevant, ties=ties)
        np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize("k", [1, 2, 4, 6])
def test_expected_ties_are_the_mean_over_all_orders(k):
    for _ in range(5):
        distances = RANDOM.integers(0, 3, [1, 6])
        relevant = np.array([[True, True, False, False, True, False]])
        relevant = RANDOM.permuted(relevant, axis=1)
        values = []
        for order in itertools.permutations(range(6)):
            ranked = sorted(order, key=lambda i: distances[0, i])  # Stable: ties in this order.
            values.append(by_hand([int(relevant[0, i]) for i in ranked], k))
        expected = np.mean(values, axis=0)
        arguments = (distances, relevant, k, "expected")
        np.testing.assert_allclose(evaluation.precision_at_k(*arguments)[0], expected[0])
        np.testing.assert_allclose(evaluation.recall_at_k(*arguments)[0], expected[1])
        np.testing.assert_allclose(evaluation.average_precision(*arguments)[0], expected[2])


def test_ties_by_index_follow_the_database():
    distances = np.zeros([1, 4], int)
    relevant = np.array([[True, True, False, False]])
    assert evaluation.average_precision(distances, relevant).tolist() == [1.0]
    assert evaluation.precision_at_k(distances, relevant[:, ::-1], 2).tolist() == [0.0]
    assert evaluation.precision_at_k(distances, relevant[:, ::-1], 2, "expected").tolist() == [0.5]


@pytest.mark.parametrize("ties", ["index", "expected"])
@pytest.mark.parametrize("num_categories", [2, 4])
def test_scores_of_codes_are_those_of_their_distances(num_categories, ties):
    queries = RANDOM.integers(0, num_categories, [130, 6])
    codes = RANDOM.integers(0, num_categories, [80, 6])
    query_labels, labels = RANDOM.integers(0, 4, 130), RANDOM.integers(0, 3, 80)
    labels[:5] = -1
    query_labels[:5] = -1
    scores = evaluation.evaluate_retrieval(
        queries, query_labels, codes, labels, 7, num_categories, ties
    )
    distances = (queries[:, np.newaxis] != codes).sum(-1)
    relevant = (query_labels[:, np.newaxis] == labels) & (labels >= 0)
    has = relevant.any(1)
    assert scores.num_queries == 130 and scores.num_without_relevant == (~has).sum() > 5
    arguments = (distances, relevant, 7, ties)
    np.testing.assert_allclose(
        scores[1:5],
        [
            evaluation.precision_at_k(*arguments).mean(),
            evaluation.recall_at_k(*arguments)[has].mean(),
            evaluation.average_precision(distances, relevant, None, ties)[has].mean(),
            evaluation.average_precision(*arguments)[has].mean(),
        ],
    )
    found = (
        evaluation.precision_at_k(*arguments),
        evaluation.average_precision(distances, relevant, None, ties)[has],
    )
    np.testing.assert_allclose(scores[7:], [scipy.stats.sem(values) for values in found])


@pytest.mark.parametrize("k", [1, 100, 3000])
def test_counts_of_tied_items_give_what_all_their_ranks_give(k):
    random = np.random.default_rng(k)
    queries, codes = random.integers(0, 2, [40, 12]), random.integers(0, 2, [3000, 12])
    distances = (queries[:, np.newaxis] != codes).sum(-1)
    relevant = random.uniform(size=distances.shape) < random.uniform(0.02, 0.5, size=[40, 1])
    relevant[:3] = False
    found = retrieval._score_by_counts(distances, relevant, k)
    arguments = (distances, relevant, k, "expected")
    expected = [
        evaluation.precision_at_k(*arguments),
        evaluation.recall_at_k(*arguments),
        evaluation.average_precision(distances, relevant, None, "expected"),
        evaluation.average_precision(*arguments),
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-11)
    assert np.isnan(found[1:, :3]).all() and np.isfinite(found[:, 3:]).all()


@pytest.mark.parametrize("ties", ["index", "expected"])
def test_bad_searches_are_refused(ties):
    with pytest.raises(ValueError, match="codes searched, 1. Received: k=2"):
        evaluation.evaluate_retrieval([[0]], [1], [[0]], [2], 2, ties=ties)
    with pytest.raises(ValueError, match="ties must be one of index, expected.*'mean'"):
        evaluation.evaluate_retrieval([[0]], [1], [[0]], [2], 1, ties="mean")


def test_nothing_to_find_is_no_number():
    none = np.zeros([1, 3], bool)
    assert np.isnan(evaluation.recall_at_k([[1, 2, 3]], none, 1)).all()
    assert np.isnan(evaluation.average_precision([[1, 2, 3]], none)).all()
    assert evaluation.precision_at_k([[1, 2, 3]], none, 1).tolist() == [0.0]
    scores = evaluation.evaluate_retrieval([[0]], [1], [[0]], [2], 1)
    assert np.isnan(scores.mean_average_precision) and scores.num_without_relevant == 1


@pytest.mark.parametrize(
    ("distances", "relevant", "options", "message"),
    [
        ([[1, 2]], [[True]], {}, r"booleans \[Q, M\].*relevant.shape=\(1, 1\)"),
        ([[1, 2]], [[1, 0]], {}, r"relevant.dtype=int64"),
        (np.zeros([0, 2]), np.zeros([0, 2], bool), {}, "at least one query"),
        ([[1, 2]], [[True, False]], {"k": 3}, "codes searched, 2. Received: k=3"),
        ([[1, 2]], [[True, False]], {"k": 0}, "Received: k=0"),
        ([[1, np.nan]], [[True, False]], {}, "must be finite.*Received: 1 that"),
        ([[1, 2]], [[True, False]], {"ties": "mean"}, "one of index, expected.*'mean'"),
    ],
)
def test_bad_rankings_are_refused(distances, relevant, options, message):
    with pytest.raises(ValueError, match=message):
        evaluation.precision_at_k(distances, relevant, **{"k": 1, **options})


def test_each_code_has_a_label():
    with pytest.raises(ValueError, match=r"one label for each.*labels.shape=\(2,\) for 1 codes"):
        evaluation.evaluate_retrieval([[0]], [1], [[0]], [2, 3], 1)


@pytest.mark.parametrize(
    "labels,message",
    [
        (["a", "b"], r"np\.unique\(names.*Received: labels\.dtype=str"),
        ([0.5, 1.0], r"Received: labels\.dtype=float64"),
        ([True, False], r"Received: labels\.dtype=bool"),
    ],
)
def test_labels_that_are_no_integers_are_refused(labels, message):
    with pytest.raises(ValueError, match=f"Labels must be integers.*{message}"):
        evaluation.evaluate_retrieval([[0]], [0], [[0], [1]], labels, k=1)
    with pytest.raises(ValueError, match="Labels must be integers.*Received: query_labels"):
        evaluation.evaluate_retrieval([[0], [1]], labels, [[0], [1]], [0, 1], k=1)


def test_one_hot_labels_are_refused():
    with pytest.raises(ValueError, match=r"argmax of one-hot.*labels.shape=\(2, 2\) for 2 codes"):
        evaluation.evaluate_retrieval([[0]], [0], [[0], [1]], np.eye(2, dtype=int), k=1)
