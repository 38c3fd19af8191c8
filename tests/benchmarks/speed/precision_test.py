"""The comparison of precisions: a real training of each, at toy length, and the table."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from benchmarks import store
from benchmarks.speed import precision


@pytest.mark.slow
def test_each_variant_is_trained_once(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "RESULTS", tmp_path)
    policy = keras.config.dtype_policy()
    config = precision.Config(
        dataset="digits", max_examples=120, epochs=2, num_seeds=1, bound_samples=2, batch_size=20
    )
    try:
        text = precision.run(config)
        assert precision.run(config) == text
    finally:
        keras.config.set_dtype_policy(policy)
    records = store.read(precision.RESULTS)
    bounds = [records[f"{name}, seed 0"]["bound_nats"] for name in precision.VARIANTS]
    assert np.isfinite(bounds).all() and len(records) == 3
    assert bounds[0] == pytest.approx(bounds[1], rel=1e-3)
    assert bounds[0] != bounds[2] and bounds[0] == pytest.approx(bounds[2], rel=0.05)


def test_the_table_has_means_over_seeds():
    records = {
        f"{name}{seed}": {
            **{"status": "finished", "variant": name, "bound_nats": -100.0 - seed},
            **{"epochs": 10, "bound_samples": 100},
            "provenance": {"processor": "P", "cores": 2, "date": "2026-01-01"},
        }
        for name in list(precision.VARIANTS)[:2]
        for seed in (0, 2)
    }
    text = precision.table(records)
    assert text.count("| -101.00 +- 1.41 | 2 |") == 2 and "bfloat16, compiled loop |" not in text
