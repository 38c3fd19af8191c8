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
from tf_discrete.models import DiscreteModel, compiled_loop

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
    on, off = milliseconds.get("on"), milliseconds["off"]
    use = on is not None and on < ADVANTAGE * off
    write_json(path, {"jit_compile": use, "milliseconds_per_step": milliseconds})
    said = (
        "XLA does not compile the step"
        if on is None
        else f"a step takes {on:.3g} ms with XLA, {off:.3g} ms without"
    )
    print(f"jit_compile={'on' if use else 'off'}: {said}")
    return use


def measure(model: DiscreteModel, data: Data) -> dict[str, float]:
    """Returns the median milliseconds of a training step without XLA ("off") and with it ("on").

    They take turns, each for one execution. All variables are restored afterwards. "on" is missing where XLA
    does not compile the step.
    """
    variables = {id(v): v for v in [*model.variables, *model.optimizer.variables]}.values()
    before, chosen = [np.array(v) for v in variables], model.jit_compile
    try:
        made = {name: _turn(model, data, jit_compile=name == "on") for name in ("off", "on")}
        turns = {name: turn for name, turn in made.items() if turn is not None}
        seconds: dict[str, list[float]] = {name: [] for name in turns}
        end = time.perf_counter() + SECONDS
        while time.perf_counter() < end or len(seconds["off"]) < 3:
            for name, turn in turns.items():
                seconds[name].append(turn())
    finally:
        model.jit_compile, model.train_function = chosen, None
        for variable, value in zip(variables, before, strict=True):
            variable.assign(value)
    return {name: round(1000 * statistics.median(values), 4) for name, values in seconds.items()}


def _turn(model: DiscreteModel, data: Data, jit_compile: bool) -> Callable[[], float] | None:
    """Returns a function that trains for one execution and returns the seconds of a step; None if refused."""
    model.jit_compile, size = jit_compile, model.steps_per_execution
    loop = compiled_loop.get(model, data) if isinstance(data, datasets.IndexedBatches) else None
    if loop is not None:
        function: TrainFunction = loop
        size = min(size, loop.batches.steps_per_epoch)
        # The last block of an epoch may be shorter.
        blocks = loop.batches.blocks(size).filter(
            lambda block: block.steps + tf.cast(block.has_rest, tf.int32) == size
        )
        batches = iter(blocks)
    else:
        model.make_train_function(force=True)
        function = model.train_function
        batches = iter(data.stream() if isinstance(data, datasets.IndexedBatches) else data)

    def turn() -> float:
        began = time.perf_counter()
        float(function(batches)["loss"])  # Waits for the device.
        return (time.perf_counter() - began) / size

    try:
        turn()  # Compiles.
    except compiled_loop.REFUSED_BY_XLA:
        if not jit_compile:
            raise
        return None
    refused = jit_compile and loop is not None and not loop.uses_xla
    return None if refused else turn
