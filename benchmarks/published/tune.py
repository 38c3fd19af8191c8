"""Gives each estimator settings of its own: python -m benchmarks.published.tune --model=structured.

Trains the trials of `benchmarks.published.tuning` that are not recorded, for each estimator of a task of the
Gumbel-Softmax paper, and scores them by a bound of 100 samples on the validation images. A part of them:

    python -m benchmarks.published.tune --model="structured prediction, Bernoulli" --estimators=muprop,darn

Where all trials of an estimator are recorded, the table has a row with its best settings, which
`benchmarks.published.train` trains.
"""

from __future__ import annotations

import dataclasses
import gc
import pathlib
from typing import Any

from benchmarks import help_flag, provenance, store
from benchmarks.published import tuning
from benchmarks.published.cells import Cell
from benchmarks.published.gumbel_softmax import base_cells
from trainers.common import command_line
from trainers.flags.config import check, option, to_json

if not help_flag.GIVEN:
    import keras

    from tf_discrete import evaluation
    from trainers.common import callbacks, task
    from trainers.common import run as run_lib


@dataclasses.dataclass(frozen=True)
class Config:
    """Which estimators are tuned."""

    model: str = option("", "Only models whose name holds this.")
    estimators: tuple[str, ...] = option((), "Only these. Default: all.")
    data_dir: str = option("", "Folder of prepared TFDS data. Default: TFDS's own.")
    output_dir: str = option("runs/tuning", "Folder of the runs.")


def run(config: Config) -> None:
    """Trains the trials that are missing; each is recorded at once, and a killed one continues."""
    check(config)
    chosen = [
        cell
        for cell in base_cells()
        if config.model in cell.model and cell.estimator in (config.estimators or (cell.estimator,))
    ]
    if not chosen:
        raise ValueError(
            "No row of the table has this model and estimator. Received: "
            f"model={config.model!r}, estimators={config.estimators!r}"
        )
    records = store.read(tuning.RESULTS)
    todo = [
        (cell, number)
        for cell in chosen
        for number in range(tuning.TRIALS)
        if tuning.name(cell, number) not in records
    ]
    for done, (cell, number) in enumerate(todo, 1):
        print(f"\ntrial {done} of {len(todo)}: {tuning.name(cell, number)}", flush=True)
        train(cell, number, config)


def train(cell: Cell, number: int, config: Config) -> None:
    """Trains one trial of a cell, and records its bound on the validation images."""
    made = provenance.record()
    keras.backend.clear_session()
    gc.collect()
    trained, trial = task.get(cell.trainer), tuning.trials(cell)[number]
    name = tuning.name(cell, number)
    settings = trained.config_class(
        **{**cell.settings, **trial, "bound_samples": tuning.BOUND_SAMPLES},
        epochs=tuning.EPOCHS,
        data_dir=config.data_dir,
        output_dir=str(pathlib.Path(config.output_dir) / name),
    )
    try:
        result: dict[str, Any] = run_lib.train(trained, settings, _score)
    except callbacks.TrainingDiverged as error:
        result = {"diverged": str(error)}
    command = provenance.command(to_json(settings), trained)
    record = {"name": name, "trial": trial, **result, "command": command, "provenance": made}
    store.append(tuning.RESULTS, record)


def _score(model: Any, config: Any, _: Any, splits: Any) -> dict[str, Any]:
    validation = splits["validation"]
    batches = validation.batches(min(100, len(validation)))
    bound = evaluation.evaluate_bound(model, batches, config.bound_samples)
    return {
        "bound_nats": bound.mean_nats,
        "bound_standard_error_nats": bound.standard_error_nats,
        "bound_samples": bound.num_samples,
    }


if __name__ == "__main__":
    command_line.start(Config, lambda: run, __doc__)
