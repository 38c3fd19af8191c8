"""The published tables: their configurations are valid, runs are recorded once, the report reads them."""

from __future__ import annotations

import importlib

import pytest

from benchmarks import store
from benchmarks.published import cells as cells_lib
from benchmarks.published import report, train
from trainers.flags import config as config_lib

ALL = [cell for table in cells_lib.TABLES for cell in cells_lib.cells(table)]


@pytest.fixture
def small(tmp_path, monkeypatch) -> cells_lib.Cell:
    """A table of one cell on embedded digits, kept in a folder of its own."""
    cell = cells_lib.Cell(
        table="gumbel_softmax",
        model="small",
        estimator="reinmax",
        published=40.0,
        trainer="categorical_vae",
        settings={
            "dataset": "digits",
            "max_examples": 60,
            "batch_size": 20,
            "hidden_units": (),
            "num_variables": 2,
            "num_categories": 3,
            "bound_samples": 3,
            "pictures_every": 0,
            "estimator": "reinmax",
        },
        epochs=1,
        num_seeds=1,
        results="published-small",
        name="small/reinmax",
    )
    monkeypatch.setattr(store, "RESULTS", tmp_path / "results")
    monkeypatch.setitem(cells_lib.TABLES, "gumbel_softmax", lambda: iter([cell]))
    return cell


def test_every_cell_is_kept_in_a_place_of_its_own():
    assert len({(cell.results, cell.name) for cell in ALL}) == len(ALL)


@pytest.mark.parametrize("cell", ALL, ids=lambda cell: f"{cell.model}, {cell.estimator}")
def test_the_configuration_of_a_cell_is_valid(cell):
    config_class = importlib.import_module(f"trainers.flags.{cell.trainer}").Config
    config_lib.check(config_class(**cell.settings, epochs=cell.epochs))
    assert config_class(**cell.settings).estimator == cell.estimator


def test_an_unknown_table_is_refused():
    with pytest.raises(ValueError, match="table must be one of .* Received: table='other'"):
        cells_lib.cells("other")


@pytest.mark.slow
def test_a_table_is_trained_once_and_reported(small, tmp_path, monkeypatch, capsys):
    assert "| small | `reinmax` | 40.0 | not run |" in report.table("gumbel_softmax")
    settings = train.Config(output_dir=str(tmp_path / "runs"), pictures=str(tmp_path / "pictures"))
    train.run(settings)
    kept = store.read("published-small")["small/reinmax-0"]
    assert kept["seed"] == 0 and kept["status"] == "finished"
    assert "--num_variables=2" in kept["command"] and "output_dir" not in kept["command"]
    bound = kept["result"]["test/bound_nats"]
    other = {"result": {**kept["result"], "test/bound_nats": bound - 2}}
    store.append("published-small", {**kept, "name": "small/reinmax-1", **other})
    mean = 1 - bound
    row = report.table("gumbel_softmax").splitlines()[2]
    assert f"| {mean:.2f} +- 1.41 |" in row and f"| {mean - 40:+.2f} | 2 | 3" in row
    assert [model for model, _ in report.curves("gumbel_softmax")] == ["small"]
    assert (tmp_path / "pictures/published-small.png").stat().st_size > 1000

    def fail(*_):
        raise AssertionError("trained again")

    monkeypatch.setattr(train, "train", fail)
    train.run(settings)


@pytest.mark.parametrize(("renew", "expected"), [(False, [1]), (True, [0, 1])])
def test_runs_without_their_commit_are_trained_again_if_asked(
    small, tmp_path, monkeypatch, renew, expected
):
    for seed, made in ((0, {}), (2, {"commit": "a" * 40})):
        store.append("published-small", {"name": small.run(seed), "provenance": made})
    monkeypatch.setattr(report, "save_curves", lambda *_: [])
    trained = []
    monkeypatch.setattr(train, "train", lambda cell, seed, _: trained.append(seed))
    train.run(train.Config(num_seeds=3, renew=renew, output_dir=str(tmp_path)))
    assert trained == expected


def test_a_choice_of_no_cell_is_refused(small):
    with pytest.raises(ValueError, match="No cell of the table .* Received: model='large'"):
        train.run(train.Config(model="large"))


@pytest.mark.parametrize(
    ("model", "expected"),
    [("deep small", {"deep small"}), ("small", {"small"}), ("deep", {"deep small"})],
)
def test_a_whole_name_chooses_that_model_alone(small, tmp_path, monkeypatch, model, expected):
    models = [small, small._replace(model="deep small", name="small/deep")]
    monkeypatch.setitem(cells_lib.TABLES, "gumbel_softmax", lambda: models)
    trained = set()
    monkeypatch.setattr(train, "train", lambda cell, *_: trained.add(cell.model))
    train.run(train.Config(model=model, output_dir=str(tmp_path), pictures=str(tmp_path)))
    assert trained == expected
