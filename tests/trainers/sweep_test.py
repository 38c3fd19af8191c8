"""Sweeps: the grid, the choice, and that nothing finished is done twice."""

from __future__ import annotations

import json

import pytest

from tests.trainers import small_runs
from trainers.common import callbacks, finished_run, run, sweep
from trainers.tasks import categorical_vae, structured_prediction

FLAGS = {
    "sweep": True,
    "sweep_learning_rates": (1e-5, 0.01),
    "sweep_temperatures": (0.5,),
    "epochs": 1,
    "early_stopping": 0,
    "max_examples": 120,
    "pictures_every": 0,
    "bound_samples": 5,
}


def config(folder, **changes):
    return small_runs.config(folder, **{**FLAGS, **changes})


def test_the_grid_holds_every_pair_once():
    points = sweep.grid(
        config("f", sweep_learning_rates=(1e-3, 1e-2, 1e-3), sweep_temperatures=(0.5, 1))
    )
    assert list(points) == [
        "learning_rate-0.001-temperature-0.5",
        "learning_rate-0.001-temperature-1",
        "learning_rate-0.01-temperature-0.5",
        "learning_rate-0.01-temperature-1",
    ]
    one = points["learning_rate-0.01-temperature-0.5"]
    assert (one.learning_rate, one.temperature, one.temperature_schedule) == (0.01, 0.5, "constant")
    assert one.output_dir == "f/learning_rate-0.01-temperature-0.5"
    assert not one.sweep and one.epochs == 1
    annealed = sweep.grid(config("f", temperature_schedule="linear"))
    assert {point.temperature_schedule for point in annealed.values()} == {"linear"}


def test_an_estimator_without_a_temperature_sweeps_learning_rates_only():
    points = sweep.grid(config("f", estimator="vimco", sweep_temperatures=()))
    assert list(points) == ["learning_rate-1e-05", "learning_rate-0.01"]
    default = sweep.grid(config("f", sweep_learning_rates=(), sweep_temperatures=()))
    assert len(default) == 9


