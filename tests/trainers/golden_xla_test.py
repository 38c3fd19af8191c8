"""The trainers give the committed numbers where XLA compiles their steps."""

from __future__ import annotations

import pathlib
from typing import Any

import pytest

from tests.golden import categorical_vae, semantic_hashing, semi_supervised

golden = categorical_vae
RUNS = [
    categorical_vae,
    pytest.param(semantic_hashing, marks=pytest.mark.slow),
    pytest.param(semi_supervised, marks=pytest.mark.slow),
]


@pytest.mark.parametrize("small", RUNS, ids=lambda module: module.__name__.rsplit(".", 1)[-1])
def test_the_compiled_run_gives_the_golden_numbers(small: Any, tmp_path: pathlib.Path):
    expected = golden.golden(golden.compiled(small.FILE))
    tolerance, version = expected.pop("tolerance"), expected.pop("tensorflow")
    small.run(tmp_path / "run", jit_compile="on")
    lines = golden.differences(golden.summary(tmp_path / "run"), expected, tolerance)
    assert lines == [], f"made with TensorFlow {version}; see {small.__name__}"
