"""`SharedRun`: what the workers of a run have in common, and what the chief alone writes."""

from __future__ import annotations

import base64
import contextlib
import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from typing import Any

import keras
import tensorflow as tf

import tf_discrete
from tf_discrete._internal import writing

from ..common.run_directory import RunDirectory
from ..flags.config import to_json
from ..flags.run import DistributeFlags
from . import cluster
from .group import Group

OWN = ("output_dir", "data_dir", "dataset", "features", "run", "import_module", "profile")
"""Flags in which workers may differ: paths on their machines. Data are compared by their fingerprints."""

FILE = "workers.json"
"""In the folder of a run: how many workers have trained it."""

_CHUNK = 2**20
_SHARED = re.compile(r"metrics\.jsonl|checkpoints/(last|best)/ckpt-\d{1,18}\.[\w.-]{1,100}")


class SharedRun:
    """The part that this process takes in a run; without a group the run is its own.

    Args:
        group: The workers. Default: None, there are no others.
    """

    def __init__(self, group: Group | None = None):
        self._group = group

    @property
    def is_chief(self) -> bool:
        """Returns whether this process writes the run."""
        return self._group is None or self._group.is_chief

    @property
    def has_others(self) -> bool:
        """Returns whether other workers take part."""
        return self._group is not None

    def directory(self, path: str) -> RunDirectory:
        """Returns the folder of the run; where another worker writes it, a temporary one."""
        if self._group is None or self._group.is_chief:
            return RunDirectory(path)
        folder = tempfile.mkdtemp(prefix=f"tf_discrete-worker-{self._group.cluster.number}-")
        self._group.scratch.append(folder)
        return RunDirectory(folder)

    def agree_on_data(self, identity: dict[str, Any]) -> None:
        """Checks that all workers have read the same data, given `identity.of_splits`.

        Raises:
            ValueError: They have not.
        """
        if self._group is not None:
            self._group.agree(
                "All workers must read the same data. Copy those of worker 0.", identity
            )

    def agree_on_epoch(self, epoch: int) -> None:
        """Checks that all workers continue from the same checkpoint.

        Raises:
            ValueError: They do not.
        """
        if self._group is not None:
            rule = "All workers must continue from the same epoch. Start all of them again."
            self._group.agree(rule, {"epoch": epoch})

    def share(self, directory: RunDirectory) -> None:
        """Copies the history and the checkpoints of the chief to the folders of the others."""
        if self._group is None:
            return
        if self._group.is_chief:
            self._note_size(directory)
            for path in sorted(directory.path.rglob("*")):
                name = path.relative_to(directory.path).as_posix()
                if _SHARED.fullmatch(name) and path.is_file():
                    with open(path, "rb") as file:
                        while data := file.read(_CHUNK):
                            self._group.broadcast([name, base64.b64encode(data).decode()])
            self._group.broadcast([])
            return
        while received := self._group.broadcast():
            name, data = received
            if not _SHARED.fullmatch(name):
                raise ValueError(f"The chief must send checkpoints only. Received: {name[:100]!r}")
            path = directory.path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            with open(path, "ab") as file:
                file.write(base64.b64decode(data))

    def callbacks(self, own: list[Any], for_all: list[Any]) -> list[Any]:
        """Returns the callbacks of `fit`: only the chief has those that write and measure.

        Args:
            own: Callbacks of the chief; they may add to the logs of an epoch.
            for_all: Callbacks that follow, on all workers; they find the logs of the chief.
        """
        if self._group is None:
            return [*own, *for_all]
        return [*(own if self.is_chief else []), LogsOfTheChief(self._group), *for_all]

    def say(self, standing: Callable[[], str]) -> None:
        """Has the message that a worker is gone say where the run stands, see `run.standing`."""
        if self._group is None:
            return
        scratch = self._group.scratch[-1] if self._group.scratch else ""
        self._group.standing = lambda: standing().replace(scratch or "\0", "the run of the chief")

    def wait_for_the_chief(self) -> None:
        """Returns when the chief has finished the run."""
        if self._group is not None:
            self._group.wait_for_the_chief()
            print(f"{self._group.cluster.name(self._group.cluster.number)}: done", flush=True)

    def _note_size(self, directory: RunDirectory) -> None:
        assert self._group is not None
        size, path = self._group.cluster.size, directory.path / FILE
        with contextlib.suppress(OSError, ValueError):
            known = path.read_text()
            if known.strip() and known.strip() != f'{{"workers": {size}}}':
                print(
                    f"The run was trained by other workers, {known.strip()}; it goes on with {size}, and "
                    "with other noise",
                    file=sys.stderr,
                )
        writing.write_text(path, f'{{"workers": {size}}}\n')


@contextlib.contextmanager
def joined(task: str, config: DistributeFlags) -> Iterator[SharedRun]:
    """Joins the other workers of a run, where `--distribute` says that there are some.

    Args:
        task: Name of the task.
        config: Of the run.

    Raises:
        OSError: A port is in use, or other workers are missing.
        ValueError: TF_CONFIG cannot be used, or the workers have not been given the same command.
    """
    if config.distribute != "multi_worker":
        yield SharedRun()
        return
    with Group(cluster.from_environment()) as group:
        flags = {name: value for name, value in to_json(config).items() if name not in OWN}
        versions = {"tensorflow": tf.__version__, "keras": keras.__version__}
        command = {"task": task, "tf_discrete": tf_discrete.__version__, **versions, **flags}
        group.agree(
            "All workers must run the same command with the same software. Start them with the same flags.",
            command,
        )
        yield SharedRun(group)


class LogsOfTheChief(keras.callbacks.Callback):
    """Gives all workers the logs of the chief at the end of an epoch, so that they decide alike.

    Args:
        group: The workers.
    """

    def __init__(self, group: Group):
        super().__init__()
        self._group = group

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        assert logs is not None
        found = {name: float(value) for name, value in logs.items()}
        number, values = self._group.broadcast([epoch, found])
        if number != epoch:
            raise RuntimeError(
                "The workers of a run must be in the same epoch. Stop all of them, and start them again. "
                f"Received: epoch={epoch}, that of the chief {number}"
            )
        logs.clear()
        logs.update(values)
