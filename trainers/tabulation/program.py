"""Trains an agent and the model of its states in turns: rounds of acting, learning and scoring."""

from __future__ import annotations

import dataclasses
import math
import pathlib
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf
import tqdm

from tf_discrete import export, likelihoods, plots
from tf_discrete._internal import reading, writing
from tf_discrete.models import VariationalStateTabulation, networks
from tf_discrete.optimizers import FusedAdam

from ..common import interruption, narration, results, trust
from ..common.callbacks import TrainingDiverged
from ..common.checkpoints import REMEDY, CheckpointFolder
from ..common.run_directory import HISTORY, HISTORY_REMEDY, RunDirectory
from ..common.tensorboard import file_writer
from ..flags.config import check, defaults, to_json
from ..flags.state_tabulation import Config
from . import environments
from . import rounds as schedule
from .agent import Agent

MAY_DIFFER = ("output_dir", "steps")
_ENOUGH = 0.9
"""Share of the best return that counts as solved."""
_ROWS = 1000


def run(config: Config) -> dict[str, Any]:
    """Trains an agent, or continues; returns what metrics.json holds.

    Raises:
        ValueError: Flags that cannot work, an environment without pictures, or the folder of another run.
        OSError: No permission or no space; names the file.
        Interrupted: Ctrl-C or SIGTERM; the message says what is kept.
        TrainingDiverged: The loss of the model is not finite.
    """
    check(config)
    for module in config.import_module:
        trust.import_module(module)
    if not config.output_dir:
        name = config.environment.replace("/", "-")
        config = dataclasses.replace(config, output_dir=f"runs/state_tabulation-{name}")
    environment = environments.make(config.environment)
    schedule.check(config)
    check_change(config)
    keras.utils.set_random_seed(config.seed)
    model = build_model(config, environment)
    directory = RunDirectory(config.output_dir)
    with directory.lock():
        stored = {"task": "state_tabulation", **to_json(config)}
        directory.claim(stored, MAY_DIFFER, defaults(config))
        rounds = schedule.number_of(config)
        training = Training(config, environment, model, directory)
        if training.resume():
            print(f"Continuing {directory.path} after round {training.done}")
        narration.say("Seen", f"{config.environment}: {environment.observation_space}")
        narration.say("Model", narration.model_words(model))
        narration.say("Acting", f"{rounds} rounds of {config.train_every} steps")
        with interruption.saying(lambda: training.standing(rounds)):
            if training.done < rounds:
                directory.result_path.unlink(missing_ok=True)
                training.go_on(rounds)
            elif directory.result_path.exists():
                print(f"{directory.path} is finished; nothing to train")
                return directory.result()
            found = finish(training)
        results.print_table(f"{directory.path}: results", found)
        print(f"\nEverything is in {directory.path}. Curves:")
        print(f"  {results.tensorboard_command(directory.path)}")
    return found


def check_change(config: Config) -> None:
    """Refuses a change of an environment that has none.

    Raises:
        ValueError: It is not one of our mazes.
    """
    if config.change_at and config.environment not in environments.names():
        raise ValueError(
            f"Only {', '.join(environments.names())} change. Set change_at=0. "
            f"Received: environment={config.environment!r}, change_at={config.change_at}"
        )


def build_model(config: Config, environment: Any) -> VariationalStateTabulation:
    """The compiled model that a configuration describes."""
    model = VariationalStateTabulation(
        data_shape=environment.observation_space.shape,
        num_actions=int(environment.action_space.n),
        num_bits=config.num_bits,
        window=config.window,
        estimator=config.estimator,
        temperature=config.temperature or None,
        hidden_units=config.hidden_units,
        transition_units=config.transition_units,
        likelihood=likelihoods.Gaussian(),  # Pixels are multiples of their deviation, see `scale_of`.
        seed=config.seed,
        monitor_every=25,
    )
    model.compile(FusedAdam(config.learning_rate))
    model.optimizer.build(model.trainable_variables)
    return model


def scale_of(config: Config) -> float:
    """Returns the factor of a pixel that the model reads.

    The noise of a pixel is the unit. In a smaller one the networks, which start with outputs near 1, do not
    learn to use the bits.
    """
    return 1 / (255.0 * config.pixel_scale)


