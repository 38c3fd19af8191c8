"""Tables of embeddings and of IDs: `.npy`, and Parquet where pyarrow is installed."""

from __future__ import annotations

import os
import pathlib
from typing import Any, NamedTuple

import numpy as np

from tf_discrete._internal import extras, reading
from tf_discrete.codes.item_ids import check_embeddings

NAMES = ("ids.npy", "ids.parquet")
"""Files of IDs."""
IDS = "semantic_id"
"""Column of the IDs in a Parquet table."""


class Table(NamedTuple):
    """A table of embeddings.

    Attributes:
        embeddings: float [M, D].
        others: The other columns as a `pyarrow.Table`; None for `.npy`.
    """

    embeddings: np.ndarray
    others: Any = None


def read(path: str, column: str) -> Table:
    """Reads embeddings from `.npy`, or from a column of lists in a Parquet file.

    Raises:
        FileNotFoundError: No such file.
        ImportError: A Parquet file, and no pyarrow.
        ValueError: Another kind of file, or no finite numbers [M, D] in it; names the file.
    """
    if not os.path.isfile(path):
        raise FileNotFoundError(f"embeddings must be a file. Received: embeddings={path!r}")
    try:
        if path.endswith(".parquet"):
            embeddings, others = _read_parquet(path, column)
        else:
            embeddings, others = _read_npy(path), None
        return Table(check_embeddings(embeddings), others)
    except reading.DamagedFileError:  # It names the file.
        raise
    except ValueError as error:
        raise ValueError(f"{error} in {path}") from error


def read_ids(path: str) -> np.ndarray:
    """Reads IDs, integers [Q, N], from `.npy`, or from the column `semantic_id` of a Parquet file.

    Raises:
        FileNotFoundError: No such file.
        ImportError: A Parquet file, and no pyarrow.
        ValueError: No integers [Q, N] in it.
    """
    if not os.path.isfile(path):
        raise FileNotFoundError(f"decode must be a file of IDs. Received: decode={path!r}")
    ids = _read_parquet(path, IDS)[0] if path.endswith(".parquet") else _read_npy(path)
    if ids.ndim != 2 or ids.dtype.kind not in "iu":
        raise ValueError(
            "IDs must be integers [Q, N], a row for each item. "
            f"Received: {path} with {ids.dtype} {ids.shape}"
        )
    return ids


def write_ids(folder: pathlib.Path, ids: np.ndarray, others: Any) -> pathlib.Path:
    """Writes IDs next to the other columns as `ids.parquet`, or alone as `ids.npy`; returns the path."""
    path = folder / NAMES[others is not None]
    if others is None:
        np.save(path, ids)
    else:
        import pyarrow
        from pyarrow import parquet

        column = pyarrow.FixedSizeListArray.from_arrays(
            pyarrow.array(ids.reshape(-1)), ids.shape[1]
        )
        parquet.write_table(others.append_column(IDS, column), path)
    return path


def _read_npy(path: str) -> np.ndarray:
    return reading.read_array(path, "a whole .npy file of numbers", "Write it again.")


def _read_parquet(path: str, column: str) -> tuple[np.ndarray, Any]:
    with extras.required("Parquet files need pyarrow", "parquet", ", or give a .npy file"):
        import pyarrow
        from pyarrow import parquet
    try:
        table = parquet.read_table(path)
    except (pyarrow.ArrowException, OSError) as error:
        raise ValueError(
            f"Not a whole Parquet file ({str(error)[:200]}). Received: a file"
        ) from error
    if column not in table.column_names:
        raise ValueError(
            f"The table must have the column. It has {', '.join(table.column_names)}. "
            f"Received: column={column!r}"
        )
    lists = table.column(column).combine_chunks()
    kinds = pyarrow.types
    if not (kinds.is_list(lists.type) or kinds.is_large_list(lists.type)) and not (
        kinds.is_fixed_size_list(lists.type)
    ):
        raise ValueError(f"The column must hold lists. Received: column={column!r} of {lists.type}")
    lengths = np.unique([-1 if x is None else x for x in lists.value_lengths().to_pylist()])
    if lists.null_count or len(lengths) > 1:
        raise ValueError(
            "All lists of the column must have one length, and none may be missing. "
            f"Received: column={column!r} with lengths {lengths[:5].tolist()}"
        )
    values = lists.flatten().to_numpy(zero_copy_only=False)
    return values.reshape(len(lists), -1) if len(lists) else values, table.drop_columns([column])
