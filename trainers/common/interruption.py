"""Ctrl-C, SIGTERM and a full disk: one message that says what is kept and how to continue."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

STATUS = 128
"""A shell reports a program that ended by signal n with status 128 + n."""

_stderr = 2
"""The descriptor that messages go to, also while `silenced` has another one in its place."""
_received: list[int] = []
"""The signals that `as_interrupt` has turned into exceptions."""


class Interrupted(KeyboardInterrupt):
    """A run was interrupted; the message says what is kept.

    Args:
        message: What is kept.
        status: Exit status of the program. Default: that of Ctrl-C.
    """

    def __init__(self, message: str = "", status: int = STATUS + signal.SIGINT):
        super().__init__(message)
        self.status = status


@contextlib.contextmanager
def ending_at_once() -> Iterator[None]:
    """Ends the process with one line at Ctrl-C or SIGTERM as long as the block runs.

    For the time until a run starts, most of which are imports: nothing is written yet, and code that is
    imported may catch an exception.
    """

    def end(number: int, _: Any) -> NoReturn:
        told = f"Interrupted before anything was started; nothing was written. {_again()}\n"
        with contextlib.suppress(OSError):  # Without buffers and locks, which may be taken.
            os.write(_stderr, told.encode(errors="replace"))
        os._exit(STATUS + number)

    with _handling(end):
        yield


@contextlib.contextmanager
def silenced() -> Iterator[None]:
    """Hides what is written to stderr as long as the block runs; an exception brings it back.

    TensorFlow's libraries write there directly, whatever the levels of Python's logging.
    """
    global _stderr
    sys.stderr.flush()
    with tempfile.TemporaryFile() as hidden:
        saved = os.dup(2)
        _stderr = saved
        os.dup2(hidden.fileno(), 2)
        try:
            yield
        except BaseException:
            sys.stderr.flush()
            hidden.seek(0)
            os.write(saved, hidden.read())
            raise
        finally:
            sys.stderr.flush()
            os.dup2(saved, 2)
            _stderr = 2
            os.close(saved)


@contextlib.contextmanager
def as_interrupt() -> Iterator[None]:
    """Turns Ctrl-C and SIGTERM into `Interrupted` as long as the block runs.

    The exception can be lost where Python ignores exceptions, such as in a destructor; then `check` raises
    it again.
    """

    def interrupt(number: int, _: Any) -> None:
        _received.append(number)
        raise Interrupted(status=STATUS + number)

    try:
        with _handling(interrupt):
            yield
    finally:
        _received.clear()


def check() -> None:
    """Raises the exception of a signal that was received, if it was lost.

    Raises:
        Interrupted: Ctrl-C or SIGTERM.
    """
    if _received:
        raise Interrupted(status=STATUS + _received[0])


@contextlib.contextmanager
def _handling(handler: Callable[[int, Any], Any]) -> Iterator[None]:
    """Handles both signals, unless the process was started to ignore them, as by `nohup`."""
    numbers = [x for x in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(x) != signal.SIG_IGN]
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, old in before.items():
            if signal.getsignal(number) is handler:  # `end` sets another one for good.
                signal.signal(number, old)


@contextlib.contextmanager
def saying(standing: Callable[[], str]) -> Iterator[None]:
    """Adds what is kept to an interruption or a fault of the file system.

    Args:
        standing: Returns a sentence without its subject, such as "after epoch 3 of 10; it is kept.".

    Raises:
        Interrupted: Ctrl-C or SIGTERM.
        OSError: As raised by the block, with what is kept in front.
    """
    try:
        yield
    except KeyboardInterrupt as error:
        status = getattr(error, "status", STATUS + signal.SIGINT)
        raise Interrupted(f"Interrupted {standing()}", status) from None
    except OSError as error:
        told = OSError(f"Stopped {standing()} The same command continues. {error}")
        told.errno = error.errno
        raise told from error


def end(error: KeyboardInterrupt) -> NoReturn:
    """Prints what is kept and how to continue, and ends the program with the status of the signal."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # A second Ctrl-C ends it at once.
    if sys.stderr.isatty():
        print(file=sys.stderr)  # After the progress bar.
    told = str(error) or "Interrupted; every file that was written is whole."
    print(f"{told} {_again()}", file=sys.stderr)
    sys.exit(getattr(error, "status", STATUS + signal.SIGINT))


def _again() -> str:
    return f"Continue with the same command: {shlex.join(sys.orig_argv)}"