def make_encode(
    model: VariationalStateTabulation, scale: float
) -> Callable[[np.ndarray], np.ndarray]:
    """Returns a function from pictures uint8 [n, *shape] to packed codes."""

    @tf.function(input_signature=[tf.TensorSpec([None, *model.data_shape], tf.uint8)])
    def packed(pictures: tf.Tensor) -> tf.Tensor:
        return model.encode_packed(tf.cast(pictures, tf.float32) * scale)

    def encode(pictures: np.ndarray) -> np.ndarray:
        starts = range(0, len(pictures), _ROWS)
        return np.concatenate([packed(pictures[k : k + _ROWS]).numpy() for k in starts])

    return encode


def make_agent(
    config: Config, encode: Callable[[np.ndarray], np.ndarray], num_actions: int
) -> Agent:
    """The agent that a configuration describes."""
    return Agent(
        encode, num_actions, config.discount, config.memory, config.backups, config.episode_steps
    )


class Training:
    """A run: its model, its agent, and the rounds that are done.

    A round begins with an episode, and what it draws is a function of its number and the seed, so a run that
    continues repeats what an uninterrupted one does.

    Args:
        config: Of the run.
        environment: Of gymnasium.
        model: Compiled.
        directory: Of the run.
    """

    def __init__(
        self,
        config: Config,
        environment: Any,
        model: VariationalStateTabulation,
        directory: RunDirectory,
    ):
        self.config, self.environment, self.model = config, environment, model
        self.directory, self.done = directory, 0
        self.agent = self._new_agent()
        checkpoint = tf.train.Checkpoint(model=model, optimizer=model.optimizer)
        self._weights = CheckpointFolder(checkpoint, directory.checkpoints / "last", keep=2)

    def _new_agent(self) -> Agent:
        return make_agent(
            self.config, make_encode(self.model, scale_of(self.config)), self.model.num_actions
        )

    def standing(self, rounds: int) -> str:
        """Returns what is kept of a run that stops now, see `interruption.saying`."""
        kept = max([number for number in self._weights.epochs() if number <= self.done], default=0)
        if self.done == rounds:
            return f"after all {rounds} rounds of {self.directory.path}; they are kept."
        where = f"in round {self.done + 1} of {rounds} of {self.directory.path}"
        return f"{where}; round {kept} is kept." if kept else f"{where}; nothing is kept yet."

    def resume(self) -> bool:
        """Continues from the newest readable round of the history; returns whether there is one.

        Raises:
            DamagedFileError: There are rounds, but none can be read, or history or checkpoints are gone.
        """
        rows = self.directory.history()
        end = rows[-1]["epoch"] if rows else 0
        kept = self._weights.epochs()
        numbers = [number for number in kept if number <= end]
        if kept and not numbers:
            reason = f"{len(rows)} rows, and a checkpoint of round {kept[0]}"
            raise reading.damaged(self.directory.history_path, HISTORY, HISTORY_REMEDY, reason)
        if not numbers and len(rows) > 1:
            raise reading.damaged(
                self.directory.checkpoints,
                "the folder with the checkpoints of the run",
                f"Restore it from a backup, or remove {self.directory.history_path.name} to begin anew.",
                f"no checkpoint, {len(rows)} rows of history",
            )
        for number in numbers:
            try:
                self._weights.read(number)
                self.agent.restore(self._read_agent(number))
            except (FileNotFoundError, reading.DamagedFileError) as error:
                if number == numbers[-1]:
                    raise
                print(f"Round {number} cannot be read, so the one before is taken. {error}")
                self.agent = self._new_agent()
                continue
            self.done = number
            break
        self.directory.history(last_epoch=self.done)
        return bool(self.done)

    def go_on(self, rounds: int) -> None:
        """Acts and learns up to a round."""
        writer = file_writer(self.directory.tensorboard)
        seldom = 0.1 if sys.stderr.isatty() else narration.SECONDS
        bar = tqdm.tqdm(
            total=rounds, initial=self.done, unit="round", mininterval=seldom, dynamic_ncols=True
        )
        with bar:
            while self.done < rounds:
                interruption.check()
                began = time.monotonic()
                found = self.round(self.done)
                row = {
                    "epoch": self.done + 1,
                    "step": (self.done + 1) * self.config.train_every,
                    "seconds": round(time.monotonic() - began, 3),
                    **found,
                }
                self.directory.append_history(row)
                with (
                    writing.naming(self.directory.tensorboard),
                    writer.as_default(step=row["step"]),
                ):
                    for name, value in found.items():
                        tf.summary.scalar(name, value)
                    writer.flush()
                self._save(self.done + 1)
                self.done += 1
                shown = {"return": f"{row['agent/return']:.3f}", "states": row["agent/states"]}
                if "model/hard_elbo_nats" in row:
                    shown["hard_elbo"] = f"{row['model/hard_elbo_nats']:.1f}"
                bar.set_postfix(shown, refresh=False)
                bar.update()

    def round(self, number: int) -> dict[str, Any]:
        """Acts, learns, and scores: the numbers of one round."""
        return play_round(self.config, self.agent, self.environment, number, self._learn)

    def _learn(self, number: int) -> dict[str, float]:
        """Trains the model, if it still learns, and files the transitions under its new codes."""
        config, memory = self.config, self.agent.memory
        if not schedule.learns(config, number):
            return {}
        scale = np.float32(scale_of(config))
        # Before `fit`, inside which the refusal of windows that no episode has would be another exception.
        memory.windows(1, config.window, config.seed)
        if not int(self.model.optimizer.iterations.numpy()):
            seen = memory.windows(1000, config.window, config.seed)["image"] * scale
            networks.set_output_bias(self.model.decoder, seen.mean(axis=(0, 1)))

        def batches() -> Iterator[dict[str, np.ndarray]]:
            for k in range(config.batches):
                seeds = np.random.SeedSequence([config.seed, number, k]).generate_state(1)
                found = memory.windows(config.batch_size, config.window, int(seeds[0]))
                yield {**found, "image": found["image"].astype(np.float32) * scale}

        shape = (config.batch_size, config.window)
        signature = {
            "image": tf.TensorSpec([*shape, *self.model.data_shape], tf.float32),
            "action": tf.TensorSpec([shape[0], shape[1] - 1], tf.int32),
        }
        data = tf.data.Dataset.from_generator(batches, output_signature=signature)
        history = self.model.fit(
            data, steps_per_epoch=config.batches, shuffle=False, verbose=0
        ).history
        logs = {name: float(values[-1]) for name, values in history.items()}
        if not math.isfinite(logs["loss"]):
            raise TrainingDiverged(
                "The loss of the model is not finite. Lower --learning_rate. "
                f"Received: loss={logs['loss']} in round {number + 1}"
            )
        return {**logs, "moved_transitions": float(memory.reassign())}

    def _save(self, number: int) -> None:
        path = self._agent_path(number)
        path.parent.mkdir(parents=True, exist_ok=True)
        with writing.replaced_file(path) as new, open(new, "wb") as file:
            np.savez(file, **self.agent.state())  # type: ignore[arg-type]
        self._weights.save(number)
        kept = {self._agent_path(one) for one in self._weights.epochs()}
        for old in set(path.parent.glob("agent-*.npz")) - kept:
            old.unlink()

    def _agent_path(self, number: int) -> pathlib.Path:
        return self.directory.checkpoints / "agent" / f"agent-{number}.npz"

    def _read_agent(self, number: int) -> dict[str, np.ndarray]:
        path = self._agent_path(number)
        expected = "the memory and the table of an agent, an .npz file"
        with reading.reading(path, expected, REMEDY), np.load(path) as file:
            return {name: file[name] for name in file.files}


def play_round(
    config: Config,
    agent: Agent,
    environment: Any,
    number: int,
    learn: Callable[[int], dict[str, float]] = lambda number: {},
) -> dict[str, Any]:
    """Acts for a round, learns, and scores.

    Args:
        config: Of the run.
        agent: Learns.
        environment: Changes when it is time.
        number: Of the round, from 0 on.
        learn: Trains the encoder of the states; returns what is logged. Default: nothing is trained.
    """
    first = number * config.train_every
    if first >= schedule.changed_at(config):
        environment.change()
    draw = np.random.default_rng([config.seed, number])
    agent.play(
        environment,
        config.train_every,
        lambda step: schedule.exploration(config, first + step),
        draw,
    )
    logs = learn(number)
    agent.table.sweep()
    score = agent.mean_return(environment, config.evaluation_episodes, draw)
    states = {"agent/return": score, "agent/states": len(agent.table)}
    return {**states, **{f"model/{name}": value for name, value in logs.items()}}


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
        "test/return": agent.mean_return(training.environment, episodes, draw),
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
