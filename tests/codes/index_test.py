"""An index in memory and on disk: what it finds, and which files and models it refuses."""

import json
import os

import numpy as np
import pytest

from tests.models import small_models
from tf_discrete import codes
from tf_discrete.codes import digest, sealed_json

RANDOM = np.random.default_rng(4)


def make(num_categories=3, count=50, **options):
    drawn = RANDOM.integers(0, num_categories, [count, 6])
    return codes.CodeIndex(drawn, num_categories, **options), drawn


@pytest.mark.parametrize("num_categories", [2, 3])
def test_distances_are_numbers_of_differing_variables(num_categories):
    index, drawn = make(num_categories)
    queries = RANDOM.integers(0, num_categories, [7, 6])
    differing = (queries[:, np.newaxis] != drawn).sum(-1)
    order = np.argsort(differing, axis=1, kind="stable")[:, :9]
    found = index.search(queries, 9)
    np.testing.assert_array_equal(found.indices, order)
    np.testing.assert_array_equal(found.distances, np.take_along_axis(differing, order, 1))
    near = index.search_radius(queries, 3)
    for query in range(7):
        distances, indices = near.of(query)
        assert sorted(indices) == np.flatnonzero(differing[query] <= 3).tolist()
        assert distances.tolist() == differing[query, indices].tolist()


def test_binary_codes_are_in_memory_once():
    index, _ = make(num_categories=2)
    assert index._stored is index._packed


def test_a_folder_holds_all_of_it(tmp_path):
    index, drawn = make(ids=[f"image-{i}.png" for i in range(50)], metadata={"from": "here"})
    index.save(tmp_path / "index")
    assert sorted(path.name for path in (tmp_path / "index").iterdir()) == [
        "codes.npy",
        "ids.json",
        "manifest.json",
    ]
    again = codes.CodeIndex.load(tmp_path / "index")
    np.testing.assert_array_equal(again.codes, drawn)
    assert (again.ids, again.metadata, again.model) == (index.ids, {"from": "here"}, None)
    assert len(again) == 50 and again.num_categories == 3
    with pytest.raises(FileExistsError, match="not written over"):
        index.save(tmp_path / "index")
    make(count=2)[0].save(tmp_path / "index", overwrite=True)
    assert len(codes.CodeIndex.load(tmp_path / "index")) == 2


def test_the_digest_tells_codes_and_sizes_apart(tmp_path):
    index, drawn = make()
    index.save(tmp_path / "index")
    same = codes.CodeIndex(drawn, 3, ids=[f"other-{i}" for i in range(50)])
    assert codes.CodeIndex.load(tmp_path / "index").digest == index.digest == same.digest
    zeros = [([50, 6], 3), ([50, 5], 3), ([50, 6], 4), ([49, 6], 3)]
    digests = {codes.CodeIndex(np.zeros(shape, int), size).digest for shape, size in zeros}
    assert len(digests | {index.digest}) == 5


def test_an_index_belongs_to_one_model(tmp_path):
    model = small_models.make()
    encoded = codes.encode_batches(model, [small_models.data()])
    index = codes.CodeIndex(encoded, 3, model=model)
    index.check_model(model)
    index.save(tmp_path / "index")
    model.save(tmp_path / "model.keras")
    loaded = small_models.CategoricalVAE.from_config(model.get_config())
    loaded.load_weights(tmp_path / "model.keras")
    codes.CodeIndex.load(tmp_path / "index").check_model(loaded)
    loaded.encoder.weights[0].assign_add(np.full(loaded.encoder.weights[0].shape, 1e-6))
    with pytest.raises(ValueError, match="this very model.*trained further.*Build the index anew"):
        index.check_model(loaded)
    with pytest.raises(ValueError, match="num_variables=4, num_categories=3, digest="):
        index.check_model(small_models.make(num_variables=4))
    unknown = codes.CodeIndex(encoded, 3)
    unknown.check_model(loaded)
    with pytest.raises(ValueError, match="digest=None"):
        unknown.check_model(small_models.make(num_variables=4))


