"""The table of few labels: its runs are valid, kept once and read with their own settings only."""

from __future__ import annotations

import pytest

from benchmarks import store
from benchmarks.semi_supervised import few_labels as study
from benchmarks.semi_supervised import few_labels_report as report
from trainers.common import callbacks
from trainers.flags import config as config_lib
from trainers.tasks.semi_supervised import Config as TrainerConfig

ROW = study.Row("paper_short", 100, "enumeration")
SMALL = {
    "dataset": "digits",
    "max_examples": 300,
    "hidden_units": (8,),
    "style_size": 2,
    "epochs": 1,
    "bound_samples": 2,
    "pictures_every": 0,
}


@pytest.fixture
def small(tmp_path, monkeypatch) -> study.Config:
    """One row, on few embedded digits, kept in a folder of its own."""
    monkeypatch.setattr(study, "SETTINGS", SMALL)
    monkeypatch.setattr(store, "RESULTS", tmp_path / "results")
    return study.Config(
        variants=("paper_short",),
        labels=(100,),
        inference=("enumeration",),
        num_draws=1,
        output_dir=str(tmp_path / "runs"),
    )


@pytest.mark.parametrize("row", list(study.table()), ids=lambda row: "-".join(map(str, row)))
def test_the_settings_of_a_row_are_valid(row):
    settings = TrainerConfig(**row.settings(3))
    config_lib.check(settings)
    assert settings.labels_per_class * 10 == row.labels
    assert settings.label_seed == settings.seed == 3


def test_every_row_is_kept_in_a_place_of_its_own():
    rows = list(study.table())
    assert len({row.name(0) for row in rows}) == len(rows)


@pytest.mark.slow
def test_a_row_is_trained_once_and_reported(small, monkeypatch):
    row_of = {cells[:3]: cells for cells in report.cells()}
    assert row_of["paper_short", "100", "`enumeration`"][3:] == (
        *("", "92.6 %", "", "", "-106.8", "", "not run", ""),
    )
    trainer = study.semi_supervised
    monkeypatch.setattr(trainer.results, "write_model", lambda *_: None)
    monkeypatch.setattr(trainer.plots, "save", lambda *_, **__: None)
    monkeypatch.setattr(trainer.classification, "figures", lambda *_: {})
    study.run(small)
    kept = store.read("few_labels")[ROW.name(0)]
    assert "--max_examples=300" in kept["command"] and "output_dir" not in kept["command"]
    assert {"test/accuracy", "validation/accuracy", "test/calibration_error", "best_epoch"} <= set(
        kept["result"]
    )
    assert [len(values) for values in kept["history"].values()] == [1, 1]

    def fail(*_):
        raise AssertionError("trained again")

    monkeypatch.setattr(study, "train", fail)
    study.run(small)
    monkeypatch.setattr(study, "SETTINGS", {**SMALL, "epochs": 2})
    assert ROW.run(0) is None  # It was made with other settings.
    with pytest.raises(AssertionError, match="trained again"):
        study.run(small)


def test_the_table_shows_mean_deviation_and_difference(small):
    for draw, accuracy in enumerate((0.9, 0.92, None)):
        result = {
            "test/accuracy": accuracy,
            "test/hard_elbo_nats": -100.0 - draw,
            "training_seconds": 120.0,
        }
        kept = {"settings": ROW.settings(draw), "provenance": {"cores": 2}}
        result = result if accuracy else {}
        store.append("few_labels", {"name": ROW.name(draw), **kept, "result": result})
    (cells,) = [cells for cells in report.cells() if cells[-1]]
    assert cells[3:6] == ("91.0 +- 1.4 %", "92.6 %", "-1.6")
    assert cells[6:] == ("-100.50 +- 0.71", "-106.8", "+6.30", "2, 1 diverged", "2 min, 2 cores")


def test_a_run_that_diverges_is_kept_as_such(small, monkeypatch):
    def diverge(settings):
        raise callbacks.TrainingDiverged("at step 9")

    monkeypatch.setattr(study.semi_supervised, "run", diverge)
    study.run(small)
    kept = ROW.run(0)
    assert kept is not None and kept["diverged"] == "at step 9" and kept["result"] == {}


@pytest.mark.parametrize(
    "changes", [{"labels": (50,)}, {"variants": ("other",)}, {"inference": ("none",)}]
)
def test_a_row_that_is_not_of_the_table_is_refused(changes):
    (name,) = changes
    with pytest.raises(ValueError, match=f"{name} must be of .* Received: {name}="):
        study.run(study.Config(**changes))


def test_the_curve_is_that_of_the_recorded_runs():
    rows = report.curve()
    first = store.read("few_labels")["paper-100-gumbel_softmax-0"]
    assert [row[0] for row in rows][:3] == ["540", "1080", "2700"]
    assert rows[-1][1] == "113" and rows[-1][3] == f"{100 * first['history']['accuracy'][-1]:.1f} %"


def test_the_curve_of_a_run_that_diverged_ends_early(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "RESULTS", tmp_path)
    for inference, epochs in (("enumeration", 1), ("gumbel_softmax", 2)):
        row = study.Row("paper", 100, inference)
        result = {"epochs": 2, "steps": 20} if epochs == 2 else {}
        about = {"settings": row.settings(0), "history": {"accuracy": [0.5, 0.75][:epochs]}}
        store.append("few_labels", {"name": row.name(0), "result": result, **about})
    assert [row[2:] for row in report.curve()] == [("50.0 %", "50.0 %"), ("", "75.0 %")]


def test_changes_are_compared_with_the_unchanged_run(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "RESULTS", tmp_path)
    for name, accuracy in (("short", 0.85), ("short_style", 0.8)):
        row = study.Row(name, 100, "gumbel_softmax")
        result = {"test/accuracy": accuracy, "validation/accuracy": accuracy}
        result |= {"test/hard_elbo_nats": -99.0, "training_seconds": 60.0}
        about = {"settings": row.settings(0), "provenance": {"cores": 1}}
        store.append("few_labels", {"name": row.name(0), "result": result, **about})
    rows = {row[0]: row[1:] for row in report.changes()}
    assert len(rows) == len(study.CHANGES)
    assert rows["none"] == ("85.0 %", "85.0 %", "", "-99.00", "1 min, 1 core")
    assert rows["`--style_size=6`"] == ("80.0 %", "80.0 %", "-5.0", "-99.00", "1 min, 1 core")
    assert rows["`--alpha=1.0`"][0] == "not run"


def test_a_change_differs_from_the_recipe_in_its_own_fields():
    recipe = study.Row("paper", 100, "gumbel_softmax").settings(0)
    for name, change in study.CHANGES.items():
        settings = study.Row(name, 100, "gumbel_softmax").settings(0)
        differing = {field for field in recipe if recipe[field] != settings[field]}
        assert differing == {"epochs", *change}
