"""A study records each cell once, what diverges too, and is not mixed with another."""

from __future__ import annotations

import pytest

from benchmarks import store
from benchmarks.studies import Study
from trainers.common.callbacks import TrainingDiverged

STUDY = Study("made", {"cores": 2})


@pytest.fixture(autouse=True)
def results(monkeypatch, tmp_path):
    monkeypatch.setattr(store, "RESULTS", tmp_path)


def test_a_cell_is_measured_once():
    measured = []

    def measure():
        measured.append(1)
        return {"nats": 3.0}

    expected = {
        "name": "a",
        "seed": 5,
        "status": "finished",
        "nats": 3.0,
        "provenance": {"cores": 2},
    }
    for _ in range(2):
        assert STUDY.cell("a", measure, seed=5) == expected
    assert len(measured) == 1 and store.read("made") == {"a": expected}


@pytest.mark.parametrize("error", [FloatingPointError, TrainingDiverged])
def test_a_cell_that_diverges_is_recorded_with_its_reason(error):
    def measure():
        raise error("Not finite at step 3: loss.")

    found = STUDY.cell("a", measure, seed=5)
    assert (found["status"], found["seed"]) == ("diverged", 5)
    assert found["message"] == "Not finite at step 3: loss."
    with pytest.raises(ZeroDivisionError):
        STUDY.cell("b", lambda: {"nats": 1 / 0})
    assert set(store.read("made")) == {"a"}


def test_another_study_is_refused():
    config = {"epochs": 1, "num_seeds": 2}
    STUDY.check(config)
    STUDY.begin(config=config)
    STUDY.check({"epochs": 1, "num_seeds": 3, "new": 4}, may_differ=("num_seeds",))
    with pytest.raises(ValueError, match="another --results.*Received: epochs=1 there, 2 here"):
        STUDY.check({**config, "epochs": 2}, may_differ=("num_seeds",))


def test_a_study_is_recorded_when_it_begins_or_changes():
    for config in ({"num_seeds": 2}, {"num_seeds": 2}, {"num_seeds": 3}):
        STUDY.begin(config=config)
    assert len(store.path_of("made").read_text().splitlines()) == 2
    assert store.newest("made", "study")["config"] == {"num_seeds": 3}