def _change(path, change):
    data = path.read_bytes()
    path.write_bytes(change(data))


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("codes.npy", lambda data: data[:-9], "its checksum is not"),
        ("codes.npy", lambda data: data[:-1] + b"\x01", "its checksum is not"),
        ("ids.json", lambda data: data[:9], "its checksum is not"),
        ("manifest.json", lambda data: data[:50], "manifest.json"),
        ("manifest.json", lambda data: b"[]", "it holds a list"),
        ("manifest.json", lambda data: data.replace(b'sion": 2', b'sion": 9'), "reads 2"),
        ("manifest.json", lambda data: data.replace(b"count", b"c"), "wrong: count"),
        ("manifest.json", lambda data: data.replace(b'ies": 3', b'ies": 4'), "checksum is another"),
        (
            "manifest.json",
            lambda data: data.replace(b'count": 50', b'count": 51'),
            "checksum is another",
        ),
    ],
)
def test_files_that_were_changed_are_named(tmp_path, name, change, message):
    make()[0].save(tmp_path / "index")
    _change(tmp_path / "index" / name, change)
    with pytest.raises(ValueError, match=message) as caught:
        codes.CodeIndex.load(tmp_path / "index")
    message = str(caught.value)
    assert message.startswith(
        "The file must be a file of a code index, as CodeIndex.save has written it."
    )
    assert f"Build the index again. Received: path='{tmp_path / 'index' / name}'" in message


def test_a_missing_file_is_named(tmp_path):
    make()[0].save(tmp_path / "index")
    (tmp_path / "index/ids.json").unlink()
    with pytest.raises(ValueError, match=r"ids.json' \(it is missing\)"):
        codes.CodeIndex.load(tmp_path / "index")


def test_a_folder_that_is_no_index_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="must be the folder of an index.*Received: path="):
        codes.CodeIndex.load(tmp_path)


def _foreign(folder):
    (folder / "model.keras").write_text("weeks of training")


def _beside(folder):
    make()[0].save(folder / "index")
    (folder / "index").rename(folder.parent / "moved")
    folder.rmdir()
    (folder.parent / "moved").rename(folder)
    (folder / "notes.txt").write_text("mine")


def _own_codes(folder):
    np.save(folder / "codes.npy", np.zeros(3))


@pytest.mark.parametrize("fill", [_foreign, _beside, _own_codes])
def test_only_an_index_is_replaced(tmp_path, fill):
    folder = tmp_path / "run"
    folder.mkdir()
    fill(folder)
    before = sorted(path.name for path in folder.iterdir())
    with pytest.raises(FileExistsError, match=f"Only a code index.*holds {', '.join(before)}"):
        make()[0].save(folder, overwrite=True)
    assert sorted(path.name for path in folder.iterdir()) == before


def test_a_damaged_index_and_its_files_of_faiss_are_replaced(tmp_path):
    folder = tmp_path / "index"
    index, drawn = make()
    index.save(folder)
    (folder / "hnsw-0123456789ab.faiss").write_text("x")
    (folder / ".flat-0123456789ab.faiss.tmp-01234567").mkdir()
    (folder / "manifest.json").write_text("{")
    index.save(folder, overwrite=True)
    assert len(list(folder.iterdir())) == 3
    (folder / "ids.json").unlink()
    index.save(folder, overwrite=True)
    np.testing.assert_array_equal(codes.CodeIndex.load(folder).codes, drawn)


