"""Worker processes of Beam's own runner that are gone: it would wait for what they were doing for ever."""

from __future__ import annotations

import contextlib
import os
import pathlib
import signal
import threading
from collections.abc import Iterator
from typing import Any

_THREAD = "run_worker"
"""Name of the thread of Beam that waits for a worker process, and raises an error with its exit status."""


class WorkerGoneError(RuntimeError):
    """A worker process has ended before its work was done."""


@contextlib.contextmanager
def ending() -> Iterator[None]:
    """Ends the block, which the main thread runs, when a worker process of Beam ends with an error.

    The first of a lost worker and Ctrl-C ends the block. Workers die of the same Ctrl-C, and one after the
    other: those that follow do not interrupt the cleaning up. After a lost worker the others are terminated:
    Beam waits for each of them when it cleans up, and for ever for one that has not connected to it yet.

    Other runners than Beam's own see to it themselves: they give the work to another worker.

    Raises:
        WorkerGoneError: A worker process was killed, or has failed.
    """
    told, interrupted = threading.excepthook, signal.getsignal(signal.SIGINT)
    main = threading.get_ident()
    ended = threading.Lock()  # Whoever ends the block acquires it, and nobody releases it.
    lost: list[str] = []

    def failed(failure: Any) -> None:
        if failure.thread is None or failure.thread.name != _THREAD:
            told(failure)
        elif ended.acquire(blocking=False):
            lost.append(str(failure.exc_value))
            # Only a signal wakes the main thread from a lock that it waits for without a timeout.
            signal.pthread_kill(main, signal.SIGINT)
            for thread in threading.enumerate():
                if thread.name == _THREAD and thread is not failure.thread:
                    _terminate_children(f"self/task/{thread.native_id}")

    def interrupt(number: int, frame: Any) -> None:
        ended.acquire(blocking=False)
        if lost:
            raise WorkerGoneError(
                "A worker of the job is gone, and the job has ended. Run the same command again: shards that "
                f"are done stay, and the others are encoded. Received: {lost.pop()}"
            )
        if callable(interrupted):
            interrupted(number, frame)

    threading.excepthook = failed
    signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        threading.excepthook = told
        if interrupted is not None:  # As for a handler that was not installed from Python.
            signal.signal(signal.SIGINT, interrupted)


def _terminate_children(task: str) -> None:
    """Terminates the processes that a task of Linux has started, a shell with its child among them."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # Some have ended by now.
        for child in pathlib.Path("/proc", task, "children").read_text().split():
            _terminate_children(f"{child}/task/{child}")
            os.kill(int(child), signal.SIGTERM)
