"""The run directory: what it holds, written atomically, by one process at a time."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import shutil
import tempfile
from collections.abc import Iterator
from typing import Any

from tf_discrete._internal import locking, reading, writing

MINIMUM_FREE_BYTES = 200 * 2**20

CONFIG = "the configuration of a run, a JSON object with the fields of its trainer"
CONFIG_REMEDY = "Restore it from a backup, or train again with another --output_dir."
HISTORY = (
    "the history of a run: one JSON object per line, with numbers for epoch, step and seconds, "
    "epochs in rising order"
)
HISTORY_REMEDY = (
    "Restore the line from a backup or remove it: the run then continues, and all other rows stay."
)
RESULT = "the results of a run, a JSON object with numbers by name"
RESULT_REMEDY = "Remove it; the command of the training writes it again from the checkpoints."


class RunDirectory:
    """A folder of one run.

    It holds config.json, metrics.jsonl (a row an epoch), metrics.json (the result), checkpoints/,
    tensorboard/, pictures, model.keras and saved_model/.

    Args:
        path: of the folder; created if it is missing. `~` is expanded.
    """

    def __init__(self, path: str | os.PathLike[str]):
        self.path = writing.expand(path)
        self.config_path = self.path / "config.json"
        self.history_path = self.path / "metrics.jsonl"
        self.result_path = self.path / "metrics.json"
        self.checkpoints = self.path / "checkpoints"
        self.tensorboard = self.path / "tensorboard"
        self.model_path = self.path / "model.keras"
        self.saved_model_path = self.path / "saved_model"

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Keeps the folder for this process alone; creates it if it is missing.

        Raises:
            InUseError: Another process, whose id the message gives, writes the folder.
            OSError: No permission or no space.
        """
        self._check_writable()
        with locking.lock(self.path):
            yield

    def claim(
        self,
        config: dict[str, Any],
        may_differ: tuple[str, ...] = (),
        defaults: dict[str, Any] | None = None,
    ) -> None:
        """Checks that the run may write here, and writes its configuration.

        Args:
            config: of the run.
            may_differ: fields in which a run that continues may differ.
            defaults: of the fields; those of a run that was begun before there were such fields.

        Raises:
            ValueError: the folder holds a run with another configuration, or other files.
            OSError: no permission, or no space.
        """
        self._check_writable()
        if self.config_path.exists():
            stored = {**(defaults or {}), **self.config()}
            differing = [
                f"{name}={stored.get(name)!r} there, {config.get(name)!r} here"
                for name in sorted(stored.keys() | config.keys())
                if stored.get(name) != config.get(name) and name not in may_differ
            ]
            if differing:
                raise ValueError(
                    f"{self.path} holds a run with another configuration. Choose another --output_dir, "
                    f"or give the same flags to continue it. Received: {'; '.join(differing)}"
                )
        elif others := [path.name for path in self.path.iterdir() if not self._is_own(path)]:
            raise ValueError(
                "The folder of a new run must be empty. Choose another --output_dir. "
                f"Received: output_dir={str(self.path)!r}, which holds {others[0]!r}"
            )
        writing.write_json(self.config_path, config)

    def config(self) -> dict[str, Any]:
        """Returns what config.json holds.

        Raises:
            DamagedFileError: It is no JSON object.
            FileNotFoundError: There is none.
        """
        return reading.read_json(self.config_path, CONFIG, CONFIG_REMEDY)

    def result(self) -> dict[str, Any]:
        """Returns what metrics.json holds.

        Raises:
            DamagedFileError: It is no JSON object of plain values.
            FileNotFoundError: There is none.
        """
        found = reading.read_json(self.result_path, RESULT, RESULT_REMEDY)
        plain = (int, float, str, type(None))
        strange = [name for name, value in found.items() if not isinstance(value, plain)]
        if strange or not found:
            reason = f"no number for {strange[0][:80]!r}" if strange else "it is empty"
            raise reading.damaged(self.result_path, RESULT, RESULT_REMEDY, reason)
        return found

    def history(self, last_epoch: int | None = None) -> list[dict[str, Any]]:
        """Returns the rows of the epochs so far.

        A last line that a kill has cut off is left out.

        Args:
            last_epoch: Rows of later epochs are dropped from the file. Default: None, all stay.

        Raises:
            DamagedFileError: Another line is damaged; the message gives its number.
        """
        if not self.history_path.exists():
            return []
        data = reading.read_bytes(self.history_path, HISTORY, HISTORY_REMEDY)
        lines = data.split(b"\n")
        rows: list[dict[str, Any]] = []
        for number, line in enumerate(lines, 1):
            try:
                row = _row(line)
                if rows and row["epoch"] <= rows[-1]["epoch"]:
                    raise ValueError(f"epoch {row['epoch']} after epoch {rows[-1]['epoch']}")
            except (ValueError, RecursionError) as error:
                if not any(lines[number:]):  # The line that was being written, or the end.
                    break
                raise reading.damaged(
                    self.history_path, HISTORY, HISTORY_REMEDY, f"line {number}: {str(error)[:200]}"
                ) from None
            rows.append(row)
        if last_epoch is not None:
            rows = [row for row in rows if row["epoch"] <= last_epoch]
            text = "".join(json.dumps(row) + "\n" for row in rows)
            if text.encode() != data:
                writing.write_text(self.history_path, text)
        return rows

    def append_history(self, row: dict[str, Any]) -> None:
        """Adds the row of an epoch, through to the disk.

        Raises:
            OSError: No permission or no space; names the file.
        """
        with (
            writing.naming(self.history_path),
            open(self.history_path, "a", encoding="utf-8") as file,
        ):
            file.write(json.dumps(row) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def _is_own(self, path: pathlib.Path) -> bool:
        """Whether a process that was killed at the very beginning has left this."""
        begun = path.name.startswith(f".{self.config_path.name}.tmp-")
        return begun or path.name == locking.LOCK_FILE

    def _check_writable(self) -> None:
        try:
            above = (self.path, *self.path.absolute().parents)
            stands = next(path for path in above if path.exists())
            free = shutil.disk_usage(stands).free
            if free >= MINIMUM_FREE_BYTES:
                self.path.mkdir(parents=True, exist_ok=True)
                with tempfile.TemporaryFile(dir=self.path):
                    return
        except OSError as error:
            raise OSError(
                "The run must be able to write its folder. Choose another --output_dir or fix the "
                f"permissions. Received: output_dir={str(self.path)!r} ({error})"
            ) from error
        raise OSError(
            f"A run needs {MINIMUM_FREE_BYTES // 2**20} MiB of space. Free some, or choose another "
            f"--output_dir. Received: {free // 2**20} MiB free at {str(stands)!r}"
        )


def _row(line: bytes) -> dict[str, Any]:
    """Parses a line of the history."""
    row = json.loads(line.decode("utf-8"))
    if not isinstance(row, dict):
        raise ValueError("no JSON object")
    for name in ("epoch", "step", "seconds"):
        if not _is_number(row.get(name)):
            raise ValueError(f"no number for {name}")
    if not isinstance(row["epoch"], int):
        raise ValueError(f"epoch {row['epoch']} is no integer")
    strange = [name for name, value in row.items() if not _is_number(value)]
    if strange:
        raise ValueError(f"no number for {strange[0][:80]!r}")
    return row


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def read_json(path: pathlib.Path) -> dict[str, Any]:
    """Returns what a JSON file holds that a trainer writes again where it is missing.

    Raises:
        DamagedFileError: It is no JSON object.
        FileNotFoundError: There is none.
    """
    remedy = "Remove it, and the same command writes it again."
    return reading.read_json(path, "a JSON object that a trainer has written", remedy)
