"""Runs of two workers on the loopback interface, each a process of its own.

Run as a process, it is one of the workers: it trains without what comes after the last epoch.
"""

from __future__ import annotations

import contextlib
import json
import pathlib
import random
import re
import socket
import sys
import time
from typing import Any

import tensorflow as tf

from tests import forked
from tests.trainers import small_runs
from tf_discrete.models import CategoricalVAE
from trainers.common import run as run_lib

# Enumeration draws nothing, so all ways of training must come to the same losses.
EXACT = {
    "estimator": "enumeration",
    "num_variables": 2,
    "temperature_update_period": 1,
    "distribute": "multi_worker",
}


def addresses(count: int = 2) -> list[str]:
    """Addresses of this machine whose ports are free, and the port after them, at which the chief listens.

    They are below those that the kernel gives to connections, which could take one in the meantime.
    """
    while True:
        first = random.SystemRandom().randrange(10_000, 32_000)
        ports = range(first, first + count)
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
            for port in (*ports, first + count):
                stack.enter_context(socket.create_server(("127.0.0.1", port)))
            return [f"127.0.0.1:{port}" for port in ports]


def tf_config(workers: list[str], index: int) -> str:
    return json.dumps({"cluster": {"worker": workers}, "task": {"type": "worker", "index": index}})


def start(
    workers: list[str], index: int, folder: pathlib.Path, log: pathlib.Path, **changes: Any
) -> forked.Process:
    """Starts a worker of a small run; what it prints goes to a file."""
    return start_command(workers, index, log, *_words(folder, changes))


def start_command(workers: list[str], index: int, log: pathlib.Path, *words: str) -> forked.Process:
    """Starts Python as a worker; what it prints goes to a file."""
    environment = small_runs.environment(TF_CONFIG=tf_config(workers, index))
    return forked.start(*words, env=environment, stdout=log, stderr=log)


def run(folder: pathlib.Path, logs: pathlib.Path, **changes: Any) -> list[tuple[int, str]]:
    """Trains a small run on both workers; see `run_command`."""
    return run_command(logs, *_words(folder, changes))


def run_command(logs: pathlib.Path, *words: str) -> list[tuple[int, str]]:
    """Runs both workers to their end; returns the exit status of each and what it has printed."""
    workers = addresses()
    paths = [logs / f"worker-{index}" for index in range(2)]
    both = [start_command(workers, i, path, *words) for i, path in enumerate(paths)]
    return [(one.wait(300), path.read_text()) for one, path in zip(both, paths, strict=True)]


def until_epoch(
    folder: pathlib.Path, epoch: int, process: forked.Process, log: pathlib.Path
) -> None:
    """Waits for the checkpoint of an epoch, or of one after it."""
    last = folder / "checkpoints/last/checkpoint"
    deadline = time.monotonic() + 240
    while _epoch_of(last) < epoch:
        assert process.poll() is None and time.monotonic() < deadline, log.read_text()
        time.sleep(0.002)


def _epoch_of(checkpoint: pathlib.Path) -> int:
    """Returns the epoch of the last checkpoint that the file names; -1 where there is none."""
    found = re.findall(r"ckpt-(\d+)", checkpoint.read_text()) if checkpoint.exists() else []
    return max(map(int, found), default=-1)


def _words(folder: pathlib.Path, changes: dict[str, Any]) -> list[str]:
    return ["-m", "tests.trainers.two_workers", str(folder), json.dumps(changes)]


def main(folder: str, changes: str) -> None:
    """Trains; prints samples of this replica's noise and the seconds of its processor."""
    settings = json.loads(changes)
    settings = {k: tuple(v) if isinstance(v, list) else v for k, v in settings.items()}
    fit = run_lib.fit

    def fit_and_tell(task: Any, model: CategoricalVAE, *arguments: Any) -> None:
        fit(task, model, *arguments)
        print(f"noise {json.dumps(noise(model))}")

    run_lib.fit = fit_and_tell
    small_runs.train(folder, **{**EXACT, **settings})
    print(f"processor {time.process_time():.1f} s")


def noise(model: CategoricalVAE) -> list[float]:
    """Some samples as a step on this replica takes them."""

    @tf.function(autograph=False)
    def sample() -> tf.Tensor:
        return tf.random.stateless_uniform([4], model.step_seed(model.micro_step.value, "train"))

    return model.distribute_strategy.run(sample).numpy().tolist()


if __name__ == "__main__":
    try:
        main(sys.argv[1], sys.argv[2])
    except (OSError, RuntimeError, ValueError) as error:
        sys.exit(f"{type(error).__name__}: {error}")
