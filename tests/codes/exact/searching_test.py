"""Searches of the exact index against comparing all: neighbours, ties, certificates, radius, changes."""

import numpy as np
import pytest

from tests.codes.exact import searched
from tf_discrete import codes
from tf_discrete.codes.exact import probing

GENERATOR = np.random.default_rng(5)


@pytest.fixture(params=[1e-6, 16, 1e9], ids=["buckets", "mixed", "scan"])
def scan_cost(request, monkeypatch):
    """Makes searches read buckets only, decide as they do, or scan only."""
    monkeypatch.setattr(probing, "SCAN_COST", request.param)
    return request.param


@pytest.mark.parametrize("sizes", searched.SIZES, ids=str)
def test_the_nearest_are_those_of_comparing_all(tmp_path, sizes, scan_cost):
    num_variables, num_categories = sizes
    count = 400 if scan_cost < 1 else 1500
    items = searched.clustered(num_variables, num_categories, count)
    if scan_cost < 1:  # Far queries would read every bucket: these keep near ones.
        queries = items[:5].copy()
        queries[:, 0] = (queries[:, 0] + 1) % num_categories
    else:
        queries = np.concatenate(
            [items[:9], GENERATOR.integers(0, num_categories, [3, num_variables])]
        )
    index = searched.build(tmp_path / "index", items, num_categories)
    k = 3 if scan_cost < 1 else 12
    found = index.search(codes.pack(queries, num_categories), k)
    distances, ids = searched.nearest(queries, items, np.arange(count), k)
    np.testing.assert_array_equal(found.ids, ids)
    np.testing.assert_array_equal(found.distances, distances)
    assert (found.radius >= distances[:, -1]).all()
    assert (found.radius[found.scanned] == num_variables).all()
    if scan_cost != 16:
        assert found.scanned.all() == (scan_cost > 1)


@pytest.mark.parametrize("sizes", searched.SIZES, ids=str)
def test_all_items_within_a_radius_are_found(tmp_path, sizes, scan_cost):
    num_variables, num_categories = sizes
    items = searched.clustered(num_variables, num_categories, 300)
    index = searched.build(tmp_path / "index", items, num_categories)
    near = index.search_radius(codes.pack(items[:20], num_categories), 2)
    differing = (items[:20, np.newaxis] != items).sum(axis=2)
    for query in range(20):
        distances, ids = near.of(query)
        wanted = np.flatnonzero(differing[query] <= 2)
        order = np.lexsort([wanted, differing[query, wanted]])
        assert ids.tolist() == wanted[order].tolist()
        assert distances.tolist() == differing[query, ids].tolist()


def test_equal_codes_are_always_found_with_the_lowest_ids(tmp_path):
    items = np.repeat(searched.clustered(64, 2, 20), 50, axis=0)
    names = GENERATOR.permutation(10**6)[: len(items)]
    index = searched.build(tmp_path / "index", items, 2, ids=names)
    found = index.search(codes.pack(items[:1]), 7)
    equal = names[(items == items[0]).all(axis=1)]
    assert found.distances.tolist() == [[0] * 7]
    assert found.ids[0].tolist() == np.sort(equal)[:7].tolist()
    assert len(index.search_radius(codes.pack(items[:1]), 0).indices) == len(equal)


@pytest.mark.parametrize("cost", [1e-6, 16])
def test_changes_are_searched_as_if_the_index_was_built_with_them(tmp_path, monkeypatch, cost):
    monkeypatch.setattr(probing, "SCAN_COST", cost)
    items = searched.clustered(30, 4, 600)
    names = np.arange(600) * 3
    index = searched.build(tmp_path / "index", items[:500], 4, ids=names[:500])
    index.add(codes.pack(items[500:], 4), ids=names[500:])
    index.delete(names[[0, 1, 2, 10, 550]])
    index.add(codes.pack(items[[5, 6, 7]], 4), ids=names[[20, 21, 510]], replace=True)
    now = items.copy()
    now[[20, 21, 510]] = items[[5, 6, 7]]
    kept = np.setdiff1d(np.arange(600), [0, 1, 2, 10, 550])
    distances, ids = searched.nearest(items[:12], now[kept], names[kept], 4)
    for _ in range(2):
        for opened in (index, codes.ExactIndex.open(tmp_path / "index", verify=True)):
            found = opened.search(codes.pack(items[:12], 4), 4)
            np.testing.assert_array_equal(found.ids, ids)
            np.testing.assert_array_equal(found.distances, distances)
            assert len(opened) == 595
        index.compact(memory_codes=100)
        assert index.num_recent == 0


def test_deleting_all_items_of_a_code_brings_the_next_code(tmp_path):
    items = np.repeat([[0] * 16, [1] * 16], 5, axis=0)
    index = searched.build(tmp_path / "index", items, 2)
    index.delete(np.arange(5))
    found = index.search(codes.pack(items[:1]), 2)
    assert found.ids.tolist() == [[5, 6]] and found.distances.tolist() == [[16, 16]]


def test_the_cost_of_each_ring_decides_which_table_is_read(tmp_path, monkeypatch):
    """A constant half of the code costs nothing: only tables that tell codes apart are read further."""
    monkeypatch.setattr(probing, "SCAN_COST", 0.1)
    items = GENERATOR.integers(0, 2, [2000, 40])
    items[:, ::2] = 0
    index = searched.build(tmp_path / "index", items, 2)
    found = index.search(codes.pack(items[:20]), 1)
    assert (found.ids[:, 0] == np.arange(20)).all() and not found.scanned.any()


def test_many_queries_are_searched_in_batches(tmp_path):
    items = searched.clustered(32, 2, 700)
    index = searched.build(tmp_path / "index", items, 2)
    found = index.search(codes.pack(items), 2)
    _, ids = searched.nearest(items, items, np.arange(700), 2)
    np.testing.assert_array_equal(found.ids, ids)
