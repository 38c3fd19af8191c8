"""Measures what the rows take that have no run: python -m benchmarks.cost --data_dir=$TF_DISCRETE_DATA_DIR.

Every configuration of the published tables and of the table of few labels that lacks a run, and whose cost is
not known, trains for some steps on one core, see `benchmarks.step_cost`. Each is recorded in
benchmarks/results/step_cost.jsonl at once, and the same command goes on after an interruption.
`python -m tools.tables --write` then writes the hours into the tables.
"""

from __future__ import annotations

import dataclasses
import gc
from collections.abc import Iterator
from typing import Any, NamedTuple

from benchmarks import help_flag, provenance, store
from benchmarks.published.cells import TABLES, cells
from trainers.common import command_line
from trainers.flags.config import check, option

if not help_flag.GIVEN:
    import keras
    import tensorflow as tf

    from benchmarks import step_cost
    from benchmarks.published import report
    from benchmarks.semi_supervised import few_labels
    from trainers.common import task


STEPS = 50
"""Steps of a short epoch."""


@dataclasses.dataclass(frozen=True)
class Config:
    """How long each row is measured."""

    steps: int = option(STEPS, "Training steps of each of the short epochs.", lower=1)
    data_dir: str = option("", "Folder of prepared TFDS data. Default: TFDS's own.")


class Missing(NamedTuple):
    """A configuration without a run: its name, and what is trained."""

    name: str
    trainer: str
    settings: dict[str, Any]


def run(config: Config) -> None:
    """Measures all that is missing, on one core."""
    check(config)
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    measure_all(config)


def measure_all(config: Config) -> None:
    """Measures all that is missing, and records each at once."""
    todo = list(missing())
    for number, row in enumerate(todo, 1):
        made = provenance.record()
        keras.backend.clear_session()
        gc.collect()
        found = step_cost.measure(
            task.get(row.trainer), row.settings, config.steps, config.data_dir
        )
        command = (
            f"python -m benchmarks.cost --steps={config.steps} --data_dir=$TF_DISCRETE_DATA_DIR"
        )
        store.append(
            step_cost.RESULTS, {"name": row.name, **found, "command": command, "provenance": made}
        )
        print(f"{number} of {len(todo)}: {row.name}, {found['milliseconds']} ms a step", flush=True)


def missing() -> Iterator[Missing]:
    """Yields the configurations without a run whose cost is not known, each once."""
    seen: list[tuple[str, dict[str, Any]]] = []
    for row in _without_run():
        key = row.trainer, step_cost.comparable(row.settings)
        if key not in seen and step_cost.find(row.trainer, row.settings) is None:
            seen.append(key)
            yield row


def _without_run() -> Iterator[Missing]:
    for name in TABLES:
        for cell in cells(name):
            if not report.runs(cell) and not report.cost_of(cell):
                yield Missing(f"{cell.results}/{cell.name}", cell.trainer, cell.settings)
    records = store.read(few_labels.RESULTS)
    for row in few_labels.table():
        if row.num_draws and not row.run(0, records):
            settings = row.settings(0)
            yield Missing(f"{few_labels.RESULTS}/{row.name(0)}", "semi_supervised", settings)


if __name__ == "__main__":
    command_line.start(Config, lambda: run, __doc__)
