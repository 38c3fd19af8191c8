"""Trials that tune each estimator: as many for all, on validation images, and the row that they make."""

from __future__ import annotations

import dataclasses
import importlib

import pytest

from benchmarks import store
from benchmarks.published import cells as cells_lib
from benchmarks.published import gumbel_softmax, report, tune, tuning
from trainers.flags import config as config_lib

BASE = list(gumbel_softmax.base_cells())
MUPROP = next(cell for cell in BASE if cell.name == "structured-200x2/muprop")


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """A folder of results without records."""
    monkeypatch.setattr(store, "RESULTS", tmp_path)


def test_every_estimator_has_as_many_trials_of_the_same_step_sizes():
    for cell in BASE:
        found = tuning.trials(cell)
        assert len(found) == tuning.TRIALS and found[0] == {}
        own = tuning.OWN.get(cell.estimator, ("",))[0]
        for trial, other in zip(found[1:], tuning.trials(MUPROP)[1:], strict=True):
            assert {name: trial[name] for name in other} == other
            assert set(trial) - set(other) <= {own, "temperature_schedule"} and (
                not own or own in trial
            )
            assert tuning.RATES[0] <= trial["learning_rate"] <= tuning.RATES[1]


@pytest.mark.parametrize("cell", BASE, ids=lambda cell: cell.name)
def test_trials_are_valid_settings(cell):
    config_class = importlib.import_module(f"trainers.flags.{cell.trainer}").Config
    for trial in tuning.trials(cell):
        config_lib.check(config_class(**{**cell.settings, **trial}))


def test_the_best_trial_makes_a_row_once_all_are_recorded():
    before = {cell.model for cell in cells_lib.cells("gumbel_softmax")}
    for number in range(tuning.TRIALS):
        assert tuning.tuned(MUPROP) is None
        score = {"bound_nats": -90.0 + (number == 3)} if number != 5 else {"diverged": "at step 9"}
        store.append(tuning.RESULTS, {"name": tuning.name(MUPROP, number), **score})
    found = tuning.tuned(MUPROP)
    assert found is not None
    assert found.settings == {**MUPROP.settings, **tuning.trials(MUPROP)[3]}
    assert found.name == "structured-200x2-tuned/muprop"
    assert report.row(found)[7] == f"{tuning.TRIALS}"
    after = {cell.model for cell in cells_lib.cells("gumbel_softmax")}
    assert after - before == {"structured prediction, Bernoulli, tuned"}


def test_all_trials_are_of_one_length():
    """Trials of several lengths would be compared with one another."""
    assert not {"epochs", "bound_samples"} & {
        field.name for field in dataclasses.fields(tune.Config)
    }


def test_a_choice_of_no_row_is_refused():
    with pytest.raises(ValueError, match="No row of the table .* Received: model='large'"):
        tune.run(tune.Config(model="large"))


@pytest.mark.slow
def test_a_trial_is_trained_scored_and_recorded_once(tmp_path, monkeypatch):
    settings = {
        **{"dataset": "digits", "binarization": "threshold", "max_examples": 60, "batch_size": 20},
        **{"hidden_units": (), "num_variables": 2, "num_categories": 3, "pictures_every": 0},
        "estimator": "muprop",
    }
    cell = MUPROP._replace(model="small", trainer="categorical_vae", settings=settings)
    monkeypatch.setattr(tune, "base_cells", lambda: [cell])
    for name, value in (("TRIALS", 2), ("EPOCHS", 1), ("BOUND_SAMPLES", 3)):
        monkeypatch.setattr(tuning, name, value)
    config = tune.Config(output_dir=str(tmp_path / "runs"))
    tune.run(config)
    first, second = (store.read(tuning.RESULTS)[tuning.name(cell, number)] for number in (0, 1))
    assert first["trial"] == {} and first["bound_samples"] == 3 and first["bound_nats"] < 0
    assert f"--learning_rate={second['trial']['learning_rate']}" in second["command"]
    monkeypatch.setattr(tune, "train", lambda *_: pytest.fail("trained again"))
    tune.run(config)
