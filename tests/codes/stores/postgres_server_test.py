"""A server that is slow is waited for, and one that fails says why."""

import subprocess

import pytest

from tests.codes.stores import postgres_server


class Server:
    """What starts after some errors."""

    def __init__(self, folder, *errors):
        self.pgdata, self.log, self.errors = folder, folder / "log", list(errors)

    def start(self):
        if self.errors:
            raise self.errors.pop(0)


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch):
    monkeypatch.setattr(postgres_server.time, "sleep", lambda seconds: None)


def test_a_slow_server_is_waited_for(tmp_path):
    server = Server(tmp_path, subprocess.TimeoutExpired("pg_ctl", 10), AssertionError("starting"))
    postgres_server.start(server)
    assert server.errors == []


def test_a_server_that_fails_or_is_never_ready_says_why(tmp_path, monkeypatch):
    (tmp_path / "log").write_text("FATAL: no space")
    failed = Server(tmp_path, subprocess.CalledProcessError(1, "initdb"), AssertionError())
    with pytest.raises(RuntimeError, match="must start.*initdb.*FATAL: no space"):
        postgres_server.start(failed)
    assert len(failed.errors) == 1
    monkeypatch.setattr(postgres_server, "PATIENCE", -1)
    with pytest.raises(RuntimeError, match="must start.*TimeoutExpired"):
        postgres_server.start(Server(tmp_path, subprocess.TimeoutExpired("pg_ctl", 10)))
