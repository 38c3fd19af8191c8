"""Trains what a published table lacks: python -m benchmarks.published.train --table=gumbel_softmax.

Every run is added to benchmarks/results as soon as it is finished, and is not trained again. A killed run
continues from its last epoch. At the end it plots the learning curves of all recorded runs. Parts of a table:

    python -m benchmarks.published.train --table=gumbel_softmax --model=structured \
        --estimators=gumbel_softmax,reinmax --num_seeds=3 --data_dir=$TF_DISCRETE_DATA_DIR

`--renew` trains runs again that were recorded without their commit. `python -m tools.tables --write` then
fills the tables of docs/published.md.
"""

from __future__ import annotations

import dataclasses
import gc
import pathlib
from typing import Any

from benchmarks import help_flag, provenance, record, store
from benchmarks.published.cells import TABLES, Cell, cells
from trainers.common import command_line
from trainers.flags.config import check, option, to_json

if not help_flag.GIVEN:
    import keras

    from benchmarks.published import report
    from tf_discrete._internal.writing import write_json
    from trainers.common import callbacks, task
    from trainers.common import run as run_lib
    from trainers.comparison import compare_estimators, compared_runs

BOUND_SAMPLES = 1000
"""Samples of the bounds that the papers report, unless a cell has its own number."""


@dataclasses.dataclass(frozen=True)
class Config:
    """Which cells are trained, and where."""

    table: str = option("gumbel_softmax", "Which table.", choices=tuple(TABLES))
    model: str = option("", "Only the model of this name, or else those whose name holds it.")
    estimators: tuple[str, ...] = option((), "Only these. Default: all of the table.")
    num_seeds: int = option(0, "Runs of each cell. 0: as many as the table asks for.", lower=0)
    epochs: int = option(0, "Of each run. 0: as many as the table asks for.", lower=0)
    renew: bool = option(False, "Train runs again that were recorded without their commit.")
    data_dir: str = option("", "Folder of prepared TFDS data. Default: TFDS's own.")
    output_dir: str = option("runs/published", "Folder of the runs.")
    pictures: str = option(str(store.IMAGES), "Folder for the learning curves of recorded runs.")


def run(config: Config) -> None:
    """Trains and keeps the runs that are missing, one seed after the other."""
    check(config)
    known = cells(config.table)
    named = [cell for cell in known if cell.model == config.model]
    chosen = [
        cell
        for cell in named or known
        if config.model in cell.model and cell.estimator in (config.estimators or (cell.estimator,))
    ]
    if not chosen:
        raise ValueError(
            "No cell of the table has this model and estimator. Received: "
            f"model={config.model!r}, estimators={config.estimators!r}"
        )
    todo = [
        (cell, seed)
        for seed in range(max(config.num_seeds or cell.num_seeds for cell in chosen))
        for cell in chosen
        if seed < (config.num_seeds or cell.num_seeds)
        and _is_missing(store.read(cell.results).get(cell.run(seed)), config.renew)
    ]
    for number, (cell, seed) in enumerate(todo, 1):
        print(f"\nrun {number} of {len(todo)}: {cell.model}, {cell.estimator}, seed {seed}")
        train(cell, seed, config)
    for path in report.save_curves(config.table, pathlib.Path(config.pictures)):
        print(f"learning curves: {path}")


def _is_missing(kept: dict[str, Any] | None, renew: bool) -> bool:
    return kept is None or (renew and not kept["provenance"].get("commit"))


def train(cell: Cell, seed: int, config: Config) -> None:
    """Trains one run of a cell, or goes on with it, and keeps it."""
    made = provenance.record()
    keras.backend.clear_session()
    gc.collect()
    trained = task.get(cell.trainer)
    own = "renewed" if config.renew else ""
    folder = pathlib.Path(config.output_dir) / own / cell.results / cell.run(seed)
    settings: Any = trained.config_class(
        **{"bound_samples": BOUND_SAMPLES, **cell.settings},
        seed=seed,
        epochs=config.epochs or cell.epochs,
        data_dir=config.data_dir,
        output_dir=str(folder),
    )
    try:
        run_lib.train(trained, settings, compare_estimators.finish)
    except callbacks.TrainingDiverged as error:
        write_json(folder / compared_runs.DIVERGED, {"message": str(error)})
    found = compared_runs.read_run(folder)
    if found is None or found["status"] == "unfinished":
        raise RuntimeError(f"A run has come to no end. Run the command again. Received: {folder}")
    kept = record.kept_run(found, cell.estimator, to_json(settings), folder)
    kept["provenance"] |= {name: made[name] for name in ("date", "commit")}
    command = provenance.command(to_json(settings), trained)
    store.append(cell.results, {"name": cell.run(seed), **kept, "command": command})


if __name__ == "__main__":
    command_line.start(Config, lambda: run, __doc__)
