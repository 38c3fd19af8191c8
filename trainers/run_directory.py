"""The run directory: what it holds, written atomically, and whether it may be used."""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import tempfile
from typing import Any

MINIMUM_FREE_BYTES = 200 * 2**20


class RunDirectory:
    """A folder of one run.

    It holds config.json, metrics.jsonl (a row an epoch), metrics.json (the result), checkpoints/,
    tensorboard/, pictures, model.keras and saved_model/.

    Args:
        path: of the folder; created if it is missing.
    """

    def __init__(self, path: str | os.PathLike[str]):
        self.path = pathlib.Path(path)
        self.config_path = self.path / "config.json"
        self.history_path = self.path / "metrics.jsonl"
        self.result_path = self.path / "metrics.json"
        self.checkpoints = self.path / "checkpoints"
        self.tensorboard = self.path / "tensorboard"
        self.model_path = self.path / "model.keras"
        self.saved_model_path = self.path / "saved_model"

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
            stored = {**(defaults or {}), **read_json(self.config_path)}
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
        elif others := [
            path.name for path in self.path.iterdir() if path != _partial(self.config_path)
        ]:
            raise ValueError(
                "The folder of a new run must be empty. Choose another --output_dir. "
                f"Received: output_dir={str(self.path)!r}, which holds {others[0]!r}"
            )
        write_json(self.config_path, config)

    def history(self, last_epoch: int | None = None) -> list[dict[str, Any]]:
        """The rows of the epochs so far; with `last_epoch`, later ones are dropped from the file."""
        if not self.history_path.exists():
            return []
        rows = []
        for line in self.history_path.read_text().splitlines():
            try:
                rows.append(json.loads(line))
            except json.JSONDecodeError:  # The line that was being written when the run was killed.
                break
        if last_epoch is not None:
            rows = [row for row in rows if row["epoch"] <= last_epoch]
            write_text(self.history_path, "".join(json.dumps(row) + "\n" for row in rows))
        return rows

    def append_history(self, row: dict[str, Any]) -> None:
        """Adds the row of an epoch."""
        with open(self.history_path, "a") as file:
            file.write(json.dumps(row) + "\n")

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
                "The run must be able to write its folder. Choose another --output_dir or mend the "
                f"permissions. Received: output_dir={str(self.path)!r} ({error})"
            ) from error
        raise OSError(
            f"A run needs {MINIMUM_FREE_BYTES // 2**20} MiB of space. Free some, or choose another "
            f"--output_dir. Received: {free // 2**20} MiB free at {str(stands)!r}"
        )


def read_json(path: pathlib.Path) -> Any:
    return json.loads(path.read_text())


def write_json(path: pathlib.Path, value: Any) -> None:
    """Writes JSON, whole or not at all."""
    write_text(path, json.dumps(value, indent=2, sort_keys=True) + "\n")


def write_text(path: pathlib.Path, text: str) -> None:
    """Writes a file, whole or not at all."""
    temporary = _partial(path)
    temporary.write_text(text)
    os.replace(temporary, path)


def _partial(path: pathlib.Path) -> pathlib.Path:
    """Where a file is written before it takes its name; a kill may leave it."""
    return path.with_name(path.name + ".tmp")
