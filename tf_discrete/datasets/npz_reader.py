"""Reads arrays of numbers from `.npz` files of any origin; what they announce is checked first."""

from __future__ import annotations

import contextlib
import math
import os
import zipfile
from collections.abc import Iterator

import numpy as np

from tf_discrete._internal import reading
from tf_discrete._internal.physical_memory import physical_memory

_LARGEST_RATIO = 1032
"""Deflate makes data at most this many times smaller."""
_SLACK_BYTES = 4096


class NpzReader:
    """The arrays of one file.

    Nothing is unpickled, and no more memory is taken than the file's own size can justify.

    Args:
        path: Path of the file.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no `.npz` file.
    """

    def __init__(self, path: str):
        if not os.path.exists(path):
            raise FileNotFoundError(
                f"The .npz file must exist. Check the path. Received: name={path!r}"
            )
        self._path = path
        with self._readable():
            if not os.path.isfile(path):
                raise ValueError("it is no regular file")
            with open(path, "rb") as file:
                if file.read(6) == b"\x93NUMPY":
                    raise ValueError("it holds a single array, as np.save writes it")
            self._zip = zipfile.ZipFile(path)
            names = self._zip.namelist()
            self._members = {name.removesuffix(".npy"): name for name in names}
            if len(self._members) < len(names):
                raise ValueError("two of its arrays have one name")

    def __enter__(self) -> NpzReader:
        return self

    def __exit__(self, *error: object) -> None:
        self._zip.close()

    @property
    def keys(self) -> list[str]:
        """Returns the names of the arrays."""
        return list(self._members)

    def read(self, key: str) -> np.ndarray:
        """Reads one array.

        Raises:
            ValueError: the array is damaged, holds no numbers, or does not fit into memory.
        """
        with self._readable():
            info = self._zip.getinfo(self._members[key])
            if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise ValueError(f"key {key}: it is compressed by another method than deflate")
            with self._zip.open(info) as stream:
                shape, dtype = reading.array_header(stream)
                start = stream.tell()
        if dtype.hasobject:
            raise ValueError(
                "An array in an .npz file must hold numbers, not Python objects. Stack images of one size "
                "with np.stack, convert labels with np.asarray(labels, np.int64), and write the file "
                f"again. Received: {self._path!r}, key {key}: dtype {dtype}, shape {shape}"
            )
        with self._readable():
            needed = dtype.itemsize * math.prod(shape)
            if start + needed != info.file_size:
                raise ValueError(
                    f"key {key}: its header announces {needed} bytes of shape {shape}, and the file has "
                    f"{info.file_size - start}"
                )
            if info.file_size > info.compress_size * _LARGEST_RATIO + _SLACK_BYTES:
                raise ValueError(
                    f"key {key}: {info.compress_size} bytes cannot hold the {info.file_size} that are "
                    "announced"
                )
        if needed > (memory := physical_memory()):
            raise ValueError(
                "The arrays of an .npz file must fit into memory. Store integers as uint8, or write the "
                f"images as files into a folder. Received: {self._path!r}, key {key}: {needed} bytes, and "
                f"{memory} of memory"
            )
        with self._readable(), self._zip.open(info) as stream:
            array = np.lib.format.read_array(stream, allow_pickle=False)
            if stream.read(1):  # Reading to the end checks the checksum, too.
                raise ValueError(f"key {key}: there are more data than its header announces")
        return array

    @contextlib.contextmanager
    def _readable(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # The readers of zip and of NumPy raise whatever they meet.
            raise ValueError(
                "The .npz file must be readable: a zip of arrays of numbers, as np.savez writes it. Write "
                f"it again. Received: {self._path!r}: {reading.reason(error)}"
            ) from error
