"""A worker of Beam that is gone ends the block; other threads and Ctrl-C are what they were."""

import signal
import subprocess
import sys
import threading
import time

import pytest

from trainers.bulk import lost_workers

pytestmark = pytest.mark.usefixtures("ctrl_c_is_heard")


def fail(name, delay=0.0):
    """Raises an error in a thread of a name, as Beam does where a worker process has ended."""

    def work():
        time.sleep(delay)
        raise RuntimeError("Worker subprocess exited with return code -9")

    thread = threading.Thread(target=work, name=name)
    thread.start()
    return thread


def test_a_lost_worker_ends_a_wait_without_a_timeout():
    """Beam waits for its workers so, and nothing but a signal wakes it."""
    before = threading.excepthook, signal.getsignal(signal.SIGINT)
    too_late = threading.Event()
    rescue = threading.Timer(60, too_late.set)
    rescue.start()
    with pytest.raises(lost_workers.WorkerGoneError, match="same command.*return code -9"):
        with lost_workers.ending():
            fail("run_worker", delay=0.5)
            too_late.wait()
    rescue.cancel()
    assert not too_late.is_set()
    assert (threading.excepthook, signal.getsignal(signal.SIGINT)) == before


def test_other_threads_and_interrupts_are_not_lost_workers(monkeypatch):
    told = []
    monkeypatch.setattr(threading, "excepthook", told.append)
    with pytest.raises(KeyboardInterrupt), lost_workers.ending():
        fail("another").join()
        signal.raise_signal(signal.SIGINT)
    assert [failure.thread.name for failure in told] == ["another"]


def test_workers_that_die_of_an_interrupt_are_not_lost():
    cleaned = False
    with pytest.raises(KeyboardInterrupt), lost_workers.ending():
        try:
            signal.raise_signal(signal.SIGINT)
        finally:
            fail("run_worker").join()
            cleaned = True
    assert cleaned


def test_a_second_lost_worker_does_not_interrupt_the_cleaning_up():
    cleaned = False
    with pytest.raises(lost_workers.WorkerGoneError), lost_workers.ending():
        try:
            fail("run_worker").join()
        finally:
            fail("run_worker").join()
            cleaned = True
    assert cleaned


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_the_workers_that_are_left_are_terminated(tmp_path):
    """Beam's cleaning up joins their threads, which wait for a shell and the worker that it has started."""
    started = threading.Event()

    def work():
        shell = subprocess.Popen("sleep 60 && touch done", shell=True, cwd=tmp_path)
        started.set()
        shell.wait()

    other = threading.Thread(target=work, name="run_worker")
    with pytest.raises(lost_workers.WorkerGoneError), lost_workers.ending():
        other.start()
        started.wait()
        try:
            fail("run_worker").join()
        finally:
            other.join()
    assert not (tmp_path / "done").exists()


def test_ctrl_c_interrupts_the_cleaning_up_after_a_lost_worker():
    with pytest.raises(KeyboardInterrupt), lost_workers.ending():
        try:
            fail("run_worker").join()
        finally:
            signal.raise_signal(signal.SIGINT)


def test_a_handler_that_is_not_of_python_is_left_alone(monkeypatch):
    before = signal.getsignal(signal.SIGINT)
    monkeypatch.setattr(signal, "getsignal", lambda number: None)
    with lost_workers.ending():
        pass
    signal.signal(signal.SIGINT, before)
