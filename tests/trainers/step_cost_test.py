"""The cost of a step, of models that take a known time."""

from __future__ import annotations

import pytest

from tf_discrete import datasets
from trainers.comparison import step_cost


class Clock:
    def __init__(self) -> None:
        self.now = 0.0
        self.turns: list[str] = []

    def __call__(self) -> float:
        return self.now


class Model:
    """Takes `seconds` for a step on a clock that does not run by itself, and longer to compile."""

    def __init__(self, name: str, clock: Clock, seconds: float, steps_per_execution: int = 1):
        self.name, self.clock, self.seconds = name, clock, seconds
        self.steps_per_execution = steps_per_execution
        self.calls, self.compiled = 0, False

    def make_train_function(self) -> None:
        self.compiled = True

    def train_function(self, data) -> dict[str, float]:
        assert self.compiled
        for _ in range(self.steps_per_execution):
            assert next(data)["image"].shape == (10, 8, 8, 1)
        self.clock.now += self.steps_per_execution * self.seconds + (0 if self.calls else 100.0)
        self.calls += 1
        self.clock.turns.append(self.name)
        return {"loss": 1.0}


@pytest.fixture
def clock(monkeypatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(step_cost.time, "perf_counter", made)
    return made


def test_the_ratio_is_of_steps_and_without_the_first_turn(clock):
    split = datasets.get("digits", "train", max_examples=50)
    models = {
        "slow": Model("slow", clock, 0.004, 3),
        "reference": Model("reference", clock, 0.001),
        "same": Model("same", clock, 0.001, 40),
    }
    found = step_cost.measure(models, split, 10, "reference", rounds=3)
    assert found == {
        "slow": {"ratio": 4.0, "low": 4.0, "high": 4.0, "step_milliseconds": 4.0},
        "reference": {"ratio": 1.0, "low": 1.0, "high": 1.0, "step_milliseconds": 1.0},
        "same": {"ratio": 1.0, "low": 1.0, "high": 1.0, "step_milliseconds": 1.0},
    }
    # At least 40 steps in each of 1 + 3 turns.
    assert [model.calls for model in models.values()] == [14 * 4, 40 * 4, 1 * 4]


def test_a_machine_that_gets_slower_does_not_change_the_ratio(clock):
    split = datasets.get("digits", "train", max_examples=50)

    class Slowing(Model):
        def train_function(self, data):
            factor = 1.5**self.calls
            self.seconds *= factor
            logs = super().train_function(data)
            self.seconds /= factor
            return logs

    models = {name: Slowing(name, clock, s, 40) for name, s in (("one", 1.0), ("two", 2.0))}
    found = step_cost.measure(models, split, 10, "one", rounds=5)
    assert found["two"]["ratio"] == found["two"]["low"] == found["two"]["high"] == 2.0
    assert found["one"]["step_milliseconds"] > 1500


def test_they_take_turns(clock):
    split = datasets.get("digits", "train", max_examples=50)
    step_cost.measure({n: Model(n, clock, 1.0, 40) for n in "abc"}, split, 10, "a", rounds=6)
    rounds = ["".join(clock.turns[i : i + 3]) for i in range(0, 21, 3)]
    assert all(sorted(order) == ["a", "b", "c"] for order in rounds)
    assert len(set(rounds)) > 1
