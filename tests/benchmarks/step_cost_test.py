"""The cost of a row without a run: measured by the trainer itself, recorded once, shown in hours."""

from __future__ import annotations

import pytest

from benchmarks import cost, step_cost, store
from benchmarks.published import cells as cells_lib
from benchmarks.published import report
from benchmarks.semi_supervised import few_labels
from trainers.common import task

SMALL = {
    "dataset": "digits",
    "binarization": "threshold",
    "max_examples": 60,
    "batch_size": 10,
    "hidden_units": (),
    "num_variables": 2,
    "num_categories": 3,
    "pictures_every": 0,
}
CELL = cells_lib.Cell(
    "concrete", "small", "gumbel_softmax", 40.0, "categorical_vae", SMALL, 100, 2, "none", "small"
)


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """A folder of results with no runs, and a published table of one cell and its double."""
    monkeypatch.setattr(store, "RESULTS", tmp_path)
    double = CELL._replace(model="again", name="again", epochs=7)
    monkeypatch.setattr(cells_lib, "TABLES", {"concrete": lambda: [CELL, double]})
    monkeypatch.setattr(cost, "TABLES", {"concrete": None})
    monkeypatch.setattr(few_labels, "table", lambda: [])


def append(milliseconds: float, epoch_end: float, settings=SMALL) -> None:
    record = {
        "name": "some/cell",
        "trainer": "categorical_vae",
        "settings": step_cost.comparable(settings),
        "milliseconds": [milliseconds / 2, milliseconds, 9 * milliseconds],
        "epoch_end_seconds": [epoch_end],
        "steps_per_epoch": 500,
    }
    store.append(step_cost.RESULTS, record)


def test_hours_of_steps_and_of_the_ends_of_epochs():
    append(3.0, 0.3)
    found = step_cost.find("categorical_vae", {**SMALL, "seed": 3, "epochs": 9, "bound_samples": 7})
    assert found == step_cost.StepCost(3.0, 0.3, 500)
    assert found.hours(1_000_000) == pytest.approx((3000 + 2000 * 0.3) / 3600)
    assert step_cost.find("categorical_vae", {**SMALL, "batch_size": 20}) is None
    assert step_cost.find("structured_prediction", SMALL) is None


def test_a_row_that_is_not_run_has_its_hours_and_those_of_the_paper():
    assert report.row(CELL)[3:] == ("not run", "", "0 of 2", "", "0", "", "", "", "")
    append(3.0, 0.3)
    assert report.row(CELL)[6:] == ("50000", "0", "about 0.05", "about 10", "1", "")
    assert report.effort("concrete") == (
        "What it took: 0 runs. Missing: runs of 2 rows, about 0.1 hours on 1 core.\n"
    )


def test_a_longer_row_takes_as_long_a_step_as_the_recorded_one():
    longer = CELL.lengthened(1000, "500000 steps")
    cells_lib.TABLES["concrete"] = lambda: [CELL, longer]
    result = {"training_seconds": 200.0, "steps": 50_000, "epochs": 100}
    record = {"name": CELL.run(0), "status": "finished", "result": result}
    store.append(CELL.results, {**record, "provenance": {"cores": 2}})
    assert report.cost_of(longer) == step_cost.StepCost(4.0, 0.0, 500, cores=2)
    assert report.row(longer)[6:] == ("500000", "0", "about 0.56", "about 11", "2", "")
    assert not list(cost.missing())


def test_each_configuration_is_missing_once_until_it_is_measured():
    assert [row.name for row in cost.missing()] == ["none/small"]
    append(3.0, 0.3)
    assert not list(cost.missing())


def test_every_row_of_few_labels_that_is_asked_for_is_measured(monkeypatch):
    row = few_labels.Row("paper", 100, "enumeration")
    monkeypatch.setattr(few_labels, "table", lambda: [row, row._replace(labels=600)])
    assert [row.name for row in cost.missing()] == [
        "none/small",
        "few_labels/paper-100-enumeration-0",
    ]


@pytest.mark.slow
def test_the_trainer_itself_is_measured_and_recorded_once(capsys):
    cost.measure_all(cost.Config(steps=2))
    assert "1 of 1: none/small" in capsys.readouterr().out
    (record,) = store.read(step_cost.RESULTS).values()
    assert len(record["milliseconds"]) == step_cost.EPOCHS - 1
    assert len(record["epoch_end_seconds"]) == step_cost.EPOCHS - 2
    assert min(record["milliseconds"]) > 0 and record["steps_per_epoch"] == 6
    assert (
        record["command"] == "python -m benchmarks.cost --steps=2 --data_dir=$TF_DISCRETE_DATA_DIR"
    )
    cost.measure_all(cost.Config(steps=2))
    assert len(store.path_of(step_cost.RESULTS).read_text().splitlines()) == 1


@pytest.mark.slow
@pytest.mark.parametrize("average", [0.0, 0.9])
def test_semi_supervised_training_is_measured_with_its_labels(average):
    settings = {
        **{"dataset": "digits", "max_examples": 300, "hidden_units": (8,), "style_size": 2},
        **{"labels_per_class": 2, "batch_size": 50, "weight_average": average},
    }
    found = step_cost.measure(task.get("semi_supervised"), settings, steps=3)
    assert len(found["milliseconds"]) == step_cost.EPOCHS - 1 and found["steps_per_epoch"] == 6
