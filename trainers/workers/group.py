"""`Group`: the workers of one run, connected so that each learns at once when another is gone."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import shutil
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, NoReturn

import tensorflow as tf

from . import rendezvous
from .cluster import Cluster
from .connection import Connection, ConnectionLost

BEAT_SECONDS = 1.0
SILENCE_SECONDS = 30.0
"""A worker that says nothing for so long is gone. One that was killed is noticed at once."""
WAIT_SECONDS = 600.0
"""How long the workers wait for one another at the start."""

_OF_THE_OTHERS = (
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.InternalError,
    tf.errors.UnavailableError,
)
"""Errors of TensorFlow where another worker has gone."""

End = Callable[[str], None]


class Group:
    """The workers of a run. The chief is connected to all others, and they to the chief.

    Every worker calls `broadcast` and `agree` in the same order. A thread watches each connection: where
    one ends or is silent for `SILENCE_SECONDS`, all workers print which one is gone, and end.

    Args:
        cluster: Who takes part.
        wait: Seconds to wait for the others. Default: `WAIT_SECONDS`.
        end: Called with the sentence that says who is gone. Default: prints it and ends the process at once,
            for the main thread may wait for the missing worker inside TensorFlow.

    Raises:
        OSError: A port is in use, or not all workers have come in time.
    """

    def __init__(self, cluster: Cluster, wait: float = WAIT_SECONDS, end: End | None = None):
        self.cluster = cluster
        self.standing: Callable[[], str] = lambda: "before its first step."
        self.scratch: list[str] = []
        self._end = end or self._exit
        self._over = threading.Event()
        self._verdict = threading.Lock()
        connections = rendezvous.meet(cluster, wait)
        self._inboxes: dict[int, queue.Queue[Any]] = {n: queue.Queue() for n in connections}
        self._connections = connections
        for number, connection in connections.items():
            connection.limit_silence(SILENCE_SECONDS)
            threading.Thread(target=self._read, args=(number, connection), daemon=True).start()
        threading.Thread(target=self._beat, daemon=True).start()

    @property
    def is_chief(self) -> bool:
        """Returns whether this is the worker that writes the run."""
        return self.cluster.number == 0

    def broadcast(self, value: Any = None) -> Any:
        """Returns the value of the chief, on every worker.

        Args:
            value: What JSON can hold, of the chief; that of others is left out.
        """
        if not self.is_chief:
            found = self._inboxes[0].get()
            if isinstance(found, ValueError):
                raise found
            return found
        for connection in self._connections.values():
            self._send(connection, {"value": value})
        return value

    def agree(self, rule: str, value: dict[str, Any]) -> None:
        """Checks that all workers have the same.

        Args:
            rule: What must be the same and the remedy, as sentences.
            value: By name, what JSON can hold.

        Raises:
            ValueError: They differ; on every worker, with what differs.
        """
        if not self.is_chief:
            self._send(self._connections[0], {"value": value})
            self.broadcast()
            return
        value = json.loads(json.dumps(value))  # As it arrives elsewhere: tuples are lists.
        parts = []
        for number, inbox in sorted(self._inboxes.items()):
            other = inbox.get()
            names = [name for name in {**value, **other} if value.get(name) != other.get(name)]
            parts += [
                f"{name}={other.get(name)!r} on worker {number}, {value.get(name)!r} on worker 0"
                for name in names[:10]
            ]
        if parts:
            self._over.set()  # All raise the same: nobody is gone.
            self._tell({"refused": f"{rule} Received: {'; '.join(parts)}"})
            raise ValueError(f"{rule} Received: {'; '.join(parts)}")
        self.broadcast()

    def wait_for_the_chief(self) -> None:
        """Returns when the chief has written everything."""
        found = self._inboxes[0].get()
        if found != "done":
            raise RuntimeError(
                "The workers of a run must take the same steps. Start all again with the same command. "
                f"Received: {found!r} in the place of the chief's end"
            )

    def __enter__(self) -> Group:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self._over.set()  # The others leave as soon as they are told, which is no fault.
            if self.is_chief:
                self.broadcast("done")
        else:
            if isinstance(error, _OF_THE_OTHERS):
                self._over.wait(SILENCE_SECONDS + BEAT_SECONDS)
            with self._verdict:
                if not self._over.is_set():
                    told = f"{kind.__name__}: {error}" if str(error) else kind.__name__
                    name = self.cluster.name(self.cluster.number)
                    self._tell({"failed": f"{name} has stopped: {told}"})
        self._over.set()
        for connection in self._connections.values():
            connection.close()
        self._clear()

    def _read(self, number: int, connection: Connection) -> None:
        try:
            while True:
                message = connection.receive()
                if "value" in message:
                    if message["value"] == "done":  # The chief leaves; its silence is no fault.
                        self._over.set()
                    self._inboxes[number].put(message["value"])
                elif "refused" in message:
                    self._over.set()
                    self._inboxes[number].put(ValueError(str(message["refused"])))
                elif "failed" in message:
                    self._fail(str(message["failed"]))
        except ConnectionLost as lost:
            where = self.standing()
            self._fail(
                f"{self.cluster.name(number)} is gone: {lost}. The training has ended {where}"
            )

    def _beat(self) -> None:
        while not self._over.wait(BEAT_SECONDS):
            for connection in self._connections.values():
                self._send(connection, {})

    def _fail(self, sentence: str) -> None:
        with self._verdict:  # Until the process has ended, the main thread must not.
            if not self._over.is_set():
                self._over.set()
                self._tell({"failed": sentence})
                self._end(sentence)

    def _tell(self, message: dict[str, Any]) -> None:
        for connection in self._connections.values():
            self._send(connection, message)

    @staticmethod
    def _send(connection: Connection, message: dict[str, Any]) -> None:
        with contextlib.suppress(ConnectionLost):  # The thread that reads notices it.
            connection.send(message)

    def _exit(self, sentence: str) -> NoReturn:
        told = f"{sentence} Start all workers again with the same command."
        with contextlib.suppress(OSError):
            os.write(2, f"\n{told}\n".encode(errors="replace"))
        self._clear()
        os._exit(1)

    def _clear(self) -> None:
        while self.scratch:
            shutil.rmtree(self.scratch.pop(), ignore_errors=True)
