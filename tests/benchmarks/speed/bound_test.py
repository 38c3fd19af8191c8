"""The timing of the bound runs on embedded data and says what it timed."""

from __future__ import annotations

import pytest

from benchmarks import store
from benchmarks.speed import bound as bound_speed


@pytest.mark.slow
def test_every_model_is_timed(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "RESULTS", tmp_path)
    result = bound_speed.run(bound_speed.Config(bound_samples=3))
    assert store.newest("bound_speed") == result
    assert len(result["seconds"]) == 2 * len(bound_speed.SIZES)
    assert all(seconds > 0 for seconds in result["seconds"].values())
    assert result["num_examples"] == 359 and result["peak_memory_mib"] > 0
    table = bound_speed.table(result)
    assert all(f"| {name} |" in table for name in result["seconds"])
    assert "359 images with 3 samples each" in table
