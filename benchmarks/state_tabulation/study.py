"""Runs the comparison: every contender in every maze, a record for each seed."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from statistics import fmean
from typing import Any

import keras
import numpy as np

from benchmarks import provenance, store, studies
from benchmarks.state_tabulation.setting import DQN, OTHERS, PROJECTION, TRUE, Config
from tf_discrete import estimators
from trainers.common.run_directory import RunDirectory
from trainers.common.tables import markdown
from trainers.flags.config import to_json
from trainers.flags.state_tabulation import Config as RunConfig
from trainers.tabulation import environments, mazes, program

Encode = Callable[[np.ndarray], np.ndarray]
Rows = list[dict[str, Any]]
HEADER = (
    "maze",
    "states",
    "steps to 90 %",
    "steps to recover",
    "states in the table",
    "seeds",
)
WALK = 2000
"""Pictures of a random walk, whose mean the random projections subtract."""


def run(config: Config) -> str:
    """Runs what is missing; returns the table.

    Raises:
        ValueError: A contender or a maze that does not exist.
    """
    for name in config.contenders:
        if name not in OTHERS:
            estimators.get(name, latents="bernoulli")
    for maze in config.mazes:
        environments.make(maze)
    packages = ("gymnasium",)
    study = studies.Study(config.results, provenance.record(packages))
    command = provenance.command_of(
        "benchmarks.state_tabulation", Config, to_json(config), ("dqn_python",)
    )
    for seed in range(config.seed, config.seed + config.num_seeds):
        for maze in config.mazes:
            for name in config.contenders:
                if name == DQN and not config.dqn_python:
                    continue
                measured = partial(measure, config, maze, name, seed)
                about = {"maze": maze, "contender": name, "seed": seed, "command": command}
                study.cell(f"{maze}-{name}-steps={config.steps}-seed={seed}", measured, **about)
    text = table(store.read(config.results))
    print(text)
    return text


def settings_of(config: Config, maze: str, name: str, seed: int) -> RunConfig:
    """The configuration of a run of the trainer; its numbers are the defaults of the flags."""
    estimator: dict[str, Any] = {} if name in OTHERS else {"estimator": name}
    return RunConfig(
        environment=maze, steps=2 * config.steps, change_at=config.steps, seed=seed, **estimator
    )


def measure(config: Config, maze: str, name: str, seed: int) -> dict[str, Any]:
    """Runs one contender in one maze."""
    settings = settings_of(config, maze, name, seed)
    began = time.monotonic()
    if name == DQN:
        rows = dqn_rows(settings, config.dqn_python)
    elif name in (TRUE, PROJECTION):
        rows = table_rows(settings, name)
    else:
        rows = trained_rows(settings)
    change = int(program.changed_at(settings)) // settings.train_every
    states = [row.get("agent/states") for row in rows]
    return {
        **program.solved(settings, environments.make(maze), rows),
        "states": states[change - 1],
        "states_after": states[-1],
        "returns": [round(row["agent/return"], 4) for row in rows],
        "seconds": round(time.monotonic() - began, 1),
        "open_cells": len(environments.mazes_of(maze)[0].open),
    }


def trained_rows(settings: RunConfig) -> Rows:
    """VaST, by the trainer."""
    keras.backend.clear_session()
    with tempfile.TemporaryDirectory() as folder:
        settings = dataclasses.replace(settings, output_dir=str(pathlib.Path(folder) / "run"))
        program.run(settings)
        return RunDirectory(settings.output_dir).history()


def table_rows(settings: RunConfig, name: str) -> Rows:
    """The same agent on states that are not learned."""
    environment: Any = environments.make(settings.environment)
    if name == TRUE:
        environment = TrueState(environment)
    encode = cells if name == TRUE else projections(settings)
    agent = program.make_agent(settings, encode, len(mazes.MOVES))
    rows = []
    for number in range(settings.steps // settings.train_every):
        found = program.play_round(settings, agent, environment, number)
        rows.append({"step": (number + 1) * settings.train_every, **found})
    return rows


class TrueState:
    """A maze whose observation is the cell, uint8 [2]."""

    def __init__(self, environment: environments.MazeEnvironment):
        self.environment, self.change = environment, environment.change

    def reset(self, seed: int | None = None) -> tuple[np.ndarray, dict[str, Any]]:
        self.environment.reset(seed=seed)
        return self._cell(), {}

    def step(self, action: int) -> tuple[Any, ...]:
        _, *others = self.environment.step(action)
        return (self._cell(), *others)

    def _cell(self) -> np.ndarray:
        return np.array(self.environment.cell, np.uint8)


def cells(observations: np.ndarray) -> np.ndarray:
    """The cells themselves."""
    return observations


def projections(settings: RunConfig) -> Encode:
    """Signs of random projections of the picture, from which the mean of a random walk is taken."""
    environment = environments.make(settings.environment)
    draw = np.random.default_rng([settings.seed, 7])
    x, _ = environment.reset(seed=int(draw.integers(2**31)))
    pictures = []
    for _ in range(WALK):
        x, _, ended, _, _ = environment.step(int(draw.integers(len(mazes.MOVES))))
        pictures.append(x)
        if ended:
            x, _ = environment.reset()
    mean = np.mean(pictures, axis=0).ravel()
    directions = draw.normal(size=[mean.size, settings.num_bits])
    return lambda x: np.packbits((x.reshape(len(x), -1) - mean) @ directions > 0, axis=1)


def dqn_rows(settings: RunConfig, python: str) -> Rows:
    """DQN, in the interpreter that has it."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(to_json(settings), file)
        file.flush()
        printed = subprocess.run(
            [python, "-m", "benchmarks.state_tabulation.dqn", file.name],
            cwd=store.ROOT,
            env={**os.environ, "PYTHONPATH": str(store.ROOT)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    found = json.loads(printed.splitlines()[-1])
    return [
        {"step": (number + 1) * settings.train_every, "agent/return": value}
        for number, value in enumerate(found)
    ]


def table(records: Mapping[str, Mapping[str, Any]]) -> str:
    """A row for each maze and contender, means over the seeds."""
    groups: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for record in records.values():
        if record.get("status") == "finished":
            groups.setdefault((record["maze"], record["contender"]), []).append(record)
    order = [*OTHERS]
    keys = sorted(groups, key=lambda key: (key[0], key[1] not in order, key[1]))
    rows = []
    for maze, name in keys:
        runs = groups[maze, name]
        known = [run["states"] for run in runs if run["states"] is not None]
        cells = f"{fmean(known):.0f} of {runs[0]['open_cells']} cells" if known else ""
        rows.append(
            (
                maze,
                OTHERS.get(name, f"VaST, `{name}`"),
                _steps([run["steps_to_90_percent"] for run in runs]),
                _steps([run["steps_to_recover"] for run in runs]),
                cells,
                str(len(runs)),
            )
        )
    made = next(iter(records.values()))["provenance"]
    commands = sorted({record["command"] for record in records.values()}, key=len)
    return (
        f"{markdown(HEADER, rows)}\n{provenance.machine(made)}, {made['date']}. "
        f"Command: `{commands[-1]}`.\n"
    )


def _steps(found: Sequence[int | None]) -> str:
    """Mean of the runs that came there, their range, and their number if it is not all."""
    steps = [one for one in found if one is not None]
    if not steps:
        return "never"
    missing = "" if len(steps) == len(found) else f", {len(steps)} of {len(found)}"
    spread = f" ({min(steps)} to {max(steps)}{missing})" if len(found) > 1 else ""
    return f"{fmean(steps):.0f}{spread}"
