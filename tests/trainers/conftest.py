"""A finished run that many tests look at, made once, and a clean state for each test."""

from __future__ import annotations

import fcntl
import pathlib
import shutil
from collections.abc import Callable, Iterator

import keras
import pytest

from tests.trainers import small_runs
from trainers.tasks import categorical_vae


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> pathlib.Path:
    """The folder of a finished small run. Not to be changed."""
    base = tmp_path_factory.getbasetemp()
    base = base if worker_id == "master" else base.parent
    with open(base / "finished.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (base / "finished/metrics.json").exists():
            policy = keras.config.dtype_policy()
            categorical_vae.run(small_runs.config(base / "finished"))
            keras.config.set_dtype_policy(policy)
    return base / "finished"


@pytest.fixture(scope="session")
def worker_id(request: pytest.FixtureRequest) -> str:
    """The name of this process among those of pytest-xdist, "master" where there is one only."""
    return getattr(request.config, "workerinput", {}).get("workerid", "master")


@pytest.fixture
def copied(finished: pathlib.Path, tmp_path: pathlib.Path) -> Callable[[str], pathlib.Path]:
    """Copies the finished run, for a test to go on with."""
    return lambda name="copy": pathlib.Path(shutil.copytree(finished, tmp_path / name))


@pytest.fixture(autouse=True)
def _dtype_policy() -> Iterator[None]:
    policy = keras.config.dtype_policy()
    yield
    keras.config.set_dtype_policy(policy)
