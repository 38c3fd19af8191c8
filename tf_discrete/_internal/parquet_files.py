"""Parquet files of this package, known by a key of their metadata."""

from __future__ import annotations

import pathlib
from collections.abc import Callable


def has_key(key: bytes) -> Callable[[pathlib.Path], bool]:
    """Returns the `ours` of Parquet files whose metadata have a key, see `writing.new_path`."""

    def is_ours(path: pathlib.Path) -> bool:
        import pyarrow
        import pyarrow.parquet

        try:
            found = pyarrow.parquet.read_schema(path).metadata if path.is_file() else None
        except (pyarrow.ArrowException, OSError):
            return False
        return key in (found or {})

    return is_ours
