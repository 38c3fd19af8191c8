"""`UsearchStore`: an index of usearch over bits."""

from __future__ import annotations

import os
import pathlib

import numpy as np

from tf_discrete._internal import extras, writing
from tf_discrete.codes.code_files import CodeLayout
from tf_discrete.codes.stores.code_store import CodeStore


class UsearchStore(CodeStore):
    """Codes in `usearch.index.Index` with the data type b1 and the Hamming metric, searched exactly.

    The index is also a graph: `index.search(queries, k)` of usearch without `exact=True` is approximate
    and faster.

    Args:
        layout: What the bytes of the codes mean.

    Attributes:
        index: The index of usearch.

    Raises:
        ImportError: usearch is not installed.
    """

    def __init__(self, layout: CodeLayout):
        super().__init__(layout)
        with extras.required("This store needs usearch", "stores"):
            from usearch.index import Index, MetricKind
        bits = -(-self.num_bits // 8) * 8
        self.index = Index(ndim=bits, metric=MetricKind.Hamming, dtype="b1")

    def __len__(self) -> int:
        return len(self.index)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes usearch's own file, atomically; `Index.restore(path, view=True)` maps it into memory.

        Raises:
            FileExistsError: Something else than such a file is at the path.
            OSError: No permission, or no space.
        """
        with writing.new_path(path, True, ours=_is_index, kind="usearch index") as new:
            self.index.save(os.fspath(new))

    def _delete(self, ids: np.ndarray) -> None:
        self.index.remove(ids[ids >= 0].astype(np.uint64))

    def _add(self, packed: np.ndarray, ids: np.ndarray, labels: np.ndarray | None) -> None:
        self.index.add(ids.astype(np.uint64), np.ascontiguousarray(packed))

    def _search(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        found = self.index.search(np.ascontiguousarray(queries), k, exact=True)
        shape = len(queries), k  # A single query has its result without the first axis.
        distances = np.asarray(found.distances).reshape(shape).astype(np.int64)
        return distances, np.asarray(found.keys).reshape(shape).astype(np.int64)


def _is_index(path: pathlib.Path) -> bool:
    from usearch.index import Index

    try:
        return path.is_file() and bool(Index.metadata(os.fspath(path)))
    except (OSError, RuntimeError, ValueError):
        return False
