"""Worker processes of Beam's own runner that are gone: it would wait for what they were doing for ever."""

from __future__ import annotations

import _thread
import contextlib
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

    Other runners than Beam's own see to it themselves: they give the work to another worker.

    Raises:
        WorkerGoneError: A worker process was killed, or has failed.
    """
    told, interrupted = threading.excepthook, signal.getsignal(signal.SIGINT)
    lost: list[str] = []

    def failed(failure: Any) -> None:
        if failure.thread is None or failure.thread.name != _THREAD:
            told(failure)
            return
        lost.append(str(failure.exc_value))
        _thread.interrupt_main()

    def interrupt(number: int, frame: Any) -> None:
        if lost:
            raise WorkerGoneError(
                "A worker of the job is gone, and the job has ended. Run the same command again: shards that "
                f"are done stay, and the others are encoded. Received: {lost[0]}"
            )
        if callable(interrupted):
            interrupted(number, frame)

    threading.excepthook = failed
    signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        threading.excepthook = told
        signal.signal(signal.SIGINT, interrupted)
