"""`Checkpoints`: the callback that writes the history and the checkpoints of a run, and restores them."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from tf_discrete._internal import reading

from .checkpoints import EXPECTED, REMEDY, CheckpointFolder
from .history_fields import MONITORED, fields_of
from .run_directory import HISTORY, RunDirectory

_TRIES = 100

Candidates = list[tuple[CheckpointFolder, int]]


class RunState(tf.Module):
    """Where a run stands; saved in its checkpoints."""

    def __init__(self) -> None:
        super().__init__()
        self.epoch = tf.Variable(0, dtype=tf.int64)
        self.best_value = tf.Variable(-math.inf, dtype=tf.float64)
        self.best_epoch = tf.Variable(0, dtype=tf.int64)


class Checkpoints(keras.callbacks.Callback):
    """Keeps the last two epochs and the best one, and stops when the best is too long ago.

    The best is the epoch with the highest monitored value. Rows of the history are written
    before the checkpoint, and cut back to it when a run continues. Where a checkpoint is damaged, the
    next older one is restored in its place, with a notice; the epochs after it give the same numbers again.

    Args:
        model: built and compiled.
        directory: of the run.
        patience: epochs without a better bound after which training stops; 0 for never.
        steps_per_epoch: to write the step of each row.
        keep_every: epochs between two checkpoints that are kept for good; 0 for none.
        monitored: field of the history whose highest value is the best. Default: the hard validation
            bound.
    """

    def __init__(
        self,
        model: keras.Model,
        directory: RunDirectory,
        patience: int,
        steps_per_epoch: int,
        keep_every: int = 0,
        monitored: str = MONITORED,
    ):
        super().__init__()
        self.state = RunState()
        self.monitored = monitored
        self.directory, self.patience = directory, patience
        self.steps_per_epoch, self.keep_every = steps_per_epoch, keep_every
        checkpoint = tf.train.Checkpoint(model=model, optimizer=model.optimizer, state=self.state)
        self.last = CheckpointFolder(checkpoint, directory.checkpoints / "last", keep=2)
        self.best = CheckpointFolder(checkpoint, directory.checkpoints / "best", keep=1)
        self.kept = CheckpointFolder(checkpoint, directory.checkpoints / "kept")
        self._began = time.monotonic()

    @property
    def epoch(self) -> int:
        """Epochs done."""
        return int(self.state.epoch.numpy())

    def patience_is_over(self) -> bool:
        """Whether the best epoch is `patience` epochs ago."""
        waited = self.epoch - int(self.state.best_epoch.numpy())
        return bool(self.patience) and waited >= self.patience

    def resume(self) -> bool:
        """Continues from the last checkpoint whose row is in the history, and cuts the history to it.

        Returns:
            Whether there is a checkpoint. Without one, the run begins anew.

        Raises:
            DamagedFileError: The history is damaged, no checkpoint can be read, or one of the two is missing.
        """
        rows = self.directory.history()
        end = rows[-1]["epoch"] if rows else 0
        found = self._restore(self._latest, end)
        if not found and len(rows) > 1:
            raise reading.damaged(
                self.directory.checkpoints,
                "the folder with the checkpoints of the run",
                f"Restore it from a backup, or remove {self.directory.history_path.name} to begin anew.",
                f"no checkpoint, {len(rows)} rows of history",
            )
        self.directory.history(last_epoch=self.epoch)
        return found

    def restore_last(self) -> bool:
        """Restores the last checkpoint that can be read, if there is one.

        Raises:
            DamagedFileError: There are checkpoints, but none can be read.
        """
        return self._restore(self._latest)

    def restore_best(self) -> bool:
        """Restores the best epoch, from any checkpoint of it, if there is one.

        Raises:
            DamagedFileError: There are checkpoints of the epoch, but none can be read.
        """
        return self._restore(self._of_best)

    def restore_kept(self, epoch: int) -> bool:
        """Restores an epoch that was kept, if it was.

        Raises:
            DamagedFileError: Its checkpoint cannot be read.
        """
        return self._restore(lambda: [(self.kept, epoch)] if epoch in self.kept.epochs() else [])

    def kept_epochs(self) -> list[int]:
        """Returns the epochs that were kept, in order; 0 is the start."""
        return sorted(self.kept.epochs())

    def last_saved(self) -> int:
        """Returns the last epoch that has a checkpoint, or 0."""
        return max((epoch for _, epoch in self._latest()), default=0)

    def on_train_begin(self, logs: Any = None) -> None:
        if self.keep_every and self.epoch == 0:
            self.kept.save(0)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._began = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        row: dict[str, Any] = {"epoch": epoch + 1, "step": (epoch + 1) * self.steps_per_epoch}
        row["seconds"] = round(time.monotonic() - self._began, 3)
        row.update(fields_of(logs or {}))
        self.directory.append_history(row)
        self.state.epoch.assign(epoch + 1)
        value = row.get(self.monitored, -math.inf)
        better = value > float(self.state.best_value.numpy())
        if better:
            self.state.best_value.assign(value)
            self.state.best_epoch.assign(epoch + 1)
        if self.patience_is_over():
            self.model.stop_training = True
        if better:
            self.best.save(epoch + 1)
        if self.keep_every and (epoch + 1) % self.keep_every == 0:
            self.kept.save(epoch + 1)
        self.last.save(epoch + 1)

    def _latest(self) -> Candidates:
        return [(folder, epoch) for folder in (self.last, self.best) for epoch in folder.epochs()]

    def _of_best(self) -> Candidates:
        epoch = max(self.best.epochs(), default=int(self.state.best_epoch.numpy()))
        folders = (self.best, self.last, self.kept)
        return [(folder, epoch) for folder in folders if epoch and epoch in folder.epochs()]

    def _restore(self, find: Callable[[], Candidates], end: int | None = None) -> bool:
        """Reads the first checkpoint that can be read.

        Args:
            find: Returns the checkpoints in order of preference; called again where the training that is
                under way has removed one meanwhile.
            end: Last epoch of the history. Later checkpoints are left out. Default: None, none are.
        """
        for _ in range(_TRIES):
            refused: Exception | None = None
            for folder, epoch in find():
                try:
                    self._read(folder, epoch, end)
                except FileNotFoundError:
                    break
                except reading.DamagedFileError as error:
                    print(f"Left out {folder.path(epoch)}: {error}", flush=True)
                    refused = error
                else:
                    return True
            else:
                if refused is not None:
                    raise refused
                return False
        raise OSError(
            "The checkpoints are replaced again and again while they are read. Wait until the training has "
            f"ended. Received: path={str(self.directory.checkpoints)!r}"
        )

    def _read(self, folder: CheckpointFolder, epoch: int, end: int | None) -> None:
        if end is not None and epoch > end:
            raise reading.damaged(
                self.directory.history_path,
                HISTORY,
                "Restore it from a backup, or remove the folder checkpoints to begin anew.",
                f"its last readable row is of epoch {end}, there is a checkpoint of epoch {epoch}",
            )
        folder.read(epoch)
        if self.epoch != epoch:
            path = folder.path(epoch)
            raise reading.damaged(path, EXPECTED, REMEDY, f"it is of epoch {self.epoch}")
