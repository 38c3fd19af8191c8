"""Every store finds the neighbours of comparing all, in order, after creating, updating and deleting."""

import contextlib
import sys

import numpy as np
import pytest

from tests.codes.exact import searched
from tests.codes.stores import postgres_server
from tf_discrete import codes
from tf_discrete.codes import code_files, stores

SIZES = [(64, 2), (13, 2), (6, 5)]


@contextlib.contextmanager
def faiss_store(layout, folder):
    pytest.importorskip("faiss")
    yield stores.FaissStore(layout)


@contextlib.contextmanager
def usearch_store(layout, folder):
    pytest.importorskip("usearch.index")
    yield stores.UsearchStore(layout)


@contextlib.contextmanager
def lance_store(layout, folder):
    pytest.importorskip("lancedb")
    yield stores.LanceStore(layout, folder / "lance")


@contextlib.contextmanager
def postgres_store(layout, folder):
    with postgres_server.running() as address:
        import psycopg

        with psycopg.connect(address, autocommit=True) as connection:
            yield stores.PostgresStore(layout, connection)


STORES = [
    *((make, sizes) for make in (faiss_store, usearch_store, lance_store) for sizes in SIZES),
    (postgres_store, (13, 2)),
    pytest.param(postgres_store, (64, 2), marks=pytest.mark.slow),
    pytest.param(postgres_store, (6, 5), marks=pytest.mark.slow),
]


@pytest.mark.parametrize("make", [faiss_store, usearch_store, lance_store, postgres_store])
def test_bad_items_change_nothing(tmp_path, make):
    packed = codes.pack(searched.clustered(13, 2, 4), 2)
    with make(code_files.CodeLayout(13, 2), tmp_path) as store:
        store.add(packed, [1, 2, 3, 4])
        for call in (
            lambda: store.update(packed[:1, :1], [2]),
            lambda: store.update(packed[:1], [2.0]),
            lambda: store.update(packed[:2], [2]),
            lambda: store.update(packed[:2], [2, 2]),
            lambda: store.add(packed[:2], [7, 7]),
            lambda: store.update(packed[:1], [-2]),
            lambda: store.update(packed[:1], [2], labels=[0.5]),
            lambda: store.delete([2.7]),
            lambda: store.delete([True]),
            lambda: store.delete([[2]]),
        ):
            with pytest.raises(ValueError, match="Received: "):
                call()
        assert len(store) == 4
        store.delete([])
        assert store.search(packed[1:2], 1).indices.tolist() == [[2]]


@pytest.mark.parametrize("make", [faiss_store, usearch_store])
def test_a_file_of_another_kind_is_not_replaced(tmp_path, make):
    with make(code_files.CodeLayout(13, 2), tmp_path) as store:
        store.add(codes.pack(searched.clustered(13, 2, 4), 2), [1, 2, 3, 4])
        for _ in range(2):
            store.save(tmp_path / "codes")
        (tmp_path / "mine").write_text("precious")
        with pytest.raises(FileExistsError, match="index"):
            store.save(tmp_path / "mine")
    assert (tmp_path / "mine").read_text() == "precious"


@pytest.mark.parametrize(("make", "sizes"), STORES)
def test_a_store_agrees_with_comparing_all(tmp_path, make, sizes):
    num_variables, num_categories = sizes
    items = searched.clustered(num_variables, num_categories, 120)
    items[60:90] = items[7]  # More equal codes than are asked for.
    names = np.random.default_rng(1).permutation(10**6)[:120]
    packed = codes.pack(items, num_categories)
    layout = code_files.CodeLayout(num_variables, num_categories)
    batch = code_files.CodeBatch(names[:100], packed[:100], np.arange(100) % 10)
    code_files.write_codes(tmp_path / "codes.parquet", [batch], layout)
    with make(layout, tmp_path) as store:
        store.fill(code_files.CodeFiles(tmp_path / "codes.parquet"), size=33)
        store.add(packed[100:], names[100:])
        store.delete(names[[3, 4, 61]])
        store.update(packed[[8, 9]], names[[20, 62]])
        now = items.copy()
        now[[20, 62]] = items[[8, 9]]
        kept = np.setdiff1d(np.arange(120), [3, 4, 61])
        assert len(store) == 117
        queries = np.concatenate([items[:3], items[7:8]])
        for k in (1, 5, 117):
            distances, ids = searched.nearest(queries, now[kept], names[kept], k)
            found = store.search(codes.pack(queries, num_categories), k)
            np.testing.assert_array_equal(found.distances, distances)
            np.testing.assert_array_equal(found.indices, ids)
        one = store.search(packed[8:9], 1)
        assert one.distances.tolist() == [[0]]
        with pytest.raises(ValueError, match="ids must be at least 0"):
            store.add(packed[:1], [-1])
        with pytest.raises(ValueError, match="k must be"):
            store.search(packed[:1], 118)
        other = code_files.CodeLayout(num_variables, num_categories, "of another model")
        code_files.write_codes(tmp_path / "other.parquet", [batch], other)
        store.layout = code_files.CodeLayout(num_variables, num_categories, "of this model")
        with pytest.raises(ValueError, match="of the same model"):
            store.fill(code_files.CodeFiles(tmp_path / "other.parquet"))