@pytest.mark.parametrize(
    "changes,message",
    [
        ({"sweep_temperatures": (0.0,)}, "sweep_temperatures must be positive.*0.0"),
        ({"sweep_learning_rates": (-1.0,)}, "sweep_learning_rates must be positive.*-1.0"),
        (
            {"estimator": "vimco", "sweep_temperatures": (), "sweep_learning_rates": (-1.0,)},
            "sweep_learning_rates must be positive.*-1.0",
        ),
        ({"estimator": "vimco"}, "go with an estimator that has a temperature.*vimco"),
        (
            {"sweep_learning_rates": (0.01, 0.0100001)},
            "differ in their first four digits.*learning_rate-0.01-temperature-0.5 twice",
        ),
    ],
)
def test_a_bad_grid_is_refused_before_anything_is_written(changes, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        categorical_vae.run(config(tmp_path / "sweep", **changes))
    assert not (tmp_path / "sweep").exists()


def test_layers_with_temperatures_of_their_own_are_not_swept():
    settings = structured_prediction.Config(sweep=True, num_layers=2, layer_temperatures=(0.7, 0.5))
    with pytest.raises(ValueError, match=r"Leave layer_temperatures out. Received: .*\(0.7, 0.5\)"):
        sweep.grid(settings)


class Killed(BaseException):
    """Nothing that a program would catch."""


class Fits:
    """Notes the folders of the runs that are trained, in order, and kills the one at `die_at`."""

    def __init__(self):
        self.folders, self.die_at, self._fit = [], None, run.fit

    def __call__(self, task, model, settings, splits, steps, directory, *rest):
        self.folders.append(directory.path.name)
        if len(self.folders) == self.die_at:
            raise Killed
        return self._fit(task, model, settings, splits, steps, directory, *rest)


@pytest.fixture
def fits(monkeypatch):
    noted = Fits()
    monkeypatch.setattr(run, "fit", noted)
    return noted


def test_a_sweep_goes_on_with_the_output_bias_that_it_began_with(tmp_path, monkeypatch):
    seen = []

    def outcome(task, settings):
        seen.append((settings.learning_rate, settings.output_bias))
        return {"learning_rate": 1.0, "temperature": 0.5, "diverged": "not trained"}

    monkeypatch.setattr(sweep, "_outcome", outcome)
    for changes in ({"output_bias": "zero"}, {"sweep_learning_rates": (1e-5, 0.01, 0.1)}):
        with pytest.raises(callbacks.TrainingDiverged):
            sweep.run(categorical_vae.TASK, config(tmp_path, **changes))
    assert seen == [(1e-5, "zero"), (0.01, "zero"), (0.1, "zero")]


@pytest.mark.slow
def test_a_sweep_that_was_killed_repeats_nothing_and_finishes_the_best(tmp_path, fits, capsys):
    folder = tmp_path / "sweep"
    slow, fast = "learning_rate-1e-05-temperature-0.5", "learning_rate-0.01-temperature-0.5"
    fits.die_at = 2
    with pytest.raises(Killed):
        categorical_vae.run(config(folder))
    assert list(json.loads((folder / "sweep.json").read_text())) == [slow]
    fits.die_at = None
    result = categorical_vae.run(config(folder))
    assert fits.folders == [slow, fast, fast]
    found = json.loads((folder / "sweep.json").read_text())
    assert found[fast]["bound_nats"] > found[slow]["bound_nats"]
    printed = capsys.readouterr().out
    assert printed.index("     0.01") < printed.index("    1e-05")
    assert f"exported model, is {folder / fast}" in printed
    assert (
        f"{folder / fast}: test results" in printed
    )  # Nothing is to be found in that of the sweep.
    assert f"trainers.evaluate --run={folder / fast} --bound_samples=1000" in printed
    with pytest.raises(ValueError, match="run must be the folder of one training.*a sweep"):
        finished_run.load(str(folder))
    # The best one alone has seen the test split.
    assert result["test/num_examples"] == 120
    assert json.loads((folder / fast / "metrics.json").read_text()) == result
    assert (folder / fast / "saved_model").exists() and not (folder / slow / "saved_model").exists()
    assert "test/bound_nats" not in json.loads((folder / slow / "metrics.json").read_text())

    assert categorical_vae.run(config(folder)) == result  # Nothing is left to do.
    assert len(fits.folders) == 3
    with pytest.raises(ValueError, match="another configuration.*kl_weight=1.0 there, 0.5 here"):
        categorical_vae.run(config(folder, kl_weight=0.5))
    with pytest.raises(ValueError, match="another configuration.*epochs=1 there, 2 here"):
        categorical_vae.run(config(folder, epochs=2))
    larger = config(folder, sweep_learning_rates=(1e-5, 0.01, 1e-6))
    categorical_vae.run(larger)
    assert fits.folders[3:] == ["learning_rate-1e-06-temperature-0.5"]


def test_a_run_that_diverges_loses(tmp_path, monkeypatch):
    def train(task, settings, finish=None):
        if settings.learning_rate > 0.001:
            raise callbacks.TrainingDiverged("Not finite at step 3")
        return {"bound_nats": -5.0, "bound_standard_error_nats": 0.1, "best_epoch": 1}

    monkeypatch.setattr(run, "train", train)
    settings = config(tmp_path / "one")
    best, result = sweep.run(categorical_vae.TASK, settings)
    assert (best.learning_rate, result["bound_nats"]) == (1e-5, -5.0)
    found = json.loads((tmp_path / "one/sweep.json").read_text())
    assert found["learning_rate-0.01-temperature-0.5"]["diverged"] == "Not finite at step 3"
    assert "diverged" in sweep.table(found).splitlines()[-1]
    with pytest.raises(callbacks.TrainingDiverged, match="Every run.*Not finite at step 3"):
        two = config(tmp_path / "two", sweep_learning_rates=(0.01,))
        sweep.run(categorical_vae.TASK, two)


def test_structured_prediction_sweeps_too():
    settings = structured_prediction.Config(sweep=True, output_dir="f")
    points = sweep.grid(settings)
    assert len(points) == 9
    assert all(type(point) is structured_prediction.Config for point in points.values())
