"""The workers of a run, as the environment variable TF_CONFIG lists them."""

from __future__ import annotations

import dataclasses
import json
import os
import socket
from collections.abc import Mapping
from typing import Any

VARIABLE = "TF_CONFIG"
EXAMPLE = '{"cluster": {"worker": ["host-a:2222", "host-b:2222"]}, "task": {"type": "worker", "index": 0}}'
_TYPES = ("chief", "worker")
_MAX_PORT = 2**16 - 1


@dataclasses.dataclass(frozen=True)
class Cluster:
    """The addresses of all workers, and which of them this process is.

    Attributes:
        addresses: "host:port" of each worker; the first is the chief.
        number: Of this process in `addresses`.
    """

    addresses: tuple[str, ...]
    number: int

    @property
    def size(self) -> int:
        """Returns the number of workers."""
        return len(self.addresses)

    @property
    def control(self) -> tuple[str, int]:
        """Returns host and port of the connection that watches the workers.

        The chief listens at the first port after its own that no worker has.

        Example:
            >>> Cluster(("a:2222", "a:2223", "b:2224"), 0).control
            ('a', 2225)
        """
        taken = {split(address)[1] for address in self.addresses}
        host, port = split(self.addresses[0])
        return host, next(number for number in range(port, _MAX_PORT + 1) if number not in taken)

    def name(self, number: int) -> str:
        """Returns how messages name a worker.

        Example:
            >>> Cluster(("a:2222", "b:2222"), 0).name(0)
            'Worker 0 (the chief, a:2222)'
        """
        chief = "the chief, " if number == 0 else ""
        return f"Worker {number} ({chief}{self.addresses[number]})"

    def check_port(self) -> None:
        """Checks that no other process listens at the port of this one.

        Raises:
            OSError: One does.
        """
        _, port = split(self.addresses[self.number])
        with listen("", port, self):
            pass


def from_environment(environment: Mapping[str, str] = os.environ) -> Cluster:
    """Reads TF_CONFIG.

    Raises:
        ValueError: It is missing or cannot be read, or it does not describe at least two workers and one of
            them as this process.

    Example:
        >>> cluster = from_environment({"TF_CONFIG": EXAMPLE})
        >>> cluster.addresses, cluster.number
        (('host-a:2222', 'host-b:2222'), 0)
    """
    text = environment.get(VARIABLE, "")
    if not text.strip():
        raise _refused("must be set for --distribute=multi_worker, on every worker", text)
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _refused(f"must be JSON, but is not ({error})", text) from None
    cluster = found.get("cluster") if isinstance(found, dict) else None
    task = found.get("task") if isinstance(found, dict) else None
    if not isinstance(cluster, dict) or not isinstance(task, dict):
        raise _refused("must be an object with the objects 'cluster' and 'task'", text)
    unknown = [str(name) for name in (*cluster, task.get("type")) if name not in _TYPES]
    if unknown:
        raise _refused(f"may name tasks of the types chief and worker, not {unknown[0]!r}", text)
    listed = {name: _addresses(cluster.get(name, []), text) for name in _TYPES}
    addresses = [address for name in _TYPES for address in listed[name]]
    if len(listed["chief"]) > 1:
        raise _refused("may name one chief", text)
    if len(addresses) < 2:
        raise _refused("must name at least two workers; leave --distribute out for one", text)
    if len(set(addresses)) < len(addresses):
        raise _refused("must give every worker an address of its own", text)
    index, own = task.get("index"), listed[task["type"]]
    if isinstance(index, str) and index.isdecimal():  # As TensorFlow takes it.
        index = int(index)
    if not isinstance(index, int) or isinstance(index, bool) or not 0 <= index < len(own):
        rule = f"must have a task index from 0 to {len(own) - 1}" if own else "lists no such task"
        raise _refused(f"{rule} for the type {task['type']!r}, not {index!r}", text)
    first = len(listed["chief"]) if task["type"] == "worker" else 0
    return Cluster(tuple(addresses), first + index)


def split(address: str) -> tuple[str, int]:
    """Returns host and port of an address, without the brackets of an IPv6 host.

    Example:
        >>> split("host-a:2222"), split("[::1]:80")
        (('host-a', 2222), ('::1', 80))
    """
    host, _, port = address.rpartition(":")
    return host.removeprefix("[").removesuffix("]"), int(port)


def listen(host: str, port: int, cluster: Cluster) -> socket.socket:
    """Returns a socket that listens at a port.

    Args:
        host: Address of this machine. A loopback address is listened at alone, others at all interfaces.
        port: The port.
        cluster: For the message.

    Raises:
        OSError: The port is in use, or may not be used.
    """
    local = host in ("localhost", "::1") or host.startswith("127.")
    both = not local and socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if both or ":" in host else socket.AF_INET
    try:
        return socket.create_server(
            (host if local else "", port),
            family=family,
            backlog=cluster.size + 16,
            dualstack_ipv6=both,
        )
    except OSError as error:
        named = OSError(
            f"{cluster.name(cluster.number)} must be able to use port {port}. Stop the process that uses it, "
            f"or choose another port in {VARIABLE}. Received: {error}"
        )
        named.errno = error.errno
        raise named from None


def _addresses(listed: Any, text: str) -> list[str]:
    if not isinstance(listed, list) or not all(_is_address(address) for address in listed):
        raise _refused("must list the addresses of workers as 'host:port'", text)
    return listed


def _is_address(address: Any) -> bool:
    if not isinstance(address, str):
        return False
    host, _, port = address.rpartition(":")
    return bool(host) and port.isdecimal() and 0 < int(port) < _MAX_PORT


def _refused(rule: str, text: str) -> ValueError:
    shown = text if len(text) <= 300 else f"{text[:300]}..."
    return ValueError(
        f"The environment variable {VARIABLE} {rule}. Set it as in {EXAMPLE}. "
        f"Received: {VARIABLE}={shown!r}"
    )