@pytest.mark.parametrize("make", [lance_store, postgres_store])
def test_filling_goes_on_after_a_kill(tmp_path, make):
    layout, packed = code_files.CodeLayout(13, 2), codes.pack(searched.clustered(13, 2, 50), 2)
    labels = np.arange(50) % 3
    batch = code_files.CodeBatch(np.arange(50), packed, labels)
    code_files.write_codes(tmp_path / "codes.parquet", [batch], layout)
    with make(layout, tmp_path) as store:
        store.add(packed[:20], np.arange(20), labels[:20])  # What a job added that was killed.
        store.fill(code_files.CodeFiles(tmp_path / "codes.parquet"), size=8)
        assert len(store) == 50
        found = store.search(packed[:1], 50)
        assert sorted(found.indices[0].tolist()) == list(range(50))


def test_only_queries_with_ties_are_asked_again(monkeypatch):
    pytest.importorskip("faiss")
    items = np.concatenate([np.zeros([100, 16], int), np.tri(16, dtype=int)])
    store = stores.FaissStore(code_files.CodeLayout(16))
    store.add(codes.pack(items), np.arange(116))
    asked, search = [], store._search

    def watched(queries, k):
        asked.append((len(queries), k))
        return search(queries, k)

    monkeypatch.setattr(store, "_search", watched)
    queries = items[[115, 0, 114]]
    found = store.search(codes.pack(queries), 3)
    distances, ids = searched.nearest(queries, items, np.arange(116), 3)
    np.testing.assert_array_equal(found.distances, distances)
    np.testing.assert_array_equal(found.indices, ids)
    assert asked == [(3, 14), (1, 56), (1, 116)]


def test_an_index_of_postgres_that_finds_too_few_is_an_error():
    class Connection:
        def execute(self, statement, values=None):
            return self

        def fetchone(self):
            return (40,)

        def fetchall(self):
            return [(1.0, 7), (2.0, 9)]

    store = object.__new__(stores.PostgresStore)
    stores.CodeStore.__init__(store, code_files.CodeLayout(8))
    store._connection, store._table = Connection(), "codes"
    with pytest.raises(ValueError, match="2 of 10 items in table 'codes'"):
        store.search(np.zeros([1, 1], np.uint8), 1)


@pytest.mark.parametrize("make", [lance_store, postgres_store])
def test_a_table_keeps_what_its_codes_are(tmp_path, make):
    layout, packed = code_files.CodeLayout(13, 2, "this"), codes.pack(searched.clustered(13, 2, 4))
    with make(layout, tmp_path) as store:
        store.add(packed, [1, 2, 3, 4])

        def reopened(other):
            if make is lance_store:
                return stores.LanceStore(other, tmp_path / "lance")
            return stores.PostgresStore(other, store._connection)

        assert len(reopened(layout)) == 4
        assert reopened(layout._replace(model=None)).layout == layout
        for other in (layout._replace(model="that"), code_files.CodeLayout(14, 2, "this")):
            with pytest.raises(ValueError, match="table='codes' of CodeLayout.*model='this'"):
                reopened(other)
        assert len(reopened(layout)) == 4


@pytest.mark.parametrize(
    ("stored", "accepted"),
    [
        (code_files.CodeLayout(13, 2, "this"), True),
        (code_files.CodeLayout(13, 2), False),
        (code_files.CodeLayout(13, 3, "this"), False),
        (None, False),
    ],
)
def test_the_layout_of_a_table_is_that_of_the_store(stored, accepted):
    pytest.importorskip("faiss")
    store = stores.FaissStore(code_files.CodeLayout(13, 2, "this"))
    text = stored and code_files.layout_text(stored)
    if accepted:
        store._take_layout(text, "codes")
        return
    with pytest.raises(ValueError, match="Choose another table. Received: table='codes'"):
        store._take_layout(text, "codes")


def test_the_first_variable_is_the_leftmost_bit():
    layout = code_files.CodeLayout(11)
    store = object.__new__(stores.PostgresStore)
    stores.CodeStore.__init__(store, layout)
    code = np.array([[1, 0, 0, 1, 0, 0, 0, 0, 0, 1, 1]])
    assert store._texts(codes.pack(code)) == ["10010000011"]


def test_files_of_faiss_and_usearch_are_their_own(tmp_path):
    faiss = pytest.importorskip("faiss")
    packed = codes.pack(searched.clustered(64, 2, 50))
    store = stores.FaissStore(code_files.CodeLayout(64))
    store.add(packed, np.arange(50))
    store.save(tmp_path / "codes.faiss")
    assert faiss.read_index_binary(str(tmp_path / "codes.faiss")).ntotal == 50
    index = pytest.importorskip("usearch.index")
    other = stores.UsearchStore(code_files.CodeLayout(64))
    other.add(packed, np.arange(50))
    other.save(tmp_path / "codes.usearch")
    assert len(index.Index.restore(str(tmp_path / "codes.usearch"), view=True)) == 50


def test_a_table_must_have_a_plain_name():
    pytest.importorskip("psycopg")
    with pytest.raises(ValueError, match="table must be of lower-case letters"):
        stores.PostgresStore(code_files.CodeLayout(8), None, table="codes; DROP TABLE codes")


@pytest.mark.parametrize(
    ("package", "extra", "make"),
    [
        ("faiss", "search", lambda layout: stores.FaissStore(layout)),
        ("lancedb", "stores", lambda layout: stores.LanceStore(layout, "folder")),
        ("psycopg", "stores", lambda layout: stores.PostgresStore(layout, None)),
        ("usearch", "stores", lambda layout: stores.UsearchStore(layout)),
    ],
)
def test_a_missing_package_is_named(monkeypatch, package, extra, make):
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.delitem(sys.modules, f"{package}.index", raising=False)  # Imported before.
    with pytest.raises(ImportError, match=rf"This store needs.*'tf-discrete\[{extra}\]'"):
        make(code_files.CodeLayout(8))
