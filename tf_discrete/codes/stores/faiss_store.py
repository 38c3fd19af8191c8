"""`FaissStore`: a flat binary index of FAISS with ids."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from tf_discrete._internal import extras, writing
from tf_discrete.codes.code_files import CodeLayout
from tf_discrete.codes.stores.code_store import CodeStore


class FaissStore(CodeStore):
    """Codes in `faiss.IndexBinaryIDMap2` over `faiss.IndexBinaryFlat`, in memory.

    Args:
        layout: What the bytes of the codes mean.

    Attributes:
        index: The index of FAISS.

    Raises:
        ImportError: FAISS is not installed.

    Example:
        >>> store = FaissStore(CodeLayout(num_variables=8))
        >>> store.add(np.array([[3], [7]], np.uint8), ids=[5, 6])
        >>> store.search(np.array([[1]], np.uint8), k=1)
        Neighbors(distances=array([[1]], dtype=int32), indices=array([[5]]))
    """

    def __init__(self, layout: CodeLayout):
        super().__init__(layout)
        with extras.required("This store needs FAISS", "search"):
            import faiss
        self._faiss = faiss
        self._flat = faiss.IndexBinaryFlat(-(-self.num_bits // 8) * 8)
        self.index: Any = faiss.IndexBinaryIDMap2(self._flat)

    def __len__(self) -> int:
        return self.index.ntotal

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes FAISS's own file, atomically; `faiss.read_index_binary` reads it.

        Raises:
            FileExistsError: Something else than such a file is at the path.
            OSError: No permission, or no space.
        """
        ours = writing.starts_with(b"IBM2")
        with writing.new_path(path, True, ours=ours, kind="binary FAISS index") as new:
            self._faiss.write_index_binary(self.index, os.fspath(new))

    def _delete(self, ids: np.ndarray) -> None:
        self.index.remove_ids(ids)

    def _add(self, packed: np.ndarray, ids: np.ndarray, labels: np.ndarray | None) -> None:
        self.index.add_with_ids(np.ascontiguousarray(packed), ids)

    def _search(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        return self.index.search(np.ascontiguousarray(queries), k)
