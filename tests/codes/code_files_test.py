"""Codes in Parquet: what is written is read, and what is damaged, foreign or of another model is refused."""

import json
import sys

import numpy as np
import pytest

from tests.models import small_models
from tf_discrete import codes
from tf_discrete.codes import code_files, digest

LAYOUT = code_files.CodeLayout(20, 3, "of the model")
PACKED = codes.pack(np.random.default_rng(0).integers(0, 3, [50, 20]), 3)


def batches(labels=True):
    for part in (slice(0, 20), slice(20, 50)):
        ids = np.arange(50)[part] * 7
        yield code_files.CodeBatch(ids, PACKED[part], ids % 3 if labels else None)


def write_folder(folder, names=("a.parquet", "b.parquet")):
    folder.mkdir()
    shards = []
    for name in names:
        count = code_files.write_codes(folder / name, batches(), LAYOUT)
        sha = digest.file_digest(folder / name)
        shards.append({"file": name, "count": count, "sha256": sha})
    (folder / code_files.MANIFEST).write_text(json.dumps({"shards": shards}))
    return folder


@pytest.mark.parametrize("labels", [True, False])
def test_what_is_written_is_read(tmp_path, labels):
    assert code_files.write_codes(tmp_path / "a.parquet", batches(labels), LAYOUT) == 50
    files = code_files.CodeFiles(tmp_path / "a.parquet")
    assert files.layout == LAYOUT and len(files) == 50
    read = list(files.batches(size=7))
    np.testing.assert_array_equal(np.concatenate([batch.packed for batch in read]), PACKED)
    ids = np.concatenate([batch.ids for batch in read])
    np.testing.assert_array_equal(ids, np.arange(50) * 7)
    assert (read[0].labels is not None) == labels
    if labels:
        np.testing.assert_array_equal(np.concatenate([batch.labels for batch in read]), ids % 3)
    index = codes.ExactIndex.build(tmp_path / "index", files.chunks(), 20, 3)
    assert len(index) == 50


def test_scores_and_paths_are_kept(tmp_path):
    scores = np.linspace(-3, 0, 50).astype(np.float32)
    paths = np.array([f"class/{number}.png" for number in range(50)], object)
    batch = code_files.CodeBatch(np.arange(50), PACKED, None, scores, paths)
    code_files.write_codes(tmp_path / "a.parquet", [batch], LAYOUT)
    read = list(code_files.CodeFiles(tmp_path / "a.parquet").batches(size=7))
    assert all(batch.labels is None for batch in read)
    np.testing.assert_array_equal(np.concatenate([batch.scores for batch in read]), scores)
    assert np.concatenate([batch.paths for batch in read]).tolist() == paths.tolist()
    assert read[0].scores.dtype == np.float32


