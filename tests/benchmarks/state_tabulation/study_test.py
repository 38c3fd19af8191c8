"""The comparison of states for reinforcement learning: its runs at toy length, and its table."""

from __future__ import annotations

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
    assert len(records) == 2  # DQN needs another interpreter.
    found = records["t_maze-gumbel_softmax-steps=1000-seed=0"]
    # 0.7 is 95 % of the best return, 0.95 ** 6.
    assert found["steps_to_90_percent"] == 500 and found["steps_to_recover"] == 500
    assert (found["states"], found["states_after"]) == (10, 12)
    assert "| t_maze | VaST, `gumbel_softmax` | 500 | 500 | 10 of 11 cells | 1 |" in text
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
    config = Config(mazes=("ring",), contenders=("straight_through",), num_seeds=1, steps=500)
    assert "VaST, `straight_through`" in study.run(config)


def test_returns_of_another_program(monkeypatch):
    class Agent:
        def predict(self, x, deterministic):
            return np.array([0]), None  # Up, where the way ends.

    settings = {"evaluation_episodes": 2, "episode_steps": 3, "discount": 0.5}
    assert dqn.mean_return(Agent(), study.environments.make("t_maze"), settings, 0) == 0.0
