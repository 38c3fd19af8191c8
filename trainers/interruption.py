"""Ctrl-C, SIGTERM and a full disk during a run: one message that says what is kept and how to continue."""

from __future__ import annotations

import contextlib
import shlex
import signal
import sys
from collections.abc import Callable, Iterator
from typing import Any

STATUS = 128
"""A shell reports a program that ended by signal n with status 128 + n."""


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
def sigterm_as_interrupt() -> Iterator[None]:
    """Turns SIGTERM into `Interrupted` as long as the block runs, so that it ends as Ctrl-C does."""

    def interrupt(*_: Any) -> None:
        raise Interrupted(status=STATUS + signal.SIGTERM)

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


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


def same_command() -> str:
    """Returns the command of this process, quoted for a shell."""
    return shlex.join(sys.orig_argv)
