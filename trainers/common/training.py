"""The command of a trainer: one run or a sweep, and its results on the screen."""

from __future__ import annotations

from typing import Any

from . import results, sweep
from . import run as run_lib
from .task import Task


def run(task: Task, config: Any) -> dict[str, Any]:
    """Trains the model of a configuration, or continues; returns what metrics.json holds."""
    if getattr(config, "sweep", False):
        config, result = sweep.run(task, config)
    else:
        config = run_lib.with_output_dir(config, task.name)
        result = run_lib.train(task, config)
    if result:  # A worker that is not the chief has none.
        results.print_result(config, result)
    return result
