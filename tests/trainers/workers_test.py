"""Two processes on the loopback interface train as one, and end together."""

from __future__ import annotations

import json
import pathlib
import signal
import tempfile
import time

import numpy as np
import pytest
import tensorflow as tf

from tests.trainers import small_runs, two_workers

SMALL = {"epochs": 1, "max_examples": 45, "batch_size": 20, "hidden_units": (4,)}
SAME = ("train/loss", "train/kl_nats", "validation/loss", "validation/elbo_nats")
"""Terms without noise."""

MODULES = {
    "categorical_vae": {"num_layers": 2, "estimator": "reinmax", "code_prior": "lstm"},
    "quantized_autoencoder": {"codebook": "moving_average"},
    "semantic_hashing": {"weight_average": 0.9, "generation_samples": 0},
    "semi_supervised": {"labels_per_class": 2, "labelled_batch_size": 10},
    "structured_prediction": {},
}


def leftovers() -> set[str]:
    return {path.name for path in pathlib.Path(tempfile.gettempdir()).glob("tf_discrete-worker-*")}


def assert_alike(folder: pathlib.Path, reference: pathlib.Path) -> None:
    """Demands the numbers of one worker up to rounding."""
    found, expected = small_runs.rows(folder), small_runs.rows(reference)
    assert [row.keys() for row in found] == [row.keys() for row in expected]
    for row, other in zip(found, expected, strict=True):
        for name in SAME:
            assert row[name] == pytest.approx(other[name], rel=1e-5), name
        noisy = "validation/hard_elbo_nats"
        assert row[noisy] == pytest.approx(other[noisy], rel=0.03)


def noise_of(printed: str) -> list[float]:
    (line,) = [line for line in printed.splitlines() if line.startswith("noise ")]
    return json.loads(line.removeprefix("noise "))


@pytest.mark.slow
def test_two_workers_train_as_one(tmp_path: pathlib.Path):
    before = leftovers()
    (chief, told), (other, silent) = two_workers.run(tmp_path / "two", tmp_path, **SMALL)
    assert (chief, other) == (0, 0), told + silent
    tf.config.run_functions_eagerly(True)  # Tracing would take longer than the few steps.
    try:
        alone = {**two_workers.EXACT, **SMALL, "distribute": "none", "loop": "fit"}
        small_runs.train(tmp_path / "one", **alone)
    finally:
        tf.config.run_functions_eagerly(False)
    assert_alike(tmp_path / "two", tmp_path / "one")
    # Only the chief writes and tells.
    assert "epoch 1/1 loss=" in told and "epoch" not in silent and "Training:" not in silent
    assert "Worker 1 (127.0.0.1:" in silent
    files = {path.name for path in (tmp_path / "two").iterdir()}
    assert files == {path.name for path in (tmp_path / "one").iterdir()} | {"workers.json"}
    assert leftovers() == before
    assert not np.intersect1d(noise_of(told), noise_of(silent)).size


def test_another_command_is_refused_by_all(tmp_path: pathlib.Path):
    workers = two_workers.addresses()
    logs = [tmp_path / "chief", tmp_path / "other"]
    both = [
        two_workers.start(workers, i, tmp_path / "run", log, **SMALL, seed=i)
        for i, log in enumerate(logs)
    ]
    assert [one.wait(120) for one in both] == [1, 1]
    for log in logs:
        assert "ValueError: All workers must run the same command" in log.read_text()
        assert "Received: seed=1 on worker 1, 0 on worker 0" in log.read_text()
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_a_batch_that_cannot_be_divided_is_refused(tmp_path: pathlib.Path):
    for status, printed in two_workers.run(
        tmp_path / "run", tmp_path, **{**SMALL, "batch_size": 15}
    ):
        assert status == 1 and "a multiple of 2" in printed
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
@pytest.mark.parametrize("victim", [0, 1])
def test_kill_9(tmp_path: pathlib.Path, victim: int):
    flags = {**SMALL, "epochs": 6, "estimator": "gumbel_softmax"}
    for status, printed in two_workers.run(tmp_path / "whole", tmp_path, **flags):
        assert status == 0, printed
    workers = two_workers.addresses()
    logs = [tmp_path / "chief", tmp_path / "other"]
    both = [
        two_workers.start(workers, i, tmp_path / "run", log, **flags) for i, log in enumerate(logs)
    ]
    two_workers.until_epoch(tmp_path / "run", 3, both[0], logs[0])
    both[victim].kill()
    began = time.monotonic()
    assert both[1 - victim].wait(120) == 1
    assert time.monotonic() - began < 10
    assert both[victim].wait(10) == -signal.SIGKILL
    told = logs[1 - victim].read_text()
    assert f"Worker {victim} (" in told and "is gone: its connection has" in told
    assert "The training has ended after epoch" in told
    assert "Start all workers again with the same command." in told
    assert len(small_runs.rows(tmp_path / "run")) < 6

    for status, printed in two_workers.run(tmp_path / "run", tmp_path, **flags):
        assert status == 0 and "Continuing" in printed, printed
    small_runs.assert_same_run(tmp_path / "run", tmp_path / "whole")


@pytest.mark.slow
@pytest.mark.parametrize("module", MODULES)
def test_every_trainer(tmp_path: pathlib.Path, module: str):
    """To the end: pictures, test results and the exported model, by the chief alone."""
    flags = {
        "output_dir": tmp_path / "run",
        "dataset": "digits",
        "max_examples": 100,
        "batch_size": 20,
        "epochs": 2,
        "hidden_units": "8",
        "bound_samples": 5,
        "distribute": "multi_worker",
        **MODULES[module],
    }
    words = ["-m", f"trainers.{module}", *(f"--{name}={value}" for name, value in flags.items())]
    (chief, told), (other, silent) = two_workers.run_command(tmp_path, *words)
    assert (chief, other) == (0, 0), told + silent
    assert "test results" in told and "test results" not in silent
    assert {"model.keras", "saved_model", "metrics.json"} <= {
        path.name for path in (tmp_path / "run").iterdir()
    }
    assert len(small_runs.rows(tmp_path / "run")) == 2
