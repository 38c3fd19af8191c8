"""The trainer gives the committed numbers on the digits."""

from __future__ import annotations

import copy
import pathlib

from tests.golden import categorical_vae as golden


def test_the_run_gives_the_golden_numbers(finished: pathlib.Path):
    expected = golden.golden()
    tolerance = expected.pop("tolerance")
    version = expected.pop("tensorflow")
    found = golden.summary(finished)
    lines = golden.differences(found, expected, tolerance)
    assert lines == [], f"made with TensorFlow {version}; see {golden.__name__}"


def test_a_small_change_is_noticed():
    expected = golden.golden()
    changed = copy.deepcopy(expected)
    changed["epochs"][-1]["train/loss"] *= 1 + 3 * expected["tolerance"]
    del changed["result"]["steps"]
    lines = golden.differences(changed, expected, expected["tolerance"])
    assert len(lines) == 2
    assert lines[0].startswith("/epochs[4]/train/loss: ")
    assert lines[1] == "/result/steps: only on one side"


def test_a_count_may_move_by_a_near_tie_and_no_more():
    expected = {"validation/accuracy": 0.25, "validation/loss": 10.0}
    assert golden.differences({**expected, "validation/accuracy": 0.257}, expected, 1e-4) == []
    assert len(golden.differences({**expected, "validation/accuracy": 0.29}, expected, 1e-4)) == 1
    assert len(golden.differences({**expected, "validation/loss": 10.02}, expected, 1e-4)) == 1
