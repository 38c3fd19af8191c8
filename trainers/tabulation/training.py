"""Trains an agent and the model of its states in turns: rounds of acting, learning and scoring."""

from __future__ import annotations

import math
import pathlib
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf
import tqdm

from tf_discrete._internal import reading, writing
from tf_discrete.models import VariationalStateTabulation, networks

from ..common import charts, interruption, narration
from ..common.callbacks import TrainingDiverged
from ..common.checkpoints import REMEDY, CheckpointFolder
from ..common.run_directory import HISTORY, HISTORY_REMEDY, RunDirectory
from ..common.tensorboard import file_writer
from ..flags.state_tabulation import Config
from . import collapse
from . import rounds as schedule
from .agent import Agent
from .pixels import scale_of

_ROWS = 1000


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
                self._restore_agent(number)
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

    def go_on(self, rounds: int) -> bool:
        """Acts and learns up to a round; returns whether it has printed the notice of collapsed codes."""
        writer = file_writer(self.directory.tensorboard)
        rows, said = self.directory.history(), False
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
                rows.append(row)
                with (
                    writing.naming(self.directory.tensorboard),
                    writer.as_default(step=row["step"]),
                ):
                    for name, value in found.items():
                        chart = charts.chart(name.split("/", 1)[1])
                        tf.summary.scalar(chart.tag, value, description=chart.description)
                    writer.flush()
                self._save(self.done + 1)
                self.done += 1
                if not said and (notice := collapse.notice(rows, self.config.pixel_scale)):
                    print(f"\nNotice: {notice}", flush=True)
                    said = True
                shown = {"return": f"{row['agent/return']:.3f}", "states": row["agent/states"]}
                if "model/hard_elbo_nats" in row:
                    shown["hard_elbo"] = f"{row['model/hard_elbo_nats']:.1f}"
                bar.set_postfix(shown, refresh=False)
                bar.update()
        return said

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

    def _restore_agent(self, number: int) -> None:
        path = self._agent_path(number)
        expected = "the memory and the table of an agent, an .npz file"
        reading.check_regular(path, expected, REMEDY)
        with reading.reading(path, expected, REMEDY), np.load(path, allow_pickle=False) as file:
            self.agent.restore({name: file[name] for name in file.files})


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
    found = agent.returns(environment, config.evaluation_episodes, draw)
    states = {"agent/return": sum(found) / len(found), "agent/states": len(agent.table)}
    return {**states, **{f"model/{name}": value for name, value in logs.items()}}


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
