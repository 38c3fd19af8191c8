"""The kinds of files that are written while they are read: how a state is written, read and told apart."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from tf_discrete import codes, export, models
from tf_discrete._internal import keras_files, reading, writing
from tf_discrete.datasets import image_cache
from trainers.common.checkpoints import CheckpointFolder
from trainers.common.run_directory import RunDirectory

SIZES: dict[str, Any] = {"data_shape": (2, 2, 1), "num_variables": 2, "hidden_units": (3,)}


class Kind(NamedTuple):
    """One kind of files.

    Attributes:
        write: (folder) -> function that writes a state; called in the process of a writer.
        read: (folder) -> function that returns the numbers of all parts that were read, equal if they are
            of one state; called in the process of a reader.
        names: Pattern of what may be in the folder between two writes.
        share: Of the kills. Default: 10; fewer where a write takes seconds.
    """

    write: Callable[[pathlib.Path], Callable[[int], None]]
    read: Callable[[pathlib.Path], Callable[[], list[int]]]
    names: str
    share: int = 10


def _model() -> Any:
    model = models.CategoricalVAE(**SIZES)
    model.build((None, 2, 2, 1))
    return model


def _set(model: Any, state: int) -> None:
    for weight in model.weights:
        if len(weight.shape) == 2:
            weight.assign(np.full(weight.shape, state, np.float32))


def _states(weights: Any) -> list[int]:
    return [int(value) for weight in weights for value in np.unique(np.asarray(weight))]


def _write_model(folder: pathlib.Path) -> Callable[[int], None]:
    model = _model()

    def write(state: int) -> None:
        _set(model, state)
        with writing.replaced_file(RunDirectory(folder).model_path) as new:
            model.save(new)

    return write


def _read_model(folder: pathlib.Path) -> Callable[[], list[int]]:
    path = RunDirectory(folder).model_path
    return lambda: _states(
        weight for weight in keras_files.load_keras(path).weights if len(weight.shape) == 2
    )


def _write_export(folder: pathlib.Path) -> Callable[[int], None]:
    model = _model()

    def write(state: int) -> None:
        _set(model, state)
        export.save(model, folder / "saved_model", metadata={"state": state}, overwrite=True)

    return write


def _read_export(folder: pathlib.Path) -> Callable[[], list[int]]:
    import tensorflow as tf

    def both(path: pathlib.Path) -> list[int]:
        state = export.load_manifest(path).metadata["state"]
        reader = tf.train.load_checkpoint(str(path / "variables" / "variables"))
        shapes = reader.get_variable_to_shape_map()
        names = [name for name, shape in shapes.items() if len(shape) == 2]
        return [state, *_states(reader.get_tensor(name) for name in names)]

    return lambda: reading.read_folder(folder / "saved_model", both)


def _write_index(folder: pathlib.Path) -> Callable[[int], None]:
    def write(state: int) -> None:
        made = codes.CodeIndex(
            np.full([50, 4], state), 2**16, [str(state)] * 50, None, {"i": state}
        )
        made.save(folder / "index", overwrite=True)

    return write


def _read_index(folder: pathlib.Path) -> Callable[[], list[int]]:
    def read() -> list[int]:
        found = codes.CodeIndex.load(folder / "index")
        return [*np.unique(found.codes).tolist(), *map(int, found.ids), found.metadata["i"]]

    return read


def _write_checkpoint(folder: pathlib.Path) -> Callable[[int], None]:
    return _checkpoints(folder)[1]


def _checkpoints(folder: pathlib.Path) -> tuple[Any, Callable[[int], None], Any]:
    import tensorflow as tf

    matrix, step = tf.Variable(tf.zeros([100, 3])), tf.Variable(0, dtype=tf.int64)
    checkpoint = tf.train.Checkpoint(matrix=matrix, step=step)
    kept = CheckpointFolder(checkpoint, folder / "last", keep=2)

    def write(state: int) -> None:
        matrix.assign(tf.fill([100, 3], float(state)))
        step.assign(state)
        kept.save(state)

    return kept, write, (matrix, step)


def _read_checkpoint(folder: pathlib.Path) -> Callable[[], list[int]]:
    kept, _, weights = _checkpoints(folder)

    def read() -> list[int]:
        for _ in range(100):  # As `trainers.common.run_checkpoints.Checkpoints` does.
            for epoch in kept.epochs():
                try:
                    kept.read(epoch)
                except (FileNotFoundError, reading.DamagedFileError):
                    continue
                return [epoch, *_states(weights)]
        raise FileNotFoundError("no checkpoint")

    return read


def _write_history(folder: pathlib.Path) -> Callable[[int], None]:
    directory = RunDirectory(folder)
    last = max((row["epoch"] for row in directory.history()), default=0)
    directory.history(last_epoch=last)

    def write(state: int) -> None:
        directory.append_history({"epoch": state, "step": state, "seconds": 0.5})

    return write


def _read_history(folder: pathlib.Path) -> Callable[[], list[int]]:
    def read() -> list[int]:
        row = RunDirectory(folder).history()[-1]
        return [row["epoch"], row["step"]]

    return read


def _write_cache(folder: pathlib.Path) -> Callable[[int], None]:
    image_cache.MEMORY_BYTES = 1

    def write(state: int) -> None:
        key = f"{os.getpid()} {state}"  # One that is cached already would not be written.
        chunks = [(np.full([50, 4, 4, 1], state % 256, np.uint8), np.full(50, state % 256))] * 2
        image_cache.fill(100, (4, 4, 1), lambda: chunks, cache_dir=str(folder), key=key)

    return write


def _read_cache(folder: pathlib.Path) -> Callable[[], list[int]]:
    def read() -> list[int]:
        found = [entry.path for entry in os.scandir(folder) if not entry.name.startswith(".")]
        parts = [np.load(os.path.join(found[-1], f"{name}.npy")) for name in ("images", "labels")]
        return [int(value) for part in parts for value in np.unique(part)]

    return read


KINDS = {
    "index": Kind(_write_index, _read_index, r"index"),
    "model": Kind(_write_model, _read_model, r"model\.keras"),
    "checkpoint": Kind(
        _write_checkpoint, _read_checkpoint, r"last(/checkpoint|/ckpt-\d+\.(index|data-.*))?"
    ),
    "history": Kind(_write_history, _read_history, r"metrics\.jsonl"),
    "cache": Kind(_write_cache, _read_cache, r"[0-9a-f]{24}"),
    "export": Kind(_write_export, _read_export, r"saved_model", share=2),
}
