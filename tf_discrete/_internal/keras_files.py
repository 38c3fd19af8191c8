"""Reading of `.keras` files that may be damaged or hostile."""

from __future__ import annotations

import io
import os
import pathlib
import zipfile
from typing import Any

import h5py  # type: ignore[import-untyped]
import keras

from tf_discrete._internal import reading, writing

EXPECTED = "a model, as Keras saves it in a .keras file"
REMEDY = "Save the model again, or give another file."
UNREGISTERED = "Import the module that registers your classes first."

_UNKNOWN_CLASS = ("Could not locate", "Import its module first")
"""Messages of Keras, and of constructors that take configs, about a class that is not registered."""
_CONFIG, _WEIGHTS = "config.json", "model.weights.h5"
_MAX_CONFIG_BYTES = 64 * 2**20
_MAX_RATIO = 16
"""Bytes that one byte of a file may stand for; Keras itself does not compress."""
_SLACK_BYTES = 2**20


def load_keras(
    path: str | os.PathLike[str],
    *,
    expected: str = EXPECTED,
    remedy: str = REMEDY,
    unregistered: str = UNREGISTERED,
    kind: type[keras.Model] = keras.Model,
) -> Any:
    """Reads a model from a `.keras` file, in safe mode and without its optimizer.

    All checksums of the file are compared before Keras reads it, and what it announces is held against its
    size, so a damaged file is never read as another model.

    Args:
        path: The file; `~` is expanded.
        expected: What the file must be, for messages.
        remedy: What to do, as a sentence.
        unregistered: The remedy where a class of the model is not registered.
        kind: Class of the model.

    Raises:
        DamagedFileError: Not a whole `.keras` file, or one that cannot be read in safe mode.
        FileNotFoundError: The file is missing.

    Example:
        >>> import tempfile
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     model.save(f"{folder}/model.keras")
        ...     load_keras(f"{folder}/model.keras").count_params()
        3
    """
    file = writing.expand(path)
    size = reading.check_regular(file, expected, remedy)
    with reading.reading(file, expected, remedy):
        _check(file, size)
        try:
            model = keras.saving.load_model(file, compile=False, safe_mode=True)
        except Exception as error:
            if not any(sign in str(error) for sign in _UNKNOWN_CLASS):
                raise
            raise reading.damaged(
                file, "a model whose classes are registered", unregistered, reading.reason(error)
            ) from error
        if not isinstance(model, kind):
            raise ValueError(f"it holds a {type(model).__name__}")
    return model


def _check(file: pathlib.Path, size: int) -> None:
    """Refuses files whose content is not what its checksums and its size say."""
    with zipfile.ZipFile(file) as archive:
        entries = archive.infolist()
        names = [entry.filename for entry in entries]
        if len(set(names)) != len(names):
            raise ValueError("two entries of one name")
        missing = {_CONFIG, _WEIGHTS} - set(names)
        if missing:
            raise ValueError(f"no {' and no '.join(sorted(missing))}")
        for name in names:
            parts = pathlib.PurePosixPath(name).parts
            if name.startswith("/") or ".." in parts or "\\" in name:
                raise ValueError(f"an entry outside the file: {name!r}")
        announced = sum(entry.file_size for entry in entries)
        if announced > _MAX_RATIO * size + _SLACK_BYTES:
            raise ValueError(f"{announced} bytes announced in a file of {size}")
        if archive.getinfo(_CONFIG).file_size > _MAX_CONFIG_BYTES:
            raise ValueError(f"a {_CONFIG} of more than {_MAX_CONFIG_BYTES} bytes")
        damaged = archive.testzip()  # Compares the checksum of every entry.
        if damaged:
            raise ValueError(f"another checksum of {damaged}")
        weights = archive.read(_WEIGHTS)
    _check_weights(weights)


def _check_weights(data: bytes) -> None:
    """Refuses weights that ask for more memory than the file can fill, or for other files."""
    total, elsewhere = 0, []

    def check_link(name: str, link: object) -> None:  # h5py loses what is raised in here.
        if not isinstance(link, h5py.HardLink):
            elsewhere.append(name)

    def add(name: str, item: object) -> None:
        nonlocal total
        if isinstance(item, h5py.Dataset):
            total += item.nbytes
            if item.external or item.is_virtual:
                elsewhere.append(name)

    with h5py.File(io.BytesIO(data), "r") as file:
        file.visititems_links(check_link)
        file.visititems(add)
    if elsewhere:
        raise ValueError(f"weights that lie elsewhere: {elsewhere[0]}")
    if total > _MAX_RATIO * len(data) + _SLACK_BYTES:
        raise ValueError(f"weights of {total} bytes announced in {len(data)}")
