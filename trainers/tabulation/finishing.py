"""The end of a run: scores of the agent, pictures, the model, the SavedModel and metrics.json."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tf_discrete import export, plots
from tf_discrete._internal import writing

from ..common import narration, standard_errors
from ..flags.state_tabulation import Config
from . import environments
from . import rounds as schedule
from .pixels import scale_of
from .training import Training

_ENOUGH = 0.9
"""Share of the best return that counts as solved."""


def finish(training: Training) -> dict[str, Any]:
    """Scores the agent, draws the pictures, and writes the model, the SavedModel and metrics.json."""
    config, directory, agent = training.config, training.directory, training.agent
    rows = directory.history()
    draw = np.random.default_rng([config.seed, 2**31])
    if training.done * config.train_every > schedule.changed_at(config):
        training.environment.change()
    episodes = max(20, config.evaluation_episodes)
    found: dict[str, Any] = {
        "steps": rows[-1]["step"],
        "rounds": len(rows),
        "training_seconds": round(sum(row["seconds"] for row in rows), 1),
        **standard_errors.with_error(
            "test/return", agent.returns(training.environment, episodes, draw)
        ),
        "test/states": len(agent.table),
        **solved(config, rows),
    }
    with narration.phase("Model and SavedModel"):
        with writing.replaced_file(directory.model_path) as new:
            training.model.save(new)
        export.save(
            training.model,
            directory.saved_model_path,
            preprocessing={"scale": scale_of(config)},
            metadata={"run": directory.config()},
            overwrite=True,
        )
    seen = agent.memory.windows(20, config.window, config.seed)["image"][:, 0]
    means = training.model.reconstruct(seen.astype(np.float32) * np.float32(scale_of(config)))
    shown = [_drawable(x) for x in (seen, np.clip(means * config.pixel_scale, 0, 1))]
    drawn = plots.reconstructions(*shown)
    plots.save(drawn, directory.path / "reconstructions.png")
    steps = [row["step"] for row in rows]
    lines = {"without exploration": plots.Line(steps, [row["agent/return"] for row in rows])}
    states = {"in the table": plots.Line(steps, [row["agent/states"] for row in rows])}
    panels = [
        plots.LinePanel("Return", "steps", "discounted return", lines, whole=True),
        plots.LinePanel("States", "steps", "states", states, whole=True),
    ]
    plots.save(plots.comparison(panels, title=config.environment), directory.path / "returns.png")
    writing.write_json(directory.result_path, found)
    return found


def solved(config: Config, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Returns the steps to 90 % of the best return of a maze, before and after its change."""
    if config.environment not in environments.names():
        return {}
    before, after = environments.mazes_of(config.environment)
    change = schedule.changed_at(config)
    found: dict[str, Any] = {}
    for name, maze, begin, end in (
        ("steps_to_90_percent", before, 0, change),
        ("steps_to_recover", after, change, math.inf),
    ):
        if not math.isfinite(begin):
            continue
        enough = _ENOUGH * maze.best_return(config.discount)
        steps = [row["step"] for row in rows if row["agent/return"] >= enough]
        within = [step for step in steps if begin <= step - config.train_every < end]
        found[name] = within[0] - begin if within else None
    return found


def _drawable(pictures: np.ndarray) -> np.ndarray:
    """Pictures with one or three channels: of stacked frames the last."""
    return pictures if pictures.shape[-1] in (1, 3) else pictures[..., -1:]
