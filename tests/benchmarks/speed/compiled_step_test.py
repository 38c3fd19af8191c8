"""The exported step: it holds all that it reads, and computes the loss of TensorFlow where JAX runs it."""

from __future__ import annotations

import json
import pathlib

import numpy as np
import pytest

from benchmarks.speed import compiled_step
from benchmarks.speed.setting import Setting

SETTING = Setting("linear_bernoulli", 10, "float32", 1, 2)


@pytest.mark.slow
def test_the_step_is_exported_with_its_inputs(tmp_path: pathlib.Path):
    compiled_step.export(SETTING, tmp_path)
    said = json.loads((tmp_path / "setting.json").read_text())
    assert 400 < said["loss"] < 700 and "loss" in said["logs"]
    assert (tmp_path / "step.mlir").stat().st_size > 10_000
    with np.load(tmp_path / "inputs.npz") as arrays:
        shapes = [arrays[name].shape for name in arrays.files]
    assert (20, 28, 28, 1) in shapes  # The images of a turn.
    assert shapes.count((784, 200)) == shapes.count((200, 784)) == 3  # With both moments of Adam.


@pytest.mark.slow
def test_jax_computes_the_loss_of_tensorflow(tmp_path: pathlib.Path):
    pytest.importorskip("jax", reason="tf_discrete[bench] is not installed")
    compiled_step.export(SETTING, tmp_path)
    said = json.loads((tmp_path / "setting.json").read_text())
    _, facts = compiled_step.make(tmp_path, said["logs"])
    assert facts["first_loss"] == pytest.approx(said["loss"], rel=1e-3)
