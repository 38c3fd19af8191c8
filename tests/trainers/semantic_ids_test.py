"""trainers.semantic_ids: a table in, IDs and a report out, and back."""

from __future__ import annotations

import json
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.trainers import small_runs
from trainers.flags.semantic_ids import Config
from trainers.item_ids import program, tables

X = np.array(tf.random.stateless_normal([100, 4], [0, 1]))
X[60:65] = X[0]  # Items that no quantiser can tell apart.
SMALL = {"num_levels": 2, "num_categories": 8}


def make(folder, **changes):
    np.save(folder / "items.npy", X)
    options = {"embeddings": str(folder / "items.npy"), "output_dir": str(folder / "out")}
    return program.run(Config(**{**options, **SMALL, **changes}))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("semantic_ids")
    return folder, make(folder)


def test_ids_are_distinct_and_collisions_are_reported(made):
    folder, result = made
    ids = np.load(folder / "out/ids.npy")
    assert ids.shape == (100, 3) and len(np.unique(ids, axis=0)) == 100
    assert (ids[60:65, :2] == ids[0, :2]).all() and ids[60:65, 2].tolist() == [1, 2, 3, 4, 5]
    assert result["colliding_items"] >= 6 and result["last_digit_values"] >= 6
    assert result["distinct_codes"] == len(np.unique(ids[:, :2], axis=0))
    assert result["codes_in_use"] == [8, 8] and result["squared_error"] < result["variance"] / 3
    assert json.loads((folder / "out/report.json").read_text()) == {**result, "ids": "ids.npy"}


def test_ids_lead_back_to_items_and_vectors(made):
    folder, result = made
    ids = np.load(folder / "out/ids.npy")
    np.save(folder / "asked.npy", np.concatenate([ids[::-1], [[0, 0, 99]]]))
    program.run(Config(decode=str(folder / "asked.npy"), output_dir=str(folder / "out")))
    found = np.load(folder / "out/decoded.npz")
    assert found["rows"].tolist() == [*range(99, -1, -1), -1]
    error = np.square(found["vectors"][:-1] - X[::-1]).sum(axis=1).mean()
    np.testing.assert_allclose(error, result["squared_error"], rtol=1e-4)
    np.save(folder / "asked.npy", ids[:, :1])  # A prefix has a vector and no item.
    program.run(Config(decode=str(folder / "asked.npy"), output_dir=str(folder / "out")))
    found = np.load(folder / "out/decoded.npz")
    assert found["vectors"].shape == (100, 4) and (found["rows"] == -1).all()
    np.save(folder / "asked.npy", ids + 8)
    with pytest.raises(ValueError, match=r"codes must lie in \[0, 8\)"):
        program.run(Config(decode=str(folder / "asked.npy"), output_dir=str(folder / "out")))


