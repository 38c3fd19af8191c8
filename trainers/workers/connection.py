"""`Connection`: JSON objects, one a line, over a socket."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from typing import Any

MAX_LINE = 64 * 2**20


class ConnectionLost(OSError):
    """The other end is gone, or does not speak this language; the message says how that was seen."""


class Connection:
    """JSON objects in both directions. Any thread may send; one receives.

    Args:
        one: Connected.
    """

    def __init__(self, one: socket.socket):
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = one
        self._lines = one.makefile("rb")
        self._sending = threading.Lock()

    def limit_silence(self, seconds: float) -> None:
        """Has `receive` raise where nothing comes for so long."""
        self._socket.settimeout(seconds)
        self._seconds = seconds

    def has_ended(self) -> bool:
        """Returns whether the other end has left, while nothing is expected from it."""
        before = self._socket.gettimeout()
        self._socket.settimeout(0.0)
        try:
            return self._socket.recv(1, socket.MSG_PEEK) == b""
        except BlockingIOError:
            return False
        except OSError:
            return True
        finally:
            self._socket.settimeout(before)

    def send(self, message: dict[str, Any]) -> None:
        """Sends an object.

        Raises:
            ConnectionLost: It cannot be sent.
        """
        line = json.dumps(message).encode() + b"\n"
        try:
            with self._sending:
                self._socket.sendall(line)
        except OSError as error:
            raise ConnectionLost(str(error)) from None

    def receive(self) -> dict[str, Any]:
        """Waits for the next object.

        Raises:
            ConnectionLost: The connection has ended, is silent, or brings something else.
        """
        try:
            line = self._lines.readline(MAX_LINE)
        except TimeoutError:
            raise ConnectionLost(f"it has said nothing for {self._seconds:g} seconds") from None
        except (OSError, ValueError) as error:  # ValueError: closed by this process.
            raise ConnectionLost(f"its connection has failed ({error})") from None
        if not line:
            raise ConnectionLost("its connection has closed")
        try:
            message = json.loads(line)
        except (ValueError, RecursionError):
            message = None
        if not isinstance(message, dict):
            raise ConnectionLost(f"it sends no JSON objects, but {line[:40]!r}")
        return message

    def close(self) -> None:
        """Ends the connection, also for a thread that waits in `receive`."""
        with contextlib.suppress(OSError):  # The other end may have left.
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._lines.close()
