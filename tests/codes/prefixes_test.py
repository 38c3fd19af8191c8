import numpy as np
import pytest

from tf_discrete import codes


def test_prefixes_by_their_definition():
    digits = np.random.RandomState(0).randint(3, size=[40, 4])
    found = codes.common_prefix(digits[:, np.newaxis], digits)
    for i, first in enumerate(digits):
        for j, second in enumerate(digits):
            same = [depth for depth in range(5) if (first[:depth] == second[:depth]).all()]
            assert found[i, j] == max(same)


@pytest.mark.parametrize(
    "first, second", [([[1, 2]], [[1]]), ([0.5], [1]), (3, 3), ([[1], [1, 2]], [1])]
)
def test_bad_input_is_refused(first, second):
    with pytest.raises(ValueError, match="Received"):
        codes.common_prefix(first, second)


def test_the_nearest_by_prefix_are_those_of_a_full_sort():
    random = np.random.RandomState(1)
    database, queries = random.randint(3, size=[200, 4]), random.randint(3, size=[7, 4])
    found = codes.prefix_top_k(queries, database, k=200)
    for query, indices, distances in zip(queries, found.indices, found.distances, strict=True):
        expected = 4 - codes.common_prefix(query, database)
        np.testing.assert_array_equal(distances, expected[indices])
        assert sorted(zip(distances, indices, strict=True)) == [
            *zip(distances, indices, strict=True)
        ]
        assert sorted(indices) == list(range(200))
    some = codes.prefix_top_k(queries, database, k=3)
    for all_of_them, first in zip(found, some, strict=True):
        np.testing.assert_array_equal(all_of_them[:, :3], first)


def test_neighbours_by_prefix_are_not_those_by_differing_digits():
    """Two codes that part at the root have no digit in common as paths, whatever follows."""
    query, database = [[0, 1, 2]], [[1, 1, 2], [0, 0, 0]]
    assert codes.prefix_top_k(query, database, 1).indices.tolist() == [[1]]
    assert codes.CodeIndex(database, 3).search(query, 1).indices.tolist() == [[0]]


@pytest.mark.parametrize(
    "queries, database, k, message",
    [
        ([1, 2], [[1, 2]], 1, r"queries=int64 of shape \(2,\), database=int64 of shape \(1, 2\)"),
        ([[1, 2]], [[1, 2, 3]], 1, r"queries=int64 of shape \(1, 2\), database=.* \(1, 3\)"),
        ([[0.5]], [[1]], 1, "queries=float64 of"),
        ([[1]], [[0.5]], 1, "queries=int64 .*, database=float64 of"),
        ([[1]], [[1]], 2, "k=2"),
        ([[1]], [[1]], 0, "k=0"),
        (np.zeros([0, 2], int), [[1, 2]], 1, "quer"),
    ],
)
def test_a_search_that_is_none_is_refused(queries, database, k, message):
    with pytest.raises(ValueError, match=f"Received: {message}"):
        codes.prefix_top_k(queries, database, k)
