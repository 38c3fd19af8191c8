"""FAISS compared with the exact search: distances, recall, files; and what to do without FAISS."""

import math
import sys

import numpy as np
import pytest

from tf_discrete import codes
from tf_discrete.codes import container, faiss_graph, faiss_index

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
    with pytest.raises(ValueError, match="codes of 128 variables.*num_variables=64"):
        codes.FaissIndex.load(path, 128)
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(ValueError, match="whole FAISS index, .*. Build it again"):
        codes.FaissIndex.load(path, 64)
    path.write_bytes(b"something else")
    with pytest.raises(ValueError, match="whole FAISS index"):
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


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        *[
            ("hnsw", {"links": links})
            for links in (0, 1, -1, 1025, 2**40, 2.5, True, "3", math.nan)
        ],
        *[("hnsw", {"effort": effort}) for effort in (0, -1, 2**21, 1.5, True)],
        *[("ivf", {"num_lists": lists}) for lists in (0, -1, 51, 2**40, 2.5, False)],
        *[("ivf", {"probes": probes}) for probes in (0, -1, 2, 2.5)],
        ("ivf", {"num_lists": 5, "probes": 6}),
        ("flat", {"links": 32}),
        ("hnsw", {"probes": 1}),
        ("ivf", {"effort": 64}),
    ],
)
def test_options_are_checked_before_faiss_sees_them(kind, options):
    name = list(options)[-1]
    with pytest.raises(ValueError, match=rf"^{name} .*Received: .*{name}="):
        codes.FaissIndex(RANDOM.integers(0, 2, [50, 8]), kind=kind, **options)


def test_options_at_their_bounds_are_taken():
    drawn = RANDOM.integers(0, 2, [50, 8])
    exact = codes.CodeIndex(drawn).search(drawn[:3], 5)
    for kind, options in [
        ("hnsw", {"links": 2, "effort": 1}),
        ("hnsw", {"links": 1024}),
        ("ivf", {"num_lists": 50, "probes": 50}),
        ("ivf", {"num_lists": 1, "probes": 1}),
    ]:
        found = codes.FaissIndex(drawn, kind=kind, **options).search(drawn[:3], 5)
        if "links" not in options or options["links"] > 2:
            assert codes.recall_against(found, exact) == 1.0, (kind, options)
    for k in (0, 51, 2.0, True, "1", math.nan):
        with pytest.raises(ValueError, match="Received: k="):
            codes.FaissIndex(drawn).search(drawn[:1], k)


def test_at_least_k_candidates_are_kept():
    drawn = RANDOM.integers(0, 2, [500, 32])
    found = codes.FaissIndex(drawn, kind="hnsw", effort=1).search(drawn[:5], 100)
    assert (found.indices >= 0).all()


def test_every_flipped_bit_is_found_before_faiss_reads(tmp_path, monkeypatch):
    path = tmp_path / "codes.faiss"
    codes.FaissIndex(RANDOM.integers(0, 2, [60, 16]), kind="hnsw").save(path)
    whole = path.read_bytes()
    monkeypatch.setattr(faiss_index, "_empty", lambda *_: pytest.fail("FAISS was reached"))
    for place in range(0, len(whole), 37):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        with pytest.raises(ValueError, match="Received: path=.*codes.faiss"):
            codes.FaissIndex.load(path, 16)


def _crafted(tmp_path, kind, header=(), change=lambda payload: payload):
    """A file with the right checksum of wrong content."""
    path = tmp_path / "codes.faiss"
    options = {"links": 4} if kind == "hnsw" else {"num_lists": 3} if kind == "ivf" else {}
    codes.FaissIndex(RANDOM.integers(0, 2, [300, 16]), kind=kind, **options).save(path)
    stored, payload = container.read(path, faiss_index._FORMAT)
    stored = {**stored, **dict(header)}
    container.write(path, faiss_index._FORMAT, stored, change(bytearray(payload)), True)
    return path


def _set(place, value):
    def change(payload):
        payload[place : place + 4] = int(value).to_bytes(4, "little", signed=True)
        return bytes(payload)

    return change


_LEVELS, _NEIGHBORS = 300 * 2, 300 * 2 + 300 * 4


@pytest.mark.parametrize(
    ("kind", "header", "change"),
    [
        ("flat", {"kind": "lsh"}, bytes),
        ("flat", {"count": 301}, bytes),
        ("flat", {"count": 2**40}, bytes),
        ("flat", {"count": 0}, bytes),
        ("flat", {}, lambda payload: bytes(payload) + b"x"),
        ("flat", {"options": {"links": 3}}, bytes),
        ("hnsw", {"entry_point": 300}, bytes),
        ("hnsw", {"entry_point": -1}, bytes),
        ("hnsw", {"options": {"links": 1, "effort": 64}}, bytes),
        ("hnsw", {"options": {"links": 4, "effort": 0}}, bytes),
        ("hnsw", {"options": {"links": 2**40, "effort": 64}}, bytes),
        ("hnsw", {}, _set(_LEVELS, 0)),
        ("hnsw", {}, _set(_LEVELS, 2**31 - 1)),
        ("hnsw", {}, _set(_NEIGHBORS, 300)),
        ("hnsw", {}, _set(_NEIGHBORS, -2)),
        ("hnsw", {}, lambda payload: bytes(payload[:-4])),
        ("hnsw", {}, lambda payload: bytes(payload[:-1])),
        ("hnsw", {}, lambda payload: bytes(payload[:_LEVELS])),
        ("ivf", {"options": {"num_lists": 4, "probes": 3}}, bytes),
        ("ivf", {"options": {"num_lists": 0, "probes": 3}}, bytes),
        ("ivf", {}, lambda payload: bytes(payload[:-1])),
    ],
)
def test_crafted_files_never_reach_faiss(tmp_path, monkeypatch, kind, header, change):
    path = _crafted(tmp_path, kind, header, change)
    monkeypatch.setattr(faiss_index, "_empty", lambda *_: pytest.fail("FAISS was reached"))
    with pytest.raises(ValueError, match="whole FAISS index.*Received: path=.*codes.faiss"):
        codes.FaissIndex.load(path, 16)


def test_neighbours_outside_their_level_are_refused():
    levels = np.array([2, 1], "<i4")
    neighbors = np.full(
        10, -1, "<i4"
    )  # For links=2: 4 + 2 places of the first code, 4 of the second.

    def read():
        data = np.concatenate([levels, neighbors]).tobytes()
        return faiss_graph.graph_from(np.frombuffer(data, np.uint8), 2, 2, 0)

    assert read().entry_point == 0
    neighbors[4] = 1  # A neighbour in level 1, where code 1 is not.
    with pytest.raises(ValueError, match="not in level 1"):
        read()


@pytest.mark.parametrize("content", [b"IBxF raw file of FAISS", b"notes", None])
def test_only_an_index_is_replaced(tmp_path, content):
    index = codes.FaissIndex(np.zeros([9, 64], int))
    path = tmp_path / "mine"
    if content is None:
        path.mkdir()
        (path / "thesis.tex").write_text("x")
    else:
        path.write_bytes(content)
    with pytest.raises(FileExistsError, match=r"Only a FAISS index may be replaced.*which is a f"):
        index.save(path, overwrite=True)
    assert path.is_dir() or path.read_bytes() == content
    index.save(tmp_path / "codes.faiss")
    index.save(tmp_path / "codes.faiss", overwrite=True)


def test_the_extra_is_named_where_faiss_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(ImportError, match=r"pip install 'tf-discrete\[search\]'"):
        codes.FaissIndex(np.zeros([9, 64], int))
