"""The comparison of states for reinforcement learning: its runs at toy length, and its table."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from benchmarks import store
from benchmarks.state_tabulation import dqn, study
from benchmarks.state_tabulation.setting import Config

pytest.importorskip("gymnasium", reason="needs the extra 'rl'")


def test_what_is_measured_is_recorded_once(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "RESULTS", tmp_path)
    rows = [{"agent/return": 0.7, "agent/states": 9 + k, "step": 500 * (k + 1)} for k in range(4)]
    monkeypatch.setattr(study, "trained_rows", lambda settings: rows)
    contenders = ("true", "gumbel_softmax", "dqn")
    config = Config(mazes=("t_maze",), contenders=contenders, num_seeds=1, steps=1000)
    text = study.run(config)
    assert text == study.run(config)
    records = store.read("state_tabulation")
    assert len(records) == 3  # With the study itself. DQN needs another interpreter.
    found = records["t_maze-gumbel_softmax-seed=0"]
    # 0.7 is 95 % of the best return, 0.95 ** 6.
    assert found["steps_to_90_percent"] == 500 and found["steps_to_recover"] == 500
    assert (found["states"], found["states_after"]) == (10, 12)
    assert "| t_maze | VaST, `gumbel_softmax` | 500 | 500 | 10 of 9 cells | 1 |" in text
    assert text.index("true state (limit)") < text.index("VaST")


def test_the_table_counts_the_runs_that_came_there():
    assert study._steps([500, None, 1500]) == "1000 (500 to 1500, 2 of 3)"
    assert study._steps([None, None]) == "never"
    assert study._steps([500]) == "500"


def test_projections_are_bits_of_a_picture():
    settings = study.settings_of(Config(), "t_maze", "projection", 0)
    assert settings.estimator == "gumbel_softmax" and settings.change_at == 10_000
    encode = study.projections(settings)
    environment = study.environments.make("t_maze")
    x, _ = environment.reset(seed=0)
    codes = encode(np.stack([x, x]))
    assert codes.shape == (2, settings.num_bits // 8) and (codes[0] == codes[1]).all()
    y, _ = environment.reset(seed=1)
    assert (encode(y[np.newaxis]) != codes[:1]).any()  # Noise changes the state: it is the control.


def test_bad_contenders():
    with pytest.raises(ValueError, match="nobody"):
        study.run(Config(contenders=("nobody",)))
    with pytest.raises(ValueError, match="An environment must be one of"):
        study.run(Config(mazes=("labyrinth",)))


@pytest.mark.slow
def test_the_trainer_is_run(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "RESULTS", tmp_path)
    config = Config(mazes=("ring",), contenders=("straight_through",), num_seeds=1, steps=1000)
    assert "VaST, `straight_through`" in study.run(config)


class Agent:
    """Of stable-baselines3, as far as it is asked: it goes up."""

    num_timesteps = 0

    def predict(self, x, deterministic):
        assert x.dtype == np.float32 and x.max() < 11  # Multiples of the noise.
        return np.array([0]), None


def test_dqn_is_scored_and_explores_as_the_others():
    settings = study.settings_of(Config(steps=1000), "h_maze", "dqn", 0)
    environment = dqn.scaled(study.environments.make("h_maze"), settings)
    agent = Agent()
    assert dqn.mean_return(agent, environment, settings, 0) == 0.0
    dqn.explore(agent, settings)
    found = []
    for agent.num_timesteps in (0, 999, 1000, 2000, 3000, 9000):
        found.append(agent.exploration_schedule(0.123))
    assert found == [1.0, 1.0, 1.0, 0.5, 0.1, 0.1]


def test_an_interpreter_without_dqn_is_refused_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "RESULTS", tmp_path)
    with pytest.raises(
        ValueError, match="pip install stable-baselines3.*dqn_python='/none/python'"
    ):
        study.run(Config(dqn_python="/none/python"))
    with pytest.raises(ValueError, match="multiple.*Received: steps=700, train_every=500"):
        study.run(Config(steps=700))
    assert list(tmp_path.iterdir()) == []


def test_a_table_holds_one_comparison(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "RESULTS", tmp_path)
    rows = [{"agent/return": 0.0, "agent/states": 9, "step": 500 * (k + 1)} for k in range(4)]
    monkeypatch.setattr(study, "trained_rows", lambda settings: rows)
    given = {"mazes": ("ring",), "contenders": ("disarm",), "num_seeds": 1}
    study.run(Config(**given, steps=1000))
    with pytest.raises(ValueError, match="A table holds the cells of one study"):
        study.run(Config(**given, steps=1500))


def test_dqn_needs_no_keras():
    """Its interpreter has stable-baselines3 and need not have what this package needs."""
    without = "import sys; sys.modules['keras'] = sys.modules['tensorflow'] = None; "
    words = [sys.executable, "-c", without + "import benchmarks.state_tabulation.dqn"]
    subprocess.run(words, check=True, cwd=store.ROOT)
