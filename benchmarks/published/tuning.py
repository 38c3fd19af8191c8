"""Trials that give every estimator of the Gumbel-Softmax paper's table settings of its own.

All estimators have the same number of trials, of the same random step sizes and weight decays, with a
temperature or a slope where they have one. The first trial has the settings of the table. They are scored on
validation images, see `benchmarks.published.tune`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks import store
from benchmarks.published.cell import Cell

RESULTS = "tuning"
TRIALS = 8
EPOCHS = 20
"""Length of a trial, 10 000 steps of 100 images."""
BOUND_SAMPLES = 100
"""Samples of the bound on the validation images, by which trials are compared."""
RATES = (2e-3, 3e-2)
DECAYS = (0.0, 0.02, 0.05)
OWN: dict[str, tuple[str, float, float]] = {
    "gumbel_softmax": ("temperature", 0.5, 2.0),
    "straight_through_gumbel_softmax": ("temperature", 0.5, 2.0),
    "gumbel_rao": ("temperature", 0.25, 2.0),
    "straight_through": ("temperature", 0.5, 2.0),
    "reinmax": ("temperature", 1.0, 2.0),
    "rebar": ("temperature", 0.25, 1.0),
    "slope_annealed_straight_through": ("slope_final", 1.5, 8.0),
}
"""The field that an estimator has of its own, and its lowest and highest value."""


def trials(cell: Cell) -> list[dict[str, Any]]:
    """Returns the fields that each trial changes in the settings of a cell, the first none."""
    random = np.random.default_rng(0)
    found: list[dict[str, Any]] = [{}]
    for _ in range(TRIALS - 1):
        rate, decay, own = random.uniform(), int(random.integers(len(DECAYS))), random.uniform()
        trial: dict[str, Any] = {
            "learning_rate": _between(*RATES, rate),
            "weight_decay": DECAYS[decay],
        }
        if cell.estimator in OWN:
            field, low, high = OWN[cell.estimator]
            trial[field] = _between(low, high, own)
            if field == "temperature":
                trial["temperature_schedule"] = "constant"
        found.append(trial)
    return found


def name(cell: Cell, number: int) -> str:
    """Returns the name of the record of a trial."""
    return f"{cell.name}/trial-{number}"


def tuned(cell: Cell) -> Cell | None:
    """Returns the cell with the settings of its best trial; None until all trials are recorded."""
    records = store.read(RESULTS)
    kept = [records.get(name(cell, number)) for number in range(TRIALS)]
    scores = [(one["bound_nats"], i) for i, one in enumerate(kept) if one and "bound_nats" in one]
    if None in kept or not scores:
        return None
    chosen = trials(cell)[max(scores)[1]]
    path, slash, stem = cell.name.rpartition("/")
    return cell._replace(
        model=f"{cell.model}, tuned",
        settings={**cell.settings, **chosen},
        name=f"{path}-tuned{slash}{stem}",
        results=f"published-{cell.table}",
        sweeps=(),
        trials=TRIALS,
    )


def _between(low: float, high: float, share: float) -> float:
    """Returns a number between two others on a logarithmic scale, with two digits."""
    return float(f"{low * (high / low) ** share:.2g}")
