"""Shared and nearly shared codes against comparison of every pair."""

import itertools

import numpy as np
import pytest

from tf_discrete import codes

RANDOM = np.random.default_rng(2)


@pytest.mark.parametrize("num_categories", [2, 5])
def test_collisions_are_those_of_every_pair(num_categories):
    drawn = RANDOM.integers(0, num_categories, [60, 3])
    report = codes.collisions(drawn, num_categories, max_groups=3)
    pairs = [
        (i, j) for i, j in itertools.combinations(range(60), 2) if (drawn[i] == drawn[j]).all()
    ]
    assert report.num_items == 60
    assert report.num_pairs == len(pairs) > 0
    assert report.num_colliding == len({index for pair in pairs for index in pair})
    assert report.num_distinct == len({tuple(code) for code in drawn.tolist()})
    sizes = [len(group) for group in report.largest]
    assert len(sizes) == 3 and sizes == sorted(sizes, reverse=True)
    for group in report.largest:
        assert (drawn[group] == drawn[group[0]]).all()
        assert len(group) == (drawn == drawn[group[0]]).all(1).sum()


def test_groups_of_one_size_come_by_their_first_item():
    report = codes.collisions([[1], [0], [0], [1]])
    assert [group.tolist() for group in report.largest] == [[0, 3], [1, 2]]


@pytest.mark.parametrize("radius", [0, 1, 3])
@pytest.mark.parametrize(("num_categories", "count"), [(2, 300), (4, 40)])
def test_near_duplicates_are_those_of_every_pair(num_categories, count, radius):
    drawn = RANDOM.integers(0, num_categories, [count, 9])
    report = codes.near_duplicates(drawn, radius, num_categories, max_pairs=10**6)
    differing = (drawn[:, np.newaxis] != drawn).sum(-1)
    left, right = np.nonzero(np.triu(differing <= radius, 1))
    assert report.num_pairs == len(left)
    assert report.pairs.tolist() == np.stack([left, right], 1).tolist()
    assert report.distances.tolist() == differing[left, right].tolist()


def test_pairs_beyond_the_limit_are_counted_and_not_listed():
    report = codes.near_duplicates(np.zeros([300, 2], int), 0, max_pairs=5)
    assert report.num_pairs == 300 * 299 // 2
    assert report.pairs.tolist() == [[0, 1], [0, 2], [0, 3], [0, 4], [0, 5]]
    assert report.distances.tolist() == [0] * 5


def test_an_empty_set_has_no_duplicates():
    none = np.zeros([0, 3], int)
    assert codes.near_duplicates(none, 1).num_pairs == 0
    assert codes.collisions(none) == (0, 0, 0, 0, [])


def test_bad_arguments_are_refused():
    with pytest.raises(ValueError, match="radius=-1"):
        codes.near_duplicates([[0, 1]], -1)
    with pytest.raises(ValueError, match="maximum=2"):
        codes.collisions([[0, 2]])
