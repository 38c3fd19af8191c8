"""Workers find one another, agree, and learn at once when one is gone; here each is a thread."""

from __future__ import annotations

import concurrent.futures
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.trainers import two_workers
from trainers.common.run_directory import RunDirectory
from trainers.workers import group as group_lib
from trainers.workers import rendezvous, shared_run
from trainers.workers.cluster import Cluster
from trainers.workers.connection import Connection, ConnectionLost
from trainers.workers.group import Group


def together(act: Callable[[Group], Any], size: int = 2) -> list[Any]:
    """What a function returns, or the error that it raises, on each worker."""
    addresses = tuple(two_workers.addresses(size))

    def one(number: int) -> Any:
        told: list[str] = []
        try:
            with Group(Cluster(addresses, number), wait=20, end=told.append) as group:
                group.told = told
                return act(group)
        except Exception as error:
            return error

    with concurrent.futures.ThreadPoolExecutor(size) as pool:
        return list(pool.map(one, range(size)))


def until(condition: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 20
    while not (found := condition()) and time.monotonic() < deadline:
        time.sleep(0.005)
    return found


def test_values_of_the_chief():
    def act(group):
        group.agree("Be alike.", {"sizes": (1, 2)})
        return group.broadcast(f"from {group.cluster.number}")

    assert together(act, 3) == ["from 0"] * 3


def test_what_differs_is_refused_on_every_worker():
    def act(group):
        size = 30 if group.cluster.number == 1 else 20
        group.agree("Be alike.", {"seed": 0, "batch_size": size})

    errors = together(act, 3)
    assert {str(error) for error in errors} == {
        "Be alike. Received: batch_size=30 on worker 1, 20 on worker 0"
    }
    assert {type(error) for error in errors} == {ValueError}


def test_a_worker_that_is_gone_is_named_on_all_others():
    def act(group):
        group.standing = lambda: "after epoch 3 of 9."
        group.agree("All are here.", {})
        if group.cluster.number == 1:  # As the kernel does for a process that was killed.
            group._over.set()
            for connection in group._connections.values():
                connection._socket.shutdown(socket.SHUT_RDWR)
            return None
        return until(lambda: group.told)

    chief, _, other = together(act, 3)
    assert chief == other
    (sentence,) = chief
    assert sentence.startswith("Worker 1 (127.0.0.1:")
    assert "is gone: its connection has" in sentence
    assert sentence.endswith(". The training has ended after epoch 3 of 9.")


def test_a_silent_worker_is_gone(monkeypatch):
    monkeypatch.setattr(group_lib, "SILENCE_SECONDS", 0.3)
    monkeypatch.setattr(group_lib, "BEAT_SECONDS", 0.05)
    noticed = threading.Event()

    def act(group):
        if group.cluster.number == 1:
            group._over.set()  # Its beats end.
            noticed.wait(60)  # It must not take leave before.
            return None
        told = until(lambda: group.told)
        noticed.set()
        return told

    assert "said nothing for 0.3 seconds" in together(act)[0][0]


def test_an_error_of_one_worker_ends_the_others():
    def act(group):
        if group.cluster.number == 1:
            raise ValueError("The disk is full.")
        return until(lambda: group.told)

    chief, error = together(act)
    assert isinstance(error, ValueError)
    assert chief[0].endswith(" has stopped: ValueError: The disk is full.")


def test_the_chief_leaves_last_without_a_fault():
    def act(group):
        if not group.is_chief:
            group.wait_for_the_chief()
            time.sleep(0.05)  # Its connection closes meanwhile.
        return group.told

    assert together(act) == [[], []]


def test_strangers_and_twins_are_sent_away():
    addresses = tuple(two_workers.addresses())
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        chief = pool.submit(rendezvous.meet, Cluster((*addresses, "127.0.0.1:1"), 0), 20)
        control = Cluster((*addresses, "127.0.0.1:1"), 0).control
        stranger = until(lambda: connected(control))
        stranger.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert stranger.recv(10) == b""
        hello = {"program": "tf_discrete", "number": 1, "addresses": [*addresses, "127.0.0.1:1"]}
        first, second, other = (Connection(until(lambda: connected(control))) for _ in range(3))
        first.send(hello)
        second.send(hello)
        assert "must have its own index in TF_CONFIG" in second.receive()["refused"]
        other.send({**hello, "addresses": []})
        assert "must list the same addresses" in other.receive()["refused"]
        first.close()  # A worker that was started again is taken in its place.
        again, third = (Connection(until(lambda: connected(control))) for _ in range(2))
        until(lambda: True)
        again.send(hello)
        third.send({**hello, "number": 2})
        assert again.receive() == third.receive() == {"welcome": True}
        assert sorted(chief.result()) == [1, 2]


def connected(control):
    try:
        return socket.create_connection(control, timeout=20)
    except OSError:
        return None


def test_workers_that_never_come_are_named():
    addresses = tuple(two_workers.addresses())
    for number, missing in ((0, "Worker 1"), (1, "Worker 0 (the chief")):
        with pytest.raises(OSError, match="must start within the same minutes") as raised:
            Group(Cluster(addresses, number), wait=0.2)
        assert missing in str(raised.value)


def test_what_is_no_json_object_ends_a_connection():
    ours, theirs = socket.socketpair()
    connection = Connection.__new__(Connection)
    connection._socket, connection._lines = ours, ours.makefile("rb")
    connection._sending = threading.Lock()
    for line in (b"[1]\n", b"{{\n", b"\xff\n"):
        theirs.sendall(line)
        with pytest.raises(ConnectionLost, match="sends no JSON objects"):
            connection.receive()
    theirs.close()
    with pytest.raises(ConnectionLost, match="has closed"):
        connection.receive()
    connection.close()
    with pytest.raises(ConnectionLost, match="has failed"):
        connection.receive()


def test_history_and_checkpoints_are_copied_and_nothing_else(tmp_path):
    source = tmp_path / "run"
    files = ("metrics.jsonl", "checkpoints/last/ckpt-2.index", "checkpoints/best/ckpt-1.data-0")
    for name in (*files, "model.keras", "checkpoints/kept/ckpt-0.index", "config.json"):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes(name.encode() * 60_000)

    def act(group):
        shared = shared_run.SharedRun(group)
        directory = shared.directory(str(source))
        shared.share(directory)
        found = {
            path.relative_to(directory.path).as_posix(): path.read_bytes()
            for path in directory.path.rglob("*")
            if path.is_file()
        }
        return directory.path, found

    (chief, _), (other, found) = together(act)
    assert chief == source and not other.exists()  # Its copy goes with it.
    assert found == {name: name.encode() * 60_000 for name in files}


def test_a_chief_cannot_write_elsewhere():
    def act(group):
        if group.is_chief:
            group.broadcast(["../evil", ""])
            return until(lambda: group.told)
        return shared_run.SharedRun(group).share(RunDirectory("unused"))

    chief, error = together(act)
    assert "must send checkpoints only" in str(error) and "must send checkpoints only" in chief[0]


def test_the_others_find_the_logs_of_the_chief():
    def act(group):
        callback = shared_run.LogsOfTheChief(group)
        logs = {"loss": 1.0} if group.cluster.number else {"loss": 0.1, "usage": float("nan")}
        callback.on_epoch_end(3, logs)
        return str(logs)

    assert together(act) == ["{'loss': 0.1, 'usage': nan}"] * 2


def test_a_notice_where_the_number_of_workers_has_changed(tmp_path, capsys):
    (tmp_path / shared_run.FILE).write_text('{"workers": 3}\n')
    found = together(
        lambda group: (
            shared_run.SharedRun(group).share(RunDirectory(tmp_path))
            if group.is_chief
            else group.broadcast()
        )
    )
    assert found == [None, []]
    assert (
        'was trained by other workers, {"workers": 3}; it goes on with 2' in capsys.readouterr().err
    )
