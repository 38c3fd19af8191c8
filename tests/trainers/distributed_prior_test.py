"""Several devices and workers train a prior of codes as one, and continue as if they had not been killed."""

from __future__ import annotations

import pathlib
from typing import Any

import pytest

from tests.trainers import small_runs, two_workers
from trainers.saved_runs import autoregressive_prior as trainer

FLAGS = {
    "epochs": 6,
    "early_stopping": 0,
    "batch_size": 30,
    "units": 8,
    "embedding_units": 4,
    "chunk_size": 3,
    "learning_rate": 0.02,
}

_TWO_DEVICES = """
import tensorflow as tf
from trainers import autoregressive_prior
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
autoregressive_prior.cli()
"""


@pytest.fixture(scope="module")
def alone(finished, tmp_path_factory) -> pathlib.Path:
    """The folder of a prior that one device has trained."""
    folder = tmp_path_factory.mktemp("prior") / "alone"
    trainer.run(trainer.Config(run=str(finished), output_dir=str(folder), **FLAGS))
    return folder


def arguments(run: pathlib.Path, folder: pathlib.Path, **changes: Any) -> list[str]:
    flags = {"run": run, "output_dir": folder, **FLAGS, **changes}
    return [f"--{name}={value}" for name, value in flags.items()]


def command(run: pathlib.Path, folder: pathlib.Path) -> list[str]:
    flags = arguments(run, folder, distribute="multi_worker")
    return ["-m", "trainers.autoregressive_prior", *flags]


def assert_alike(folder: pathlib.Path, reference: pathlib.Path) -> None:
    """Demands the numbers of one device up to rounding."""
    found, expected = small_runs.rows(folder), small_runs.rows(reference)
    assert len(found) == len(expected) == FLAGS["epochs"]
    for row, other in zip(found, expected, strict=True):
        assert row == pytest.approx(other, rel=1e-5)
    assert small_runs.result(folder) == pytest.approx(small_runs.result(reference), rel=1e-5)


@pytest.mark.slow
def test_two_devices_train_as_one(finished, alone, tmp_path):
    flags = arguments(finished, tmp_path / "two", distribute="mirrored")
    done = small_runs.call("-c", _TWO_DEVICES, *flags)
    assert done.returncode == 0, done.stderr
    assert_alike(tmp_path / "two", alone)


@pytest.mark.slow
def test_two_workers_train_as_one(finished, alone, tmp_path):
    words = command(finished, tmp_path / "two")
    (chief, told), (other, silent) = two_workers.run_command(tmp_path, *words)
    assert (chief, other) == (0, 0), told + silent
    assert_alike(tmp_path / "two", alone)
    assert "epoch 1/6 nats=" in told and "epoch" not in silent
    files = {path.name for path in (tmp_path / "two").iterdir()}
    assert files == {path.name for path in alone.iterdir()} | {"workers.json"}


@pytest.mark.slow
def test_kill_9(finished, alone, tmp_path):
    words = command(finished, tmp_path / "run")
    workers = two_workers.addresses()
    logs = [tmp_path / "chief", tmp_path / "other"]
    both = [two_workers.start_command(workers, i, log, *words) for i, log in enumerate(logs)]
    two_workers.until_epoch(tmp_path / "run", 2, both[0], logs[0])
    both[1].kill()
    assert both[0].wait(120) == 1
    assert (
        "Worker 1 (" in logs[0].read_text() and "is gone: its connection has" in logs[0].read_text()
    )
    assert len(small_runs.rows(tmp_path / "run")) < FLAGS["epochs"]

    for status, printed in two_workers.run_command(tmp_path, *words):
        assert status == 0, printed
    assert "Continuing" in (tmp_path / "worker-0").read_text()
    for status, printed in two_workers.run_command(
        tmp_path, *command(finished, tmp_path / "whole")
    ):
        assert status == 0, printed
    small_runs.assert_same_run(tmp_path / "run", tmp_path / "whole")


@pytest.mark.slow
def test_a_batch_that_cannot_be_divided_is_refused(finished, tmp_path):
    flags = arguments(finished, tmp_path / "two", distribute="mirrored", batch_size=15)
    done = small_runs.call("-c", _TWO_DEVICES, *flags)
    assert done.returncode == 1
    assert "a multiple of 2. Received: batch_size=15" in done.stderr
    assert not (tmp_path / "two").exists()
