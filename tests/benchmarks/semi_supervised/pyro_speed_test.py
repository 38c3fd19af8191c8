"""The race against Pyro: what is compared has one objective, and the table says what was measured."""

from __future__ import annotations

import pytest

from benchmarks.semi_supervised import pyro_speed as race


def _facts(**losses: float) -> dict:
    return {
        name: {"start_loss_nats": loss, "standard_error_nats": 0.1} for name, loss in losses.items()
    }


def test_losses_that_agree_up_to_chance_are_accepted():
    race.check_losses(_facts(ours=500.0, pyro=500.4, pyro_shared=499.5))


def test_another_objective_is_refused():
    with pytest.raises(ValueError, match="one objective only.* Received: pyro with a loss of 502"):
        race.check_losses(_facts(ours=500.0, pyro=502.0))


def test_the_table_compares_with_the_fastest():
    result = {
        "command": "python -m benchmarks.semi_supervised.pyro_speed",
        "milliseconds_per_step": {
            "ours": [10.0, 10.0],
            "pyro": [40.0, 44.0],
            "pyro_shared": [30.0, 20.0],
        },
        "facts": _facts(ours=500.0, pyro=500.0, pyro_shared=500.25),
        "steps": 20,
        "threads": 1,
        "provenance": {
            **{"processor": "a processor", "cores": 2, "load": 0.5},
            **{"versions": {"python": "3.11"}, "date": "2026-01-01"},
        },
    }
    lines = race.table(result).splitlines()
    assert "image's part computed once) takes **2.50 times** as long" in lines[0]
    assert "500.00 +- 0.10 nats here and 500.25 +- 0.10 there" in lines[0]
    assert lines[4].startswith("| tf_discrete: fit | 10.00 | 10.00 to 10.00 |") and len(lines) == 9
    assert lines[8].startswith(
        "1 threads, python 3.11; a processor, 2 cores, load before the run 0.5; 2026-01-01"
    )
