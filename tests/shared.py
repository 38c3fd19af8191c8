"""Folders that one worker of a test run makes, and all of them read."""

from __future__ import annotations

import fcntl
import os
import pathlib
import shutil
from collections.abc import Callable

import pytest


def folder(
    factory: pytest.TempPathFactory, name: str, make: Callable[[pathlib.Path], object]
) -> pathlib.Path:
    """Returns a folder that `make` has filled, for a fixture of a module or a session.

    pytest-xdist divides the tests of a module among its workers, and each has fixtures of its own. What
    takes seconds to make, such as a trained model, is made by the first worker that asks for it.

    Args:
        factory: The fixture `tmp_path_factory`.
        name: The same in all workers, and of this folder alone.
        make: Fills the folder, which it finds missing below an existing one.

    Returns:
        The folder. Tests must not change it.
    """
    base = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent  # Each worker has its own below that of the run.
    made = base / "shared" / name
    made.parent.mkdir(exist_ok=True)
    with open(made.with_suffix(".lock"), "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = made.with_suffix(".done")
        if not done.exists():
            shutil.rmtree(made, ignore_errors=True)  # Of a worker that has failed.
            make(made)
            done.touch()
    return made
