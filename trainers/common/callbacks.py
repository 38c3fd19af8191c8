"""Callbacks that end a training: after a signal, or where a loss is not finite."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from . import interruption


class TrainingDiverged(RuntimeError):
    """A loss or one of its terms is not finite any more."""


class StopWhenInterrupted(keras.callbacks.Callback):
    """Raises `Interrupted` after Ctrl-C or SIGTERM where the exception of the signal was lost."""

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        interruption.check()


class StopAtNaN(keras.callbacks.Callback):
    """Raises `TrainingDiverged` with the step and the terms that are not finite."""

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self._check(logs)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._check(logs)  # The last step can spoil the weights; then the validation tells.

    def _check(self, logs: dict[str, Any] | None) -> None:
        bad = [name for name, value in (logs or {}).items() if not np.isfinite(value)]
        if bad:
            first = getattr(self.model, "nonfinite_step", 0)
            step = int(np.asarray(first)) or int(np.asarray(self.model.optimizer.iterations))
            raise TrainingDiverged(
                f"Not finite at step {step}: {', '.join(bad)}. The last good checkpoint is kept. Try a "
                "smaller --learning_rate, a higher --temperature or --dtype_policy=float32."
            )
