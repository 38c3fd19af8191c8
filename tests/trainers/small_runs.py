"""Runs of the categorical VAE that take seconds, and what the tests read of their folders."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
from typing import Any

import numpy as np
import tensorflow as tf

from tests import forked
from trainers.common import run
from trainers.tasks import categorical_vae

ROOT = pathlib.Path(__file__).resolve().parents[2]

FLAGS: dict[str, Any] = {
    "dataset": "digits",
    "binarization": "dynamic",
    "max_examples": 300,
    "batch_size": 30,
    "epochs": 5,
    "early_stopping": 3,
    "num_variables": 4,
    "num_categories": 3,
    "hidden_units": (12,),
    "learning_rate": 0.003,
    "temperature_rate": 0.01,
    "temperature_update_period": 7,
    "kl_warmup_steps": 20,
    "bound_samples": 30,
    "pictures_every": 3,
    "classify_reconstructions": False,
}


def config(output_dir: Any, **changes: Any) -> categorical_vae.Config:
    """The configuration of a small run."""
    return categorical_vae.Config(output_dir=str(output_dir), **{**FLAGS, **changes})


def train(output_dir: Any, **changes: Any) -> dict[str, Any]:
    """Trains without pictures, which change no number, and without what comes after the last epoch."""
    settings = config(output_dir, **{"pictures_every": 0, **changes})
    return run.train(categorical_vae.TASK, settings, lambda *arguments: {})


def arguments(output_dir: Any, **changes: Any) -> list[str]:
    """The same configuration as a command line."""
    values = {**FLAGS, **changes, "output_dir": output_dir}
    return [
        f"--{name}={','.join(map(str, value)) if isinstance(value, tuple) else value}"
        for name, value in values.items()
    ]


def environment(**changes: str) -> dict[str, str]:
    """Of a process that is to find the trainers."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "2", **changes}


def command(*words: str) -> list[str]:
    return [sys.executable, *words]


def call(*words: str, cwd: pathlib.Path | None = None) -> subprocess.CompletedProcess[str]:
    """Runs Python, forked after the import of the package, to its end and returns what it has printed."""
    return forked.run(*words, cwd=cwd, env=environment())


def call_fresh(
    *words: str, cwd: pathlib.Path | None = None, **changes: str
) -> subprocess.CompletedProcess[str]:
    """Runs Python, which has imported nothing, to its end and returns what it has printed."""
    return subprocess.run(
        command(*words),
        env=environment(**changes),
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=300,
    )


def rows(folder: pathlib.Path) -> list[dict[str, Any]]:
    """The history of a run without the wall-clock time."""
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    return [
        {name: value for name, value in json.loads(line).items() if name != "seconds"}
        for line in lines
    ]


def result(folder: pathlib.Path) -> dict[str, Any]:
    """metrics.json of a run without the wall-clock time."""
    found = json.loads((folder / "metrics.json").read_text())
    found.pop("training_seconds", None)  # A prior has none.
    return found


def checkpoint(folder: pathlib.Path, which: str = "last") -> dict[str, np.ndarray]:
    """All variables of a checkpoint by name: weights, slots of the optimizer, counters."""
    path = tf.train.latest_checkpoint(str(folder / "checkpoints" / which))
    reader = tf.train.load_checkpoint(path)
    names = reader.get_variable_to_shape_map()
    return {
        name: reader.get_tensor(name)
        for name in names
        if not name.startswith(("save_counter", "_CHECKPOINTABLE"))
    }


def assert_same_run(folder: pathlib.Path, reference: pathlib.Path) -> None:
    """Demands the same history, result and checkpoints, bit for bit."""
    assert rows(folder) == rows(reference)
    if (reference / "metrics.json").exists():
        assert result(folder) == result(reference)
    for which in ("last", "best"):
        found, expected = checkpoint(folder, which), checkpoint(reference, which)
        assert found.keys() == expected.keys()
        assert len(expected) > 10
        for name, value in expected.items():
            np.testing.assert_array_equal(found[name], value, err_msg=f"{which}: {name}")


_LOAD = """
import pathlib, sys
import keras
import tensorflow as tf
import tf_discrete

folder = pathlib.Path(sys.argv[1])
for path in sorted(folder.rglob("*")):
    if path.suffix == ".keras":
        keras.saving.load_model(path)
    elif path.name == "saved_model":
        tf.saved_model.load(str(path))
        tf_discrete.export.load_manifest(path)
    elif path.name.startswith("index-") and path.is_dir():
        tf_discrete.codes.CodeIndex.load(path)
    elif "checkpoints" in path.parts and path.suffix == ".index":
        reader = tf.train.load_checkpoint(str(path.with_suffix("")))
        for name in reader.get_variable_to_shape_map():
            reader.get_tensor(name)
    else:
        continue
    print(path.relative_to(folder).as_posix())
"""


def loaded_afresh(folder: pathlib.Path, empty: pathlib.Path) -> set[str]:
    """Loads the files of a run in a new process that imports nothing but the package.

    Args:
        folder: Of the run.
        empty: The process starts in it.

    Returns:
        What was loaded: models, exports, indexes, and the best and last checkpoints without their epochs.
    """
    ended = call("-c", _LOAD, str(folder), cwd=empty)
    assert ended.returncode == 0, ended.stderr
    return {line.split("/ckpt-")[0] for line in ended.stdout.splitlines()}
