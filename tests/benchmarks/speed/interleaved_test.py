"""Contenders are processes that take turns; what they say comes back."""

from __future__ import annotations

import sys

import pytest

from benchmarks.speed import interleaved as turns

CONTENDER = """
from benchmarks.speed import interleaved as turns

def make():
    print("noise of a library")
    return iter(range(9)), {facts}

turns.serve(make, ["numpy", "none-such"])
"""


@pytest.mark.slow
def test_a_race_of_processes():
    commands = {
        name: [sys.executable, "-c", CONTENDER.replace("{facts}", facts)]
        for name, facts in (("ours", "{}"), ("theirs", "{'start': 3}"))
    }
    found = turns.race(commands, rounds=3, steps=10, threads=1)
    assert {name: len(values) for name, values in found["milliseconds_per_step"].items()} == {
        "ours": 3,
        "theirs": 3,
    }
    assert found["last_loss_nats"] == {"ours": 4, "theirs": 4}  # After two turns of warm-up.
    assert found["facts"] == {"theirs": {"start": 3}}
    assert set(found["provenance"]["versions"]) == {"python", "numpy"}


def test_a_contender_that_fails_is_named():
    with pytest.raises(RuntimeError, match="theirs ended with status 3"):
        turns.race({"theirs": [sys.executable, "-c", "raise SystemExit(3)"]}, 2, 10, 1)


def test_summary():
    times = {"ours": [1.0, 2.0, 4.0], "pyro_a": [2.0, 6.0, 8.0], "pyro_b": [9.0, 9.0, 9.0]}
    compared = turns.summary(times, "ours", "pyro")
    assert compared["best"] == "pyro_a" and compared["ratios"] == [2.0, 3.0, 2.0]
    assert compared["median"] == 2.0
    assert "median of 3 rounds of 5 steps" in turns.spread(compared, 5)
