"""The cost of estimators: the table, and a real measurement in a process of its own."""

from __future__ import annotations

import os

import pytest

from benchmarks.speed import estimator_cost


def test_the_table_has_a_column_for_each_commit():
    cost = {"ratio": 1.5, "low": 1.4, "high": 1.6, "step_milliseconds": 3.0}
    record = {
        "commits": {
            "aaaa": {"categorical": {"arm": cost}},
            "bbbb": {"bernoulli": {"disarm": cost}},
        },
        "command": "python -m x",
        "provenance": {"processor": "P", "cores": 2, "load": 0.1, "date": "2026-01-01"},
    }
    text = estimator_cost.table(record)
    assert "| `arm` | 20 x 10 | 1.50 |  | 3.00 |  |" in text
    assert "| `disarm` | 200 x 2 |  | 1.50 |  | 3.00 |" in text


@pytest.mark.slow
@pytest.mark.skipif("TF_DISCRETE_DATA_DIR" not in os.environ, reason="needs TF_DISCRETE_DATA_DIR")
def test_a_checkout_is_measured(monkeypatch):
    from tf_discrete import estimators

    monkeypatch.setattr(estimators, "names", lambda: ["straight_through", "semantic_hashing"])
    found = estimator_cost.measure(rounds=1)
    assert set(found["categorical"]) == {"straight_through", "gumbel_softmax"}
    assert set(found["bernoulli"]) == {"semantic_hashing", "gumbel_softmax"}
    assert found["bernoulli"]["gumbel_softmax"]["ratio"] == 1.0
