"""`Progress`: a progress bar over a whole run."""

from __future__ import annotations

import sys
import time
from typing import Any

import keras
import numpy as np
import tqdm

from .duration import duration


class Progress(keras.callbacks.Callback):
    """A progress bar over the whole run, with the fields that matter.

    On a terminal it is one bar; in a log file, one line an epoch.

    Args:
        epochs: of the run.
        steps_per_epoch: of the run.
        fields: of the logs, with the short names to show them under.
        batch_size: Images of a step, by which the speed is shown as images a second. Default: 0, for
            steps a second.
    """

    def __init__(
        self, epochs: int, steps_per_epoch: int, fields: dict[str, str], batch_size: int = 0
    ):
        super().__init__()
        self.per_step, self.unit = (batch_size, "images") if batch_size else (1, "steps")
        self.epochs, self.steps_per_epoch, self.fields = epochs, steps_per_epoch, fields
        self._shown: dict[str, str] = {}
        self._bar: tqdm.tqdm | None = None

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        if self._bar is None:
            self._bar = tqdm.tqdm(
                total=self.epochs * self.steps_per_epoch,
                initial=epoch * self.steps_per_epoch,
                unit=f" {self.unit}",
                unit_scale=self.per_step if self.per_step > 1 else False,
                dynamic_ncols=True,
                disable=not sys.stderr.isatty(),
                bar_format="{desc} {percentage:3.0f}%|{bar}| {rate_fmt} {elapsed}<{remaining}{postfix}",
            )
        self._bar.set_description(f"epoch {epoch + 1}/{self.epochs}", refresh=False)
        self._began = time.monotonic()

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        assert self._bar is not None
        self._show(logs or {})
        done = self._epoch_start() + batch + 1
        self._bar.update(done - self._bar.n)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        assert self._bar is not None
        self._show(logs or {})
        if self._bar.disable:
            rate = self.per_step * self.steps_per_epoch / max(time.monotonic() - self._began, 1e-9)
            fields = " ".join(f"{name}={value}" for name, value in self._shown.items())
            left = self._left(epoch)
            print(
                f"epoch {epoch + 1}/{self.epochs} {fields} {rate:.0f} {self.unit}/s{left}",
                flush=True,
            )

    def on_train_end(self, logs: Any = None) -> None:
        if self._bar is not None:
            self._bar.close()

    def _left(self, epoch: int) -> str:
        """Returns the time that the other epochs will take if they are like this one, in words."""
        others = self.epochs - epoch - 1
        seconds = others * (time.monotonic() - self._began)
        return f", {duration(seconds)} left" if others else ""

    def _epoch_start(self) -> int:
        assert self._bar is not None
        return self._bar.n - self._bar.n % self.steps_per_epoch

    def _show(self, logs: dict[str, Any]) -> None:
        for name, short in self.fields.items():
            if name in logs and np.isfinite(logs[name]):
                self._shown[short] = f"{float(logs[name]):.4g}"
        self._bar.set_postfix(self._shown, refresh=False)  # type: ignore[union-attr]
