"""FAISS beside the exact search: distances, recall, files; and what to do where it is not installed."""

import sys

import numpy as np
import pytest

from tf_discrete import codes

RANDOM = np.random.default_rng(5)
pytest.importorskip("faiss", reason="FAISS is an extra")


@pytest.mark.parametrize(("num_variables", "num_categories"), [(64, 2), (13, 2), (9, 5)])
def test_the_flat_index_has_the_exact_distances(num_variables, num_categories):
    drawn = RANDOM.integers(0, num_categories, [200, num_variables])
    queries = RANDOM.integers(0, num_categories, [9, num_variables])
    exact = codes.CodeIndex(drawn, num_categories).search(queries, 20)
    found = codes.FaissIndex(drawn, num_categories).search(queries, 20)
    np.testing.assert_array_equal(found.distances, exact.distances)
    assert codes.recall_against(found, exact) == 1.0
    for query in range(9):
        pairs = list(zip(found.distances[query], found.indices[query], strict=True))
        assert pairs == sorted(pairs)
        differing = (drawn[found.indices[query]] != queries[query]).sum(-1)
        np.testing.assert_array_equal(found.distances[query], differing)


def test_packed_bits_are_those_that_faiss_reads():
    import faiss

    bits = RANDOM.integers(0, 2, [50, 24])
    index = faiss.IndexBinaryFlat(24)
    index.add(codes.pack(bits))
    distances, _ = index.search(codes.pack(bits[:3]), 50)
    exact = codes.hamming_top_k(codes.pack(bits[:3]), codes.pack(bits), 50)
    np.testing.assert_array_equal(distances, exact.distances)


@pytest.mark.parametrize("kind", ["hnsw", "ivf"])
def test_approximate_indexes_find_most(kind):
    centres = RANDOM.integers(0, 2, [20, 64])
    drawn = centres[RANDOM.integers(0, 20, 2000)] ^ (RANDOM.uniform(size=[2000, 64]) < 0.1)
    queries = drawn[:50] ^ (RANDOM.uniform(size=[50, 64]) < 0.05)
    exact = codes.CodeIndex(drawn).search(queries, 5)
    found = codes.FaissIndex(drawn, kind=kind).search(queries, 5)
    assert 0.8 < codes.recall_against(found, exact) <= 1.0
    assert (found.distances >= exact.distances).all()


def test_what_is_not_found_has_no_index():
    drawn = RANDOM.integers(0, 2, [500, 16])
    found = codes.FaissIndex(drawn, kind="ivf", num_lists=10, probes=1).search(drawn[:3], 400)
    exact = codes.CodeIndex(drawn).search(drawn[:3], 400)
    missing = found.indices < 0
    assert missing.any() and (np.diff(missing.astype(int), axis=1) >= 0).all()
    assert (found.distances[missing] == 17).all()
    assert (found.distances[~missing] <= 16).all()
    assert codes.recall_against(found, exact) <= 1 - missing.mean()


@pytest.mark.parametrize("kind", ["flat", "hnsw", "ivf"])
def test_a_file_holds_all_of_it(tmp_path, kind):
    drawn = RANDOM.integers(0, 3, [200, 10])
    index = codes.FaissIndex(drawn, 3, kind)
    index.save(tmp_path / "codes.faiss")
    again = codes.FaissIndex.load(tmp_path / "codes.faiss", 10, 3)
    assert len(again) == 200
    for a, b in zip(index.search(drawn[:4], 5), again.search(drawn[:4], 5), strict=True):
        np.testing.assert_array_equal(a, b)
    with pytest.raises(FileExistsError):
        index.save(tmp_path / "codes.faiss")


def test_bad_files_and_arguments_are_refused(tmp_path):
    path = tmp_path / "codes.faiss"
    index = codes.FaissIndex(np.zeros([9, 64], int))
    index.save(path)
    with pytest.raises(ValueError, match="codes of 128 variables.*codes of 8 bytes"):
        codes.FaissIndex.load(path, 128)
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(ValueError, match="whole binary index of FAISS. Build it again"):
        codes.FaissIndex.load(path, 64)
    path.write_bytes(b"something else")
    with pytest.raises(ValueError, match="whole binary index of FAISS"):
        codes.FaissIndex.load(path, 64)
    with pytest.raises(FileNotFoundError, match="FaissIndex.save has written"):
        codes.FaissIndex.load(tmp_path / "none", 64)
    with pytest.raises(ValueError, match="kind must be one of flat, hnsw, ivf. Received: kind='x'"):
        codes.FaissIndex(np.zeros([9, 64], int), kind="x")
    with pytest.raises(ValueError, match="at least one code"):
        codes.FaissIndex(np.zeros([0, 64], int))
    with pytest.raises(ValueError, match="at least one query"):
        index.search(np.zeros([0, 64], int), 1)
    with pytest.raises(ValueError, match="Received: k=10"):
        index.search(np.zeros([1, 64], int), 10)


def test_the_extra_is_named_where_faiss_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(ImportError, match=r"pip install 'tf-discrete\[search\]'"):
        codes.FaissIndex(np.zeros([9, 64], int))
