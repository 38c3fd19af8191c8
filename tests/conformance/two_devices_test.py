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


@pytest.fixture(scope="module")
def answers():
    """What went wrong in each check; empty where nothing did."""
    done = forked.run("-m", "tests.conformance.two_devices", cwd=forked.ROOT, timeout=600)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("check", CHECKS)
def test_on_two_devices(check, answers):
    assert not answers[check], answers[check]