def test_a_label_that_is_missing_is_refused(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    code_files.write_codes(tmp_path / "a.parquet", batches(), LAYOUT)
    table = parquet.read_table(tmp_path / "a.parquet").slice(0, 2)
    label = table.column("label").take([0, None])
    place = table.schema.get_field_index("label")
    parquet.write_table(table.set_column(place, "label", label), tmp_path / "b.parquet")
    with pytest.raises(ValueError, match="must be a Parquet file of codes"):
        list(code_files.CodeFiles(tmp_path / "b.parquet").batches())


def test_an_empty_file_is_one(tmp_path):
    assert code_files.write_codes(tmp_path / "a.parquet", [], LAYOUT) == 0
    assert not list(code_files.CodeFiles(tmp_path / "a.parquet").batches())


def test_the_shards_are_those_of_the_manifest(tmp_path):
    folder = write_folder(tmp_path / "codes")
    assert len(code_files.CodeFiles(folder)) == 100
    (folder / "c.parquet").write_bytes((folder / "a.parquet").read_bytes())
    with pytest.raises(ValueError, match="does not name it"):
        code_files.CodeFiles(folder)
    (folder / "c.parquet").unlink()
    whole = (folder / "b.parquet").read_bytes()
    (folder / "b.parquet").unlink()
    with pytest.raises(ValueError, match="it is missing"):
        code_files.CodeFiles(folder)
    (folder / "b.parquet").write_bytes(whole[:-9])
    with pytest.raises(ValueError, match="checksum"):
        code_files.CodeFiles(folder)
    with pytest.raises(ValueError, match="must be a Parquet file of codes"):
        code_files.CodeFiles(folder, verify=False)
    (folder / "b.parquet").write_bytes(whole)
    (folder / code_files.MANIFEST).write_text("{")
    with pytest.raises(ValueError, match="manifest of encoded images"):
        code_files.CodeFiles(folder)
    with pytest.raises(FileNotFoundError, match="There must be a Parquet file"):
        code_files.CodeFiles(tmp_path / "nothing")


@pytest.mark.parametrize("begun", [code_files.PLAN, code_files.RECORDS])
def test_an_encoding_that_is_not_finished_is_refused(tmp_path, begun):
    folder = write_folder(tmp_path / "codes")
    (folder / begun).mkdir()
    assert len(code_files.CodeFiles(folder)) == 100
    (folder / code_files.MANIFEST).unlink()
    with pytest.raises(ValueError, match=r"Run trainers\.encode again.*without manifest\.json"):
        code_files.CodeFiles(folder)


def test_codes_of_two_models_are_not_mixed(tmp_path):
    folder = write_folder(tmp_path / "codes")
    (folder / code_files.MANIFEST).unlink()
    code_files.write_codes(folder / "c.parquet", batches(), LAYOUT._replace(model="another"))
    with pytest.raises(ValueError, match="of one model"):
        code_files.CodeFiles(folder)
    (folder / "c.parquet").unlink()
    files = code_files.CodeFiles(folder)
    files.check_model("of the model")
    with pytest.raises(ValueError, match="must be those of the same model"):
        files.check_model("another")


def test_codes_are_those_of_a_model_or_of_its_digest(tmp_path):
    model = small_models.make()
    layout = LAYOUT._replace(model=codes.model_digest(model))
    code_files.write_codes(tmp_path / "a.parquet", batches(), layout)
    files = code_files.CodeFiles(tmp_path / "a.parquet")
    files.check_model(model)
    files.check_model(layout.model)
    with pytest.raises(ValueError, match="must be those of the same model"):
        files.check_model(small_models.make(num_variables=4))
    with pytest.raises(ValueError, match="a Keras model or its digest"):
        files.check_model(3)


def test_other_parquet_files_are_refused(tmp_path):
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    parquet.write_table(arrow.table({"id": [1]}), tmp_path / "a.parquet")
    with pytest.raises(ValueError, match="must be a Parquet file of codes"):
        code_files.CodeFiles(tmp_path / "a.parquet")
    with pytest.raises(ValueError, match="packed must be uint8"):
        code_files.write_codes(
            tmp_path / "b.parquet", [code_files.CodeBatch(np.arange(2), PACKED[:3])], LAYOUT
        )


def test_without_pyarrow_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (tmp_path / "a.parquet").write_bytes(b"PAR1")
    with pytest.raises(ImportError, match=r"pip install 'tf-discrete\[parquet\]'"):
        code_files.write_codes(tmp_path / "b.parquet", batches(), LAYOUT)
    with pytest.raises(ImportError, match=r"pip install 'tf-discrete\[parquet\]'"):
        code_files.CodeFiles(tmp_path / "a.parquet")
    assert not (tmp_path / "b.parquet").exists()


def test_a_file_of_another_kind_is_not_replaced(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    batch = code_files.CodeBatch(np.arange(2), np.zeros([2, 1], np.uint8))
    layout = code_files.CodeLayout(num_variables=8)
    for _ in range(2):
        code_files.write_codes(tmp_path / "codes.parquet", [batch], layout)
    parquet.write_table(pyarrow.table({"a": [1]}), tmp_path / "mine.parquet")
    (tmp_path / "text.parquet").write_text("mine")
    for name in ("mine.parquet", "text.parquet"):
        before = (tmp_path / name).read_bytes()
        with pytest.raises(FileExistsError, match="Only a Parquet file of codes may be replaced"):
            code_files.write_codes(tmp_path / name, [batch], layout)
        assert (tmp_path / name).read_bytes() == before


def test_the_size_of_a_batch_is_a_whole_number(tmp_path):
    pytest.importorskip("pyarrow")
    code_files.write_codes(tmp_path / "codes.parquet", batches(), LAYOUT)
    for size in (0, 2.7, True):
        with pytest.raises(ValueError, match="size must be .*Received: size="):
            next(code_files.CodeFiles(tmp_path / "codes.parquet").batches(size))
