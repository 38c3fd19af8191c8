"""The benchmark of search, on few codes: every method is measured, and the table says so."""

import pytest
import tensorflow as tf

from benchmarks import store
from benchmarks.speed import search as search_speed
from tf_discrete.models import CategoricalVAE, SemanticHashingAutoencoder
from trainers.common.finished_run import FinishedRun
from trainers.common.run_directory import RunDirectory
from trainers.flags.run import RunConfig

pytest.importorskip("faiss", reason="FAISS is an extra")


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """Writes results to a folder of the test, with the threads that TensorFlow has begun with."""
    monkeypatch.setattr(store, "RESULTS", tmp_path)
    for setter in ("set_intra_op_parallelism_threads", "set_inter_op_parallelism_threads"):
        monkeypatch.setattr(tf.config.threading, setter, lambda count: None)


def test_every_method_is_measured_in_one_run(capsys):
    flags = ["--codes=3000", "--clusters=30", "--queries=20", "--rounds=3", "--threads=1"]
    search_speed.main(flags)
    result = store.read("search_speed")["random"]
    assert list(result["methods"]) == list(search_speed.NAMES)
    for row in result["methods"].values():
        assert len(row["queries_per_second"]) == 3 and min(row["queries_per_second"]) > 0
        assert 0.5 < row["recall"] <= 1.0
    assert result["methods"]["faiss_flat"]["recall"] == 1.0
    assert result["methods"]["exact"]["mebibytes"] < 0.1
    assert result["command"].endswith(
        "--codes=3000 --clusters=30 --queries=20 --rounds=3 --threads=1"
    )
    printed = capsys.readouterr().out
    assert all(f"| {name} |" in printed for name in search_speed.NAMES.values())


def use_model(monkeypatch, model):
    """Makes every run that of a model of digits."""
    run = FinishedRun(RunDirectory("none"), RunConfig(), model)
    monkeypatch.setattr(search_speed.finished_run, "load", lambda path, data_dir: run)


def test_codes_of_a_run_are_measured_and_said_to_be(capsys, monkeypatch):
    use_model(monkeypatch, SemanticHashingAutoencoder((8, 8, 1), num_bits=16, hidden_units=(8,)))
    flags = ["--run=runs/digits", "--codes=3000", "--queries=20", "--rounds=1", "--threads=1"]
    search_speed.main([*flags, "--data_dir=/data"])
    result = store.read("search_speed")["images"]
    assert result["setting"]["dataset"] == "digits" and result["setting"]["bits"] == 16
    assert 100 < result["distinct_codes"] < 3000
    rows = result["methods"]
    assert rows["faiss_flat"]["recall"] == 1.0
    assert rows["faiss_flat"]["distance"] == rows["exact"]["distance"] < 4
    assert "--run=runs/digits --data_dir=$TF_DISCRETE_DATA_DIR --codes=3000" in result["command"]
    assert "of digits images, moved, turned and scaled" in capsys.readouterr().out


def test_codes_of_many_categories_are_refused(monkeypatch):
    use_model(monkeypatch, CategoricalVAE((8, 8, 1), 2, 3, hidden_units=(8,)))
    with pytest.raises(ValueError, match="binary codes. Received: run='x' with num_categories=3"):
        search_speed.main(["--run=x"])
