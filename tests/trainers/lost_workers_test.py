"""A worker of Beam that is gone ends the block; other threads and Ctrl-C are what they were."""

import signal
import threading

import pytest

from trainers.bulk import lost_workers


def fail(name):
    """Raises an error in a thread of a name, as Beam does where a worker process has ended."""

    def work():
        raise RuntimeError("Worker subprocess exited with return code -9")

    threading.Thread(target=work, name=name).start()


def test_a_lost_worker_ends_the_wait():
    before = threading.excepthook, signal.getsignal(signal.SIGINT)
    with pytest.raises(lost_workers.WorkerGoneError, match="same command.*return code -9"):
        with lost_workers.ending():
            fail("run_worker")
            threading.Event().wait(60)
            pytest.fail("It was not interrupted.")
    assert (threading.excepthook, signal.getsignal(signal.SIGINT)) == before


def test_other_threads_and_interrupts_are_not_lost_workers(monkeypatch):
    told = []
    monkeypatch.setattr(threading, "excepthook", told.append)
    with pytest.raises(KeyboardInterrupt), lost_workers.ending():
        fail("another")
        while not told:
            pass
        signal.raise_signal(signal.SIGINT)
    assert [failure.thread.name for failure in told] == ["another"]
