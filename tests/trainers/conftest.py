"""A finished run that many tests read, made once, and a clean state for each test."""

from __future__ import annotations

import functools
import pathlib
import shutil
from collections.abc import Callable, Iterator

import keras
import pytest

from tests import shared
from tests.trainers import small_runs
from tf_discrete import plots
from tf_discrete.plots import canvas
from trainers.tasks import categorical_vae


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The folder of a finished small run. Not to be changed."""

    def make(folder: pathlib.Path) -> None:
        policy = keras.config.dtype_policy()
        categorical_vae.run(small_runs.config(folder))
        keras.config.set_dtype_policy(policy)

    return shared.folder(tmp_path_factory, "categorical_vae", make)


@pytest.fixture
def copied(finished: pathlib.Path, tmp_path: pathlib.Path) -> Callable[[str], pathlib.Path]:
    """Copies the finished run, for a test to go on with."""
    return lambda name="copy": pathlib.Path(shutil.copytree(finished, tmp_path / name))


@pytest.fixture(autouse=True, scope="module")
def _small_pictures() -> Iterator[None]:
    """Draws the pictures of runs with fewer pixels; `finished` and other processes have all of them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(canvas, "DPI", 40)
        patch.setattr(plots, "save", functools.partial(plots.save, dpi=40))
        yield


@pytest.fixture(autouse=True)
def _dtype_policy() -> Iterator[None]:
    policy = keras.config.dtype_policy()
    yield
    keras.config.set_dtype_policy(policy)