def test_home_is_expanded(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    make()[0].save("~/index")
    assert [path.name for path in tmp_path.iterdir()] == ["index"]
    assert len(codes.CodeIndex.load("~/index")) == 50


def _crafted(folder, packed=None, ids=None, **changes):
    """An index with the right checksums of wrong content."""
    make(count=1)[0].save(folder)
    if packed is not None:
        np.save(folder / "codes.npy", packed)
    if ids is not None:
        (folder / "ids.json").write_text(json.dumps(ids))
    manifest = {**json.loads((folder / "manifest.json").read_text()), **changes}
    for name in ("codes.npy", "ids.json"):
        manifest["checksums"][name] = digest.file_digest(folder / name)
    manifest["sha256"] = sealed_json.checksum(manifest)
    (folder / "manifest.json").write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    "changes",
    [
        {"packed": np.zeros([1, 5], np.uint8), "num_variables": 1, "num_categories": 2**40},
        {"packed": np.zeros([1, 4], np.uint8), "num_variables": 1, "num_categories": 2**30},
        {"packed": np.zeros([0, 2], np.uint8), "ids": [], "count": 0},
        {"packed": np.zeros([1, 2], np.float32)},
        {"packed": np.zeros([2, 2], np.uint8)},
        {"packed": np.full([1, 2], 255, np.uint8)},
        {"num_variables": 2**40},
        {"num_categories": 1},
        {"num_categories": True},
        {"count": 2},
        {"ids": {"0": 1}},
        {"ids": [3]},
        {"ids": ["a", "b"]},
        {"metadata": {"a": float("nan")}},
        {"metadata": []},
        {"model": 3},
    ],
)
def test_crafted_files_are_refused(tmp_path, changes):
    _crafted(tmp_path / "index", **changes)
    with pytest.raises(ValueError, match=f"Build the index again. Received: path='{tmp_path}"):
        codes.CodeIndex.load(tmp_path / "index")


def test_a_full_disk_names_the_index(tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(
        OSError, match=r"enough free space.*Received: path='.*/index' .*No space"
    ) as caught:
        make()[0].save(tmp_path / "index")
    assert caught.value.errno == 28 and list(tmp_path.iterdir()) == []


def test_a_failed_save_leaves_what_was_there(tmp_path, monkeypatch):
    index, drawn = make()
    index.save(tmp_path / "index")

    def full(*arguments):
        raise OSError("no space left")

    monkeypatch.setattr(np, "save", full)
    with pytest.raises(OSError, match="no space left"):
        make(count=3)[0].save(tmp_path / "index", overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["index"]
    np.testing.assert_array_equal(codes.CodeIndex.load(tmp_path / "index").codes, drawn)


def test_bad_arguments_are_refused():
    index, _ = make()
    with pytest.raises(ValueError, match=r"at least one query.*queries.shape=\(0, "):
        index.search(np.zeros([0, 6], int), 1)
    with pytest.raises(ValueError, match="at most the number of codes searched, 50.*k=51"):
        index.search([[0] * 6], 51)
    with pytest.raises(ValueError, match=r"codes must be \[B, 6\]"):
        index.search([[0] * 5], 1)
    with pytest.raises(ValueError, match="radius must be at least 0. Received: radius=-1"):
        index.search_radius([[0] * 6], -1)
    with pytest.raises(ValueError, match=r"at least one code.*codes.shape=\(0, 6\)"):
        codes.CodeIndex(np.zeros([0, 6], int))
    with pytest.raises(ValueError, match="Received: 1 ids, 2 codes"):
        codes.CodeIndex([[0], [1]], ids=["a"])
    with pytest.raises(ValueError, match="metadata must be what JSON holds"):
        codes.CodeIndex([[0], [1]], metadata={"x": np.zeros(2)})


def test_nothing_to_encode_is_refused():
    with pytest.raises(ValueError, match="at least one batch.*no batches"):
        codes.encode_batches(small_models.make(), [])


def test_a_folder_that_holds_other_files_too_is_not_replaced(tmp_path):
    index = codes.CodeIndex([[0, 1], [1, 1]])
    index.save(tmp_path / "index")
    (tmp_path / "index" / "flat-0123456789ab.faiss").write_text("made of these codes")
    index.save(tmp_path / "index", overwrite=True)
    assert not (tmp_path / "index" / "flat-0123456789ab.faiss").exists()
    (tmp_path / "index" / "notes.txt").write_text("mine")
    with pytest.raises(FileExistsError, match=r"Only a code index.*notes\.txt"):
        index.save(tmp_path / "index", overwrite=True)
    assert (tmp_path / "index" / "notes.txt").read_text() == "mine"
