"""How the workers of a run find one another: all others connect to the chief."""

from __future__ import annotations

import contextlib
import socket
import sys
import time

from .cluster import Cluster, listen
from .connection import Connection, ConnectionLost

PROGRAM = "tf_discrete"
_PAUSE = 0.2
_NOTICE_AFTER = 10.0
_HANDSHAKE_SECONDS = 10.0


def meet(cluster: Cluster, wait: float) -> dict[int, Connection]:
    """Connects this worker.

    Args:
        cluster: Who takes part.
        wait: Seconds to wait for the others.

    Returns:
        The connections of the chief by the number of the worker; that of another one to the chief, as 0.

    Raises:
        OSError: A port is in use, another worker with the same number has come first, or not all have come.
    """
    cluster.check_port()
    return _collect(cluster, wait) if cluster.number == 0 else {0: _join(cluster, wait)}


def _collect(cluster: Cluster, wait: float) -> dict[int, Connection]:
    """Accepts the other workers; what else connects is sent away."""
    found: dict[int, Connection] = {}
    patience = _Patience(cluster, wait)
    with listen(*cluster.control, cluster) as door:
        while missing := [number for number in range(1, cluster.size) if number not in found]:
            door.settimeout(patience.left(missing))
            try:
                one, _ = door.accept()
            except TimeoutError:
                continue
            connection, number = _admitted(one, cluster, found)
            if connection is not None:
                found[number] = connection
    for connection in found.values():  # Nobody goes on before all are there.
        with contextlib.suppress(ConnectionLost):
            connection.send({"welcome": True})
    return found


def _admitted(
    one: socket.socket, cluster: Cluster, known: dict[int, Connection]
) -> tuple[Connection | None, int]:
    """Reads the first line of a connection; None if it is no worker that is missing."""
    one.settimeout(_HANDSHAKE_SECONDS)
    connection = Connection(one)
    try:
        message = connection.receive()
    except ConnectionLost:
        message = {}
    number, addresses = message.get("number"), message.get("addresses")
    if message.get("program") != PROGRAM or not isinstance(number, int):
        connection.close()
        return None, 0
    refused = ""
    if addresses != list(cluster.addresses):
        refused = (
            "All workers must list the same addresses in TF_CONFIG. Received: "
            f"{addresses} on worker {number}, {list(cluster.addresses)} on worker 0"
        )
    elif number in known and not known[number].has_ended():
        refused = (
            "Every worker must have its own index in TF_CONFIG. "
            f"Received: {cluster.name(number)} twice"
        )
    if refused:
        print(refused, file=sys.stderr, flush=True)
        with contextlib.suppress(ConnectionLost):
            connection.send({"refused": refused})
        connection.close()
        return None, 0
    return connection, number


def _join(cluster: Cluster, wait: float) -> Connection:
    """Connects to the chief as soon as it listens, and waits until all are there."""
    patience = _Patience(cluster, wait)
    hello = {
        "program": PROGRAM,
        "number": cluster.number,
        "addresses": list(cluster.addresses),
    }
    while True:
        left = patience.left([0])
        try:
            one = socket.create_connection(cluster.control, timeout=left)
        except OSError:  # It does not listen yet, or its name is not known yet.
            time.sleep(min(_PAUSE, left))
            continue
        one.settimeout(wait)
        connection = Connection(one)
        connection.limit_silence(wait)
        try:
            connection.send(hello)
            answer = connection.receive()
        except ConnectionLost:
            connection.close()
            time.sleep(_PAUSE)
            continue
        if "refused" in answer:
            connection.close()
            raise ValueError(str(answer["refused"]))
        if "welcome" in answer:
            return connection
        connection.close()


class _Patience:
    """Counts the seconds that are left, and says once who is waited for."""

    def __init__(self, cluster: Cluster, wait: float):
        self._cluster, self._wait = cluster, wait
        self._began, self._told = time.monotonic(), False

    def left(self, missing: list[int]) -> float:
        """Returns after how many seconds to ask again.

        Raises:
            OSError: The time is over.
        """
        waited = time.monotonic() - self._began
        names = ", ".join(self._cluster.name(number) for number in missing)
        if waited >= self._wait:
            host, port = self._cluster.control
            raise OSError(
                "All workers must start within the same minutes, and reach the chief. Start those that are "
                f"missing, and open the port {port} of {host}. Received: {names} missing after "
                f"{waited:.0f} seconds"
            )
        if waited >= _NOTICE_AFTER and not self._told:
            self._told = True
            print(f"Waiting for {names}", file=sys.stderr, flush=True)
        return min(self._wait - waited, 1.0 if self._told else _NOTICE_AFTER - waited + 0.01)
