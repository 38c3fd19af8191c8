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
from benchmarks.state_tabulation import recovery
from benchmarks.state_tabulation.setting import DQN, OTHERS, PROJECTION, TRUE, Config
from tf_discrete import estimators
from trainers.common.run_directory import RunDirectory
from trainers.common.tables import markdown
from trainers.flags.config import to_json
from trainers.flags.state_tabulation import Config as RunConfig
from trainers.tabulation import environments, finishing, mazes, pixels, program, rounds, training

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
        ValueError: A contender or a maze that does not exist, steps that are no whole rounds, an interpreter
            without stable-baselines3, or a table of another comparison.
    """
    for name in config.contenders:
        if name not in OTHERS:
            estimators.get(name, latents="bernoulli")
    for maze in config.mazes:
        environments.make(maze)
    rows = [one for one in config.contenders if one != DQN or config.dqn_python]
    made = provenance.record(("gymnasium",))
    if DQN in rows:
        made["versions"] |= versions_of(config.dqn_python)
    some = settings_of(config, config.mazes[0], TRUE, config.seed)
    if config.steps % some.train_every:
        raise ValueError(
            "Steps are whole rounds of the trainer. Give a multiple. "
            f"Received: steps={config.steps}, train_every={some.train_every}"
        )
    study = studies.Study(config.results, made)
    varied = ("environment", "estimator", "seed", "output_dir", "import_module")
    settings = {key: value for key, value in to_json(some).items() if key not in varied}
    study.check(settings)
    leave_out = ("dqn_python", "mazes", "contenders", "num_seeds", "seed")
    command = provenance.command_of(
        "benchmarks.state_tabulation", Config, to_json(config), leave_out
    )
    study.begin(config=settings, command=command)
    for seed in range(config.seed, config.seed + config.num_seeds):
        for maze in config.mazes:
            for name in rows:
                measured = partial(measure, config, maze, name, seed)
                about = {"maze": maze, "contender": name, "seed": seed}
                study.cell(f"{maze}-{name}-seed={seed}", measured, **about)
    records = store.read(config.results)
    text = f"{table(records)}\n\n{recovery.table(records)}"
    print(text)
    return text


def versions_of(python: str) -> dict[str, str]:
    """Returns the versions of DQN's libraries in another interpreter.

    Raises:
        ValueError: It does not have them.
    """
    asked = ("stable_baselines3", "gymnasium", "torch")
    code = (
        f"import json; names = {asked}; "
        "print(json.dumps({name: __import__(name).__version__ for name in names}))"
    )
    try:
        done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        said = (getattr(error, "stderr", "") or str(error)).strip().splitlines()[-1:]
        raise ValueError(
            "DQN needs an interpreter with stable-baselines3 and gymnasium: pip install stable-baselines3. "
            f"Received: dqn_python={python!r} ({' '.join(said)})"
        ) from None
    found: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    return found


def settings_of(config: Config, maze: str, name: str, seed: int) -> RunConfig:
    """The configuration of a run of the trainer; its numbers are the defaults of the flags."""
    estimator: dict[str, Any] = {} if name in OTHERS else {"estimator": name}
    settings = RunConfig(
        environment=maze, steps=2 * config.steps, change_at=config.steps, seed=seed, **estimator
    )
    return pixels.with_scale(settings, environments.make(maze))


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
    change = int(rounds.changed_at(settings)) // settings.train_every
    states = [row.get("agent/states") for row in rows]
    return {
        **finishing.solved(settings, rows),
        "states": states[change - 1],
        "states_after": states[-1],
        "returns": [round(row["agent/return"], 4) for row in rows],
        "seconds": round(time.monotonic() - began, 1),
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
    agent = training.make_agent(settings, encode, len(mazes.MOVES))
    found_rows = []
    for number in range(rounds.number_of(settings)):
        found = training.play_round(settings, agent, environment, number)
        found_rows.append({"step": (number + 1) * settings.train_every, **found})
    return found_rows


def cells_of(maze: str) -> int:
    """Returns how many cells an agent can act in, before the change: the exits end the episode."""
    before = environments.mazes_of(maze)[0]
    exits = {before.places[name] for name in before.rewards}
    return len(set(before.open) - exits)


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
        done = subprocess.run(
            [python, "-m", "benchmarks.state_tabulation.dqn", file.name],
            cwd=store.ROOT,
            env={**os.environ, "PYTHONPATH": str(store.ROOT)},
            stdout=subprocess.PIPE,
            text=True,
        )
    if done.returncode:
        raise RuntimeError(f"DQN ended with status {done.returncode}; what it said is above.")
    found = json.loads(done.stdout.splitlines()[-1])
    return [
        {"step": (number + 1) * settings.train_every, "agent/return": value}
        for number, value in enumerate(found)
    ]


def table(records: Mapping[str, Mapping[str, Any]]) -> str:
    """A row for each maze and contender, means over the seeds; a training that diverges solves nothing."""
    study = records["study"]
    groups: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for record in records.values():
        if "contender" in record:
            groups.setdefault((record["maze"], record["contender"]), []).append(record)
    order = [*OTHERS]
    rows = []
    for maze, name in sorted(groups, key=lambda key: (key[0], key[1] not in order, key[1])):
        runs = groups[maze, name]
        known = [run["states"] for run in runs if run.get("states") is not None]
        rows.append(
            (
                maze,
                OTHERS.get(name, f"VaST, `{name}`"),
                _steps([run.get("steps_to_90_percent") for run in runs]),
                _steps([run.get("steps_to_recover") for run in runs]),
                f"{fmean(known):.0f} of {cells_of(maze)} cells" if known else "",
                str(len(runs)),
            )
        )
    return f"{markdown(HEADER, rows)}\n{provenance.line(study['provenance'], study['command'])}"


def _steps(found: Sequence[int | None]) -> str:
    """Mean of the runs that came there, their range, and their number if it is not all."""
    steps = [one for one in found if one is not None]
    if not steps:
        return "never"
    missing = "" if len(steps) == len(found) else f", {len(steps)} of {len(found)}"
    spread = f" ({min(steps)} to {max(steps)}{missing})" if len(found) > 1 else ""
    return f"{fmean(steps):.0f}{spread}"
