"""How long a step of training takes under each estimator, as a ratio within one run.

Other work on a machine comes and goes. So the estimators take turns, each for a few steps a round, and
each is compared with the reference in the same round.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import tqdm

from tf_discrete import datasets
from tf_discrete.models import DiscreteModel

STEPS = 40
"""Training steps in a turn, rounded up to whole calls of the compiled step."""


def measure(
    models: Mapping[str, DiscreteModel],
    split: datasets.Split,
    batch_size: int,
    reference: str,
    rounds: int,
) -> dict[str, dict[str, float]]:
    """Times the training step of compiled models on the same data; it trains them on the way.

    Args:
        models: by name of their estimator, compiled.
        split: of training.
        batch_size: images in a step.
        reference: whose step counts as 1.
        rounds: after one that warms up.

    Returns:
        cost: of each, the ratio to the reference (median over the rounds, and its quartiles `low` and
            `high`) and the median milliseconds of a step.
    """
    turns = {name: _turn(model, split, batch_size) for name, model in models.items()}
    order = list(turns)
    seconds: dict[str, list[float]] = {name: [] for name in turns}
    random = np.random.default_rng(0)
    for round_number in tqdm.tqdm(range(rounds + 1), "cost of a step", disable=None, leave=False):
        for name in order:
            taken = turns[name]()
            if round_number:  # The first one compiles.
                seconds[name].append(taken)
        random.shuffle(order)
    own = np.array(seconds[reference])
    return {name: _cost(np.array(values), own) for name, values in seconds.items()}


def _turn(model: DiscreteModel, split: datasets.Split, batch_size: int) -> Callable[[], float]:
    """A function that trains some steps and says how many seconds a step took."""
    model.make_train_function()
    data = _endless(split, batch_size)
    steps = int(model.steps_per_execution)
    calls = -(-STEPS // steps)

    def turn() -> float:
        began = time.perf_counter()
        for _ in range(calls):
            logs = model.train_function(data)
        float(logs["loss"])  # Waits for the device.
        return (time.perf_counter() - began) / (calls * steps)

    return turn


def _endless(split: datasets.Split, batch_size: int) -> Iterator[Any]:
    return iter(split.batches(batch_size, shuffle=True, repeat=True, drop_remainder=True))


def _cost(seconds: np.ndarray, reference: np.ndarray) -> dict[str, float]:
    low, ratio, high = np.quantile(seconds / reference, [0.25, 0.5, 0.75])
    return {
        "ratio": round(float(ratio), 4),
        "low": round(float(low), 4),
        "high": round(float(high), 4),
        "step_milliseconds": round(1000 * float(np.median(seconds)), 4),
    }
