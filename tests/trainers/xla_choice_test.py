"""The choice of XLA by a measurement: recorded, kept, and without a trace in the model."""

from __future__ import annotations

import itertools
import json
import pathlib
import types

import numpy as np
import pytest
import tensorflow as tf

from tests.trainers import small_runs
from tf_discrete import datasets
from tf_discrete.models import CategoricalVAE, DiscreteModel, compiled_loop
from trainers.common import xla_choice
from trainers.common.run_directory import RunDirectory


@pytest.mark.one_in(2)
@pytest.mark.parametrize("on,chosen", [(1.0, True), (1.95, False)])
def test_the_choice_is_recorded_and_kept(on, chosen, tmp_path: pathlib.Path, monkeypatch, capsys):
    seen: list[bool] = []
    monkeypatch.setattr(xla_choice, "measure", lambda model, data: {"on": on, "off": 2.0})
    monkeypatch.setattr(
        "trainers.common.run.DiscreteModel.fit",
        lambda self, *args, **kwargs: seen.append(bool(self.jit_compile)),
    )
    for _ in range(2):
        small_runs.train(tmp_path, jit_compile="measure", epochs=1)
        monkeypatch.setattr(xla_choice, "measure", None)  # Not a second time.
    assert seen == [chosen, chosen]
    recorded = json.loads((tmp_path / xla_choice.FILE).read_text())
    assert recorded == {"jit_compile": chosen, "milliseconds_per_step": {"on": on, "off": 2.0}}
    name = "on" if chosen else "off"
    assert f"jit_compile={name}: a step takes {on:.3g} ms with XLA, 2 ms without" in (
        capsys.readouterr().out
    )


@pytest.mark.slow
@pytest.mark.parametrize("in_loop", [False, True])
def test_a_measurement_leaves_the_model_as_it_was(in_loop, monkeypatch):
    monkeypatch.setattr(xla_choice, "SECONDS", 0.0)
    model, batches = small_model_and_batches()
    variables = [*model.variables, *model.optimizer.variables]
    before = [np.array(variable) for variable in variables]
    found = xla_choice.measure(model, batches if in_loop else batches.stream())
    assert found.keys() == {"on", "off"} and min(found.values()) > 0
    for variable, value in zip(variables, before, strict=True):
        np.testing.assert_array_equal(variable, value, err_msg=variable.path)
    assert not model.jit_compile and model.train_function is None


@pytest.mark.parametrize(("drop_remainder", "steps"), [(True, 4), (False, 9)])
def test_only_whole_blocks_are_timed(drop_remainder, steps, monkeypatch):
    """Six or seven steps an epoch: the last block has fewer, and a block of nine there is not."""
    monkeypatch.setattr(xla_choice, "SECONDS", 0.0)
    model, _ = small_model_and_batches()
    model.steps_per_execution = steps
    data = datasets.get("digits", "train", max_examples=65)
    batches = data.indexed_batches(10, drop_remainder=drop_remainder)
    clock, taken = itertools.count(), []
    ticking = types.SimpleNamespace(perf_counter=lambda: float(next(clock)))
    monkeypatch.setattr(xla_choice, "time", ticking)

    def train(self, blocks):
        block = next(blocks)
        taken.append(int(block.steps) + int(block.has_rest))
        return {"loss": 0.0}

    monkeypatch.setattr(compiled_loop.CompiledLoop, "__call__", train)
    monkeypatch.setattr(compiled_loop.CompiledLoop, "trace", lambda self: None)
    whole = min(steps, batches.steps_per_epoch)
    found = xla_choice.measure(model, batches)
    assert set(taken) == {whole} and len(taken) >= 6
    assert found["off"] == round(1000 / whole, 4)


def prints(update):
    """A training step with an operation that XLA does not have."""

    def step(self, data, unseen):
        tf.print("a step", output_stream="file:///dev/null")
        return update(self, data, unseen)

    return step


def fails_in_a_loop(update):
    """A training step that cannot be traced in a loop."""

    def step(self, data, unseen):
        if "while" in tf.compat.v1.get_default_graph().name:
            raise RuntimeError("Not in a loop.")
        return update(self, data, unseen)

    return step


def small_model_and_batches():
    batches = datasets.get("digits", "train", max_examples=60).indexed_batches(10)
    model = CategoricalVAE((8, 8, 1), num_variables=2, num_categories=3, hidden_units=())
    model.compile("adam", jit_compile=False, steps_per_execution=2)
    model.optimizer.build(model.trainable_variables)
    return model, batches


@pytest.mark.filterwarnings("ignore:The loop runs without XLA")
@pytest.mark.parametrize("in_loop", [False, True])
def test_a_step_that_xla_refuses_is_trained_without_it(in_loop, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(xla_choice, "SECONDS", 0.0)
    monkeypatch.setattr(DiscreteModel, "update", prints(DiscreteModel.update))
    model, batches = small_model_and_batches()
    data = batches if in_loop else batches.stream()
    assert not xla_choice.choose(RunDirectory(tmp_path), model, data)
    recorded = json.loads((tmp_path / xla_choice.FILE).read_text())
    assert recorded["milliseconds_per_step"].keys() == {"off"}
    assert "jit_compile=off: XLA does not compile the step" in capsys.readouterr().out


@pytest.mark.slow
def test_a_step_that_cannot_be_in_a_loop_is_measured_without(monkeypatch):
    monkeypatch.setattr(xla_choice, "SECONDS", 0.0)
    monkeypatch.setattr(DiscreteModel, "update", fails_in_a_loop(DiscreteModel.update))
    model, batches = small_model_and_batches()
    with pytest.warns(UserWarning, match="cannot be traced in a loop: Not in a loop."):
        assert xla_choice.measure(model, batches).keys() == {"off", "on"}


@pytest.mark.parametrize("text", ['{"jit_compile": "False"}', "{}", "{", '{"jit_compile": 1}'])
def test_a_damaged_choice_is_named(text, tmp_path: pathlib.Path):
    (tmp_path / xla_choice.FILE).write_text(text)
    with pytest.raises(ValueError, match="execution.json"):
        xla_choice.choose(RunDirectory(tmp_path), None, None)
