"""The recovery next to the true state: ratios of means, and who comes within 10 %."""

from __future__ import annotations

from benchmarks.state_tabulation import recovery


def records(**contenders):
    """Contenders with the steps of the seeds of each maze."""
    found = {"study": {"config": {"steps": 9000, "change_at": 4000}}}
    for name, mazes in contenders.items():
        for maze, seeds in mazes.items():
            for seed, steps in enumerate(seeds):
                about = {"maze": maze, "contender": name, "seed": seed, "steps_to_recover": steps}
                found[f"{maze}-{name}-{seed}"] = about
    return found


def test_ratios_and_the_aim():
    text = recovery.table(
        records(
            true={"a": [1000, 2000], "b": [1000, 1000]},
            reinmax={"a": [1000, 2200], "b": [1000, 1200]},
            disarm={"a": [1000, 1000], "b": [1000, None]},
        )
    )
    # The differences of seeds 0 and 1 are 0 and 200; half of their interval is 12.706 * 100.
    assert "| VaST, `reinmax` | 1.07 | 1.10 | +100 +- 1271 | yes | 2 |" in text
    # What never recovers took all 5000 steps.
    assert "| VaST, `disarm` | 0.67 | 3.00 | +750 +- " in text and "| 1 of 2 | 2 |" in text
    assert "`true`" not in text


def test_only_seeds_of_both_are_compared():
    text = recovery.table(
        records(true={"a": [1000]}, reinmax={"a": [500, 9]}, disarm={}, dqn={"a": [2000]})
    )
    assert "| VaST, `reinmax` | 0.50 | -500 | yes | 1 |" in text
    assert text.index("`reinmax`") < text.index("DQN")
