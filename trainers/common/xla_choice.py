"""Whether XLA makes the steps of a run faster: measured once, and recorded in the folder of the run."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import numpy as np
import tensorflow as tf

from tf_discrete import datasets
from tf_discrete._internal import checks, reading
from tf_discrete._internal.writing import write_json
from tf_discrete.models import DiscreteModel
from tf_discrete.models.compiled_loop import CompiledLoop

from .run_directory import RunDirectory, read_json

FILE = "execution.json"
"""In the folder of a run: the choice and the measurement. A run that continues keeps the choice."""

_EXPECTED = "the choice of a run, an object with jit_compile, true or false"
_REMEDY = "Remove it; the run measures again."
SECONDS = 1.0
"""Seconds of training with and without XLA, after both are compiled."""
ADVANTAGE = 0.95
"""XLA is chosen if it takes less than this share of the time."""

Data: TypeAlias = "tf.data.Dataset | datasets.IndexedBatches"
TrainFunction: TypeAlias = Callable[[Iterator[Any]], dict[str, Any]]


def choose(directory: RunDirectory, model: DiscreteModel, data: Data) -> bool:
    """Returns whether XLA compiles the steps of a run: as recorded, or as a measurement says.

    Args:
        directory: Of the run.
        model: Compiled, with its `steps_per_execution`. Its variables are left as they were.
        data: What `fit` will train on.
    """
    path = directory.path / FILE
    if path.exists():
        with reading.reading(path, _EXPECTED, _REMEDY):
            return checks.flag("jit_compile", read_json(path)["jit_compile"])
    milliseconds = measure(model, data)
    use = milliseconds["on"] < ADVANTAGE * milliseconds["off"]
    write_json(path, {"jit_compile": use, "milliseconds_per_step": milliseconds})
    print(
        f"jit_compile={'on' if use else 'off'}: a step takes {milliseconds['on']:.3g} ms with XLA, "
        f"{milliseconds['off']:.3g} ms without"
    )
    return use


def measure(model: DiscreteModel, data: Data) -> dict[str, float]:
    """Returns the median milliseconds of a training step with XLA ("on") and without ("off").

    They take turns, each for one execution. All variables are restored afterwards.
    """
    variables = {id(v): v for v in [*model.variables, *model.optimizer.variables]}.values()
    before, chosen = [np.array(v) for v in variables], model.jit_compile
    size = model.steps_per_execution
    try:
        turns = {name: _turn(model, data, name == "on") for name in ("off", "on")}
        seconds: dict[str, list[float]] = {name: [] for name in turns}
        for turn in turns.values():
            turn()  # Compiles.
        end = time.perf_counter() + SECONDS
        while time.perf_counter() < end or len(seconds["on"]) < 3:
            for name, turn in turns.items():
                seconds[name].append(turn())
    finally:
        model.jit_compile, model.train_function = chosen, None
        for variable, value in zip(variables, before, strict=True):
            variable.assign(value)
    return {
        name: round(1000 * statistics.median(values) / size, 4) for name, values in seconds.items()
    }


def _turn(model: DiscreteModel, data: Data, jit_compile: bool) -> Callable[[], float]:
    """Returns a function that trains for one execution and returns its seconds."""
    model.jit_compile = jit_compile
    function: TrainFunction
    if isinstance(data, datasets.IndexedBatches):
        function, batches = CompiledLoop(model, data), iter(data.blocks(model.steps_per_execution))
    else:
        model.make_train_function(force=True)
        function, batches = model.train_function, iter(data)

    def turn() -> float:
        began = time.perf_counter()
        float(function(batches)["loss"])  # Waits for the device.
        return time.perf_counter() - began

    return turn
