"""What every test starts from: its own random state, and a garbage collector that leaves TensorFlow alone."""

from __future__ import annotations

import gc
import os
import random
import zlib

import numpy as np
import pytest

COLLECT_EVERY = 20_000
"""New objects between two collections. Python's 700 suits programs that build fewer graphs."""


def pytest_configure(config: pytest.Config) -> None:
    """Gives each of several workers one thread for an operation: their number is that of the cores."""
    if hasattr(config, "workerinput"):
        os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")


def pytest_collection_finish() -> None:
    """Exempts the imported modules from garbage collection.

    TensorFlow, Keras, TFP and the collected tests are half a million objects that live until the end.
    Every full collection would walk through them.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_EVERY, 10, 10)


@pytest.fixture(autouse=True, scope="module")
def _random_state_of_module(request: pytest.FixtureRequest) -> None:
    """Fixes the weights of networks that a fixture of the module draws."""
    _seed(request.node.nodeid)


@pytest.fixture(autouse=True)
def _random_state(request: pytest.FixtureRequest) -> None:
    """Fixes what a test draws without a seed: Keras draws the seeds of initial weights from `random`."""
    _seed(request.node.nodeid)


def _seed(name: str) -> None:
    number = zlib.crc32(name.encode())
    random.seed(number)
    np.random.seed(number)
