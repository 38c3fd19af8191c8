"""What every test starts from, its own random state and folder, and which are left to `make test-slow`."""

from __future__ import annotations

import gc
import importlib.metadata
import os
import random
import signal
import zlib
from collections.abc import Iterator

import numpy as np
import pytest

COLLECT_EVERY = 20_000
"""New objects between two collections. Python's 700 suits programs that build fewer graphs."""


XLA_FLAGS = (
    "--xla_backend_optimization_level=0 --xla_cpu_parallel_codegen_split_count=1 "
    "--xla_cpu_use_fusion_emitters=false"
)
"""XLA translates the same graphs, and LLVM optimises little: compiled steps run a few times."""
_XLA_FLAGS_KNOWN_TO = ("2.21",)
"""TensorFlow ends the process where it does not know a flag."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--part", metavar="N/M", help="Run the N-th (0, 1, ...) of M parts; whole files."
    )


@pytest.hookimpl(tryfirst=True)  # Before `-m` reads the markers.
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Marks as slow what `one_in` leaves to `make test-slow`, and leaves out the files of other parts."""
    for name, cases in _cases_of_wide_tests(items).items():
        every = cases[0].get_closest_marker("one_in").args[0]
        first = zlib.crc32(name.encode()) % min(every, len(cases))
        for number, item in enumerate(cases):
            if (number - first) % every:
                item.add_marker(pytest.mark.slow)
    if config.getoption("part"):
        number, parts = (int(text) for text in config.getoption("part").split("/"))
        items[:] = [
            item
            for item in items
            if zlib.crc32(item.path.relative_to(config.rootpath).as_posix().encode()) % parts
            == number
        ]


def _cases_of_wide_tests(items: list[pytest.Item]) -> dict[str, list[pytest.Item]]:
    """Returns the cases of each test marked `one_in`, in their order, but those that are slow themselves."""
    found: dict[str, list[pytest.Item]] = {}
    for item in items:
        if item.get_closest_marker("one_in") and not item.get_closest_marker("slow"):
            found.setdefault(item.nodeid.partition("[")[0], []).append(item)
    return found


def pytest_configure(config: pytest.Config) -> None:
    """Sets what TensorFlow reads when it starts, unless the caller has: see CONTRIBUTING.md.

    Each of several workers gets one thread for an operation: their number is that of the cores.
    """
    if hasattr(config, "workerinput"):
        os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
    if importlib.metadata.version("tensorflow").startswith(_XLA_FLAGS_KNOWN_TO):
        os.environ.setdefault("XLA_FLAGS", XLA_FLAGS)


@pytest.fixture(autouse=True, scope="session")
def _xla_where_it_is_asked_for() -> None:
    """Keras compiles whatever it can by default, which is most of the time of a test of a few steps."""
    from keras.src.trainers import trainer

    trainer.Trainer._resolve_auto_jit_compile = lambda model: False


@pytest.fixture(autouse=True, scope="session")
def _coarse_pictures() -> None:
    """Runs draw seven pictures each, half of whose time is that of their many pixels."""
    from tf_discrete.plots import canvas

    canvas.SAVE_DPI = 60


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
def _folder() -> Iterator[None]:
    """Refuses a test that leaves the process in another folder: later programs would find no package."""
    before = os.getcwd()
    yield
    after = os.getcwd()
    os.chdir(before)
    assert after == before, "A test returns to the folder it has started from: monkeypatch.chdir."


@pytest.fixture(autouse=True)
def _random_state(request: pytest.FixtureRequest) -> None:
    """Fixes what a test draws without a seed: Keras draws the seeds of initial weights from `random`."""
    _seed(request.node.nodeid)


def _seed(name: str) -> None:
    number = zlib.crc32(name.encode())
    random.seed(number)
    np.random.seed(number)


@pytest.fixture
def restored_registries() -> Iterator[None]:
    """Removes what a test registers: other tests run over the registries."""
    from tests import registries

    with registries.restored():
        yield


@pytest.fixture
def ctrl_c_is_heard() -> Iterator[None]:
    """A shell starts what runs in the background with SIGINT ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
