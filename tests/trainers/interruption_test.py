from __future__ import annotations

import contextlib
import dataclasses
import os
import signal

import pytest

from tests.trainers import small_runs
from trainers.common import data, interruption
from trainers.tasks import categorical_vae

pytestmark = pytest.mark.usefixtures("ctrl_c_is_heard")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_become_exceptions_and_are_not_lost(number):
    before = signal.getsignal(number)
    with pytest.raises(interruption.Interrupted) as caught:
        with interruption.as_interrupt():
            with contextlib.suppress(interruption.Interrupted):  # As Python does in a destructor.
                os.kill(os.getpid(), number)
            interruption.check()
    assert caught.value.status == 128 + number
    assert signal.getsignal(number) is before
    interruption.check()  # Another run knows nothing of it.


def test_signals_that_are_ignored_stay_ignored():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with interruption.as_interrupt(), interruption.ending_at_once():
            os.kill(os.getpid(), signal.SIGINT)
            assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def _interrupt_and_lose() -> None:
    with contextlib.suppress(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGINT)


def test_a_signal_that_is_lost_while_data_are_read_stops_the_run(tmp_path, monkeypatch):
    load = data.load_splits

    def interrupted(*arguments):
        _interrupt_and_lose()
        return load(*arguments)

    monkeypatch.setattr(data, "load_splits", interrupted)
    with pytest.raises(interruption.Interrupted), interruption.as_interrupt():
        small_runs.train(tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_signal_that_is_lost_in_training_stops_the_run(tmp_path, monkeypatch):
    batches = data.image_batches

    def interrupted(*arguments):
        _interrupt_and_lose()
        return batches(*arguments)

    task = dataclasses.replace(categorical_vae.TASK, batches=interrupted)
    monkeypatch.setattr(categorical_vae, "TASK", task)
    with pytest.raises(interruption.Interrupted, match="no checkpoint is kept yet"):
        with interruption.as_interrupt():
            small_runs.train(tmp_path / "run")
    assert not (tmp_path / "run/metrics.jsonl").exists()


def test_stderr_is_silenced_and_an_exception_brings_it_back(capfd):
    with interruption.silenced():
        os.write(2, b"noise")
        os.write(interruption._stderr, b"Interrupted")
    os.write(2, b" and after")
    assert capfd.readouterr().err == "Interrupted and after"
    with pytest.raises(ImportError), interruption.silenced():
        os.write(2, b"the cause")
        raise ImportError
    assert capfd.readouterr().err == "the cause"