def test_without_pyarrow_npy_is_the_other_way(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (tmp_path / "items.parquet").write_bytes(b"PAR1")
    with pytest.raises(ImportError, match=r"tf-discrete\[parquet\]', or give a .npy file"):
        tables.read(str(tmp_path / "items.parquet"), "embedding")


def test_parquet_keeps_the_other_columns(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    table = pyarrow.table({"item": [f"i{n}" for n in range(100)], "embedding": X.tolist()})
    parquet.write_table(table, tmp_path / "items.parquet")
    make(tmp_path, embeddings=str(tmp_path / "items.parquet"), sample_size=50, beam_size=2)
    found = parquet.read_table(tmp_path / "out/ids.parquet")
    assert found.column_names == ["item", "semantic_id"] and found["item"] == table["item"]
    ids = tables.read_ids(str(tmp_path / "out/ids.parquet"))
    assert ids.shape == (100, 3) and len(np.unique(ids, axis=0)) == 100
    with pytest.raises(ValueError, match="It has item, embedding. Received: column='vector'"):
        tables.read(str(tmp_path / "items.parquet"), "vector")
    with pytest.raises(ValueError, match="must hold lists.*Received: column='item' of string"):
        tables.read(str(tmp_path / "items.parquet"), "item")
    ragged = pyarrow.table({"embedding": [[1.0, 2.0], [1.0]]})
    parquet.write_table(ragged, tmp_path / "ragged.parquet")
    with pytest.raises(ValueError, match=r"one length.*with lengths \[1, 2\] in .*ragged.parquet"):
        tables.read(str(tmp_path / "ragged.parquet"), "embedding")
    (tmp_path / "torn.parquet").write_bytes(b"PAR1")
    with pytest.raises(ValueError, match="Not a whole Parquet file.*torn.parquet"):
        tables.read(str(tmp_path / "torn.parquet"), "embedding")


def test_bad_input_is_refused(tmp_path):
    with pytest.raises(ValueError, match="as many vectors as codewords.*num_codewords=256"):
        make(tmp_path, num_categories=256)
    with pytest.raises(ValueError, match="Give embeddings.*Received: embeddings='', decode=''"):
        make(tmp_path, embeddings="")
    with pytest.raises(FileNotFoundError, match="Received: embeddings='nowhere.npy'"):
        make(tmp_path, embeddings="nowhere.npy")
    with pytest.raises(FileNotFoundError, match="must hold the IDs.*Received: output_dir="):
        program.run(Config(decode="ids.npy", output_dir=str(tmp_path / "empty")))
    for wrong, rule in (
        (np.full([9, 2], np.inf), "must be finite.*9 rows.* in .*wrong.npy"),
        (np.zeros(9), "must be numbers .M, D.*in .*wrong.npy"),
        (np.array([["a"]], object), "a whole .npy file.*wrong.npy"),
    ):
        np.save(tmp_path / "wrong.npy", wrong)
        with pytest.raises(ValueError, match=rule):
            make(tmp_path, embeddings=str(tmp_path / "wrong.npy"))


def test_nothing_but_ids_is_replaced(tmp_path):
    np.save(tmp_path / "ids.npy", X)
    with pytest.raises(FileExistsError, match="folder that holds ids.npy"):
        make(tmp_path, embeddings=str(tmp_path / "ids.npy"), output_dir=str(tmp_path))
    np.testing.assert_array_equal(np.load(tmp_path / "ids.npy"), X)
    make(tmp_path)
    again = make(tmp_path, num_categories=4)
    assert json.loads((tmp_path / "out/report.json").read_text())["num_categories"] == 4
    (tmp_path / "out/notes.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="notes.txt"):
        make(tmp_path)
    assert json.loads((tmp_path / "out/report.json").read_text()) == {**again, "ids": "ids.npy"}


def test_damaged_files_are_named(tmp_path):
    make(tmp_path)
    asked = Config(decode=str(tmp_path / "out/ids.npy"), output_dir=str(tmp_path / "out"))
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (35184372088832, 4), }"
    size = (len(header) + 1).to_bytes(2, "little")
    (tmp_path / "huge.npy").write_bytes(b"\x93NUMPY\x01\x00" + size + header + b"\n")
    with pytest.raises(ValueError, match="huge.npy.*a header of .* bytes in all, a file of"):
        make(tmp_path, embeddings=str(tmp_path / "huge.npy"))
    whole = (tmp_path / "out/quantizer.keras").read_bytes()
    middle = len(whole) // 2
    damaged = whole[:middle] + bytes([whole[middle] ^ 255]) + whole[middle + 1 :]
    (tmp_path / "out/quantizer.keras").write_bytes(damaged)
    with pytest.raises(ValueError, match="Make the IDs again.*quantizer.keras"):
        program.run(asked)
    inputs = keras.Input([4])
    keras.Model(inputs, keras.layers.Dense(2)(inputs)).save(tmp_path / "out/quantizer.keras")
    with pytest.raises(ValueError, match="residual quantiser.*Dense"):
        program.run(asked)
    (tmp_path / "out/quantizer.keras").write_bytes(whole)
    program.run(asked)
    (tmp_path / "out/report.json").write_text('{"ids": "../items.npy"}')
    with pytest.raises(ValueError, match="report of semantic IDs.*items.npy"):
        program.run(asked)


def test_its_files_load_in_a_new_process_that_imports_the_package_alone(made, tmp_path):
    assert small_runs.loaded_afresh(made[0] / "out", tmp_path) == {"quantizer.keras"}
