"""Two replicas train as one device does: the checks of `two_devices`, in one process of its own."""

import ast
import json
import pathlib

import pytest

from tests import forked

CHECKS = [
    node.name
    for path in sorted(pathlib.Path(__file__).parent.glob("*_checks.py"))
    for node in ast.parse(path.read_text()).body
    if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
]


SLOW = {
    "test_averages_agree_after_a_step",
    "test_counters_schedules_and_noise",
    "test_codebooks_are_those_of_one_device",
    "test_dead_codewords_come_back_on_all_replicas",
}
"""Seconds each; that layers train alike and that nothing merges in a forward pass stays in `make test`."""


def _answers(checks):
    """What went wrong in each check; empty where nothing did."""
    words = ("-m", "tests.conformance.two_devices", *checks)
    done = forked.run(*words, cwd=forked.ROOT, timeout=600)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def answers():
    return _answers([check for check in CHECKS if check not in SLOW])


@pytest.fixture(scope="module")
def slow_answers():
    return _answers(sorted(SLOW))


@pytest.mark.parametrize("check", [check for check in CHECKS if check not in SLOW])
def test_on_two_devices(check, answers):
    assert not answers[check], answers[check]


@pytest.mark.slow
@pytest.mark.parametrize("check", sorted(SLOW))
def test_training_on_two_devices(check, slow_answers):
    assert not slow_answers[check], slow_answers[check]
