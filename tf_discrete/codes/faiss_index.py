"""`FaissIndex`: millions of codes searched by FAISS, an extra: pip install 'tf-discrete[search]'."""

from __future__ import annotations

import math
import os
import pathlib
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from tf_discrete import checks
from tf_discrete._internal import writing
from tf_discrete.arguments import check_choice
from tf_discrete.codes.hamming import Neighbors, check_k, check_queries
from tf_discrete.codes.packing import check_codes, pack_to_compare

KINDS = ("flat", "hnsw", "ivf")
MAX_LINKS = 1024
"""Of a code in a graph: with one link FAISS cannot make a graph, and links take 8 bytes each."""
_TRAINING = 64
"""Codes for each cluster that the clusters are found from; a sample of the codes."""


class FaissIndex:
    """A binary index of FAISS over codes; distances are numbers of differing variables.

    - "flat" compares with every code: exact distances. Among equally distant codes at the k-th place FAISS
      keeps whichever it likes.
    - "hnsw" walks a graph of neighbours: approximate, fast, with much memory beside the codes.
    - "ivf" looks into the nearest of `num_lists` clusters: approximate, little memory beside the codes.

    Args:
        codes: integers [M, N] in [0, num_categories), M >= 1.
        num_categories: K; 2 for Bernoulli codes. Others are compared one-hot. Default: 2.
        kind: "flat", "hnsw" or "ivf". Default: "flat".
        links: of a code in the graph; "hnsw". Default: 32.
        effort: candidates that are kept while searching the graph; "hnsw". Default: 64.
        num_lists: clusters; "ivf". Default: 4 sqrt(M), at most M / 39 for FAISS wants 39 codes for each.
        probes: clusters searched for each query; "ivf". Default: 16.

    Raises:
        ImportError: FAISS is not installed.
        ValueError: another kind, no codes, or codes out of range.

    Example:
        >>> index = FaissIndex([[0, 1, 1], [1, 1, 1], [0, 0, 0]])
        >>> index.search([[0, 1, 0]], k=1).distances
        array([[1]], dtype=int32)

    Reference:
        Douze et al. The Faiss library. 2024. arXiv:2401.08281.
    """

    def __init__(
        self,
        codes: ArrayLike,
        num_categories: int = 2,
        kind: str = "flat",
        links: int = 32,
        effort: int = 64,
        num_lists: int | None = None,
        probes: int = 16,
    ):
        check_choice("kind", kind, KINDS)
        links = checks.whole("links", links, lowest=2, highest=MAX_LINKS)
        effort = checks.whole("effort", effort)
        num_lists = checks.optional(checks.whole, "num_lists", num_lists)
        probes = checks.whole("probes", probes)
        array = check_codes(codes, num_categories)
        if not len(array):
            raise ValueError(
                f"An index must hold at least one code. Received: codes.shape={array.shape}"
            )
        faiss = _faiss()
        self.num_variables, self.num_categories = array.shape[1], int(num_categories)
        packed, self._bits = pack_to_compare(array, num_categories)
        width = 8 * packed.shape[1]
        if kind == "flat":
            self._index: Any = faiss.IndexBinaryFlat(width)
        elif kind == "hnsw":
            self._index = faiss.IndexBinaryHNSW(width, links)
            self._index.hnsw.efSearch = effort
        else:
            most = max(1, len(packed) // 39)
            count = min(most, int(4 * math.sqrt(len(packed)))) if num_lists is None else num_lists
            self._quantizer = faiss.IndexBinaryFlat(width)  # The index does not own it.
            self._index = faiss.IndexBinaryIVF(self._quantizer, width, count)
            self._index.nprobe = min(probes, count)
            self._index.cp.max_points_per_centroid = _TRAINING
            self._index.train(packed)
        self._index.add(packed)

    def __len__(self) -> int:
        return self._index.ntotal

    def search(self, codes: ArrayLike, k: int) -> Neighbors:
        """The k nearest items of each code that FAISS finds, by distance and then by index.

        Args:
            codes: integers [Q, N].
            k: 1 to M.

        Returns:
            Neighbors. An approximate index may find fewer than k: the rest has index -1 and a distance
            of N + 1.

        Raises:
            ValueError: no query, k out of range, or codes of other sizes.
        """
        array = check_codes(codes, self.num_categories, self.num_variables)
        check_queries(array)
        check_k(k, len(self))
        packed, _ = pack_to_compare(array, self.num_categories)
        distances, indices = self._index.search(packed, k)
        distances = np.where(indices >= 0, distances // self._bits, self.num_variables + 1)
        order = np.lexsort([indices, distances])
        return Neighbors(
            np.take_along_axis(distances, order, axis=1).astype(np.int32),
            np.take_along_axis(indices, order, axis=1),
        )

    def save(self, path: str | os.PathLike[str], overwrite: bool = False) -> None:
        """Writes the file that FAISS makes of the index, whole or not at all.

        Raises:
            FileExistsError: it stands already.
            OSError: no permission, or no space.
        """
        with writing.new_path(path, overwrite, ours=_is_faiss, kind="FAISS index") as file:
            _faiss().write_index_binary(self._index, str(file))

    @classmethod
    def load(
        cls, path: str | os.PathLike[str], num_variables: int, num_categories: int = 2
    ) -> FaissIndex:
        """Reads a file that `save` has written.

        Args:
            path: of the file.
            num_variables: N of its codes.
            num_categories: K of its codes. Default: 2.

        Raises:
            FileNotFoundError: no file there.
            ImportError: FAISS is not installed.
            ValueError: a truncated or foreign file, or codes of other sizes.
        """
        faiss = _faiss()
        if not os.path.isfile(path):
            raise FileNotFoundError(
                f"The path must be a file that FaissIndex.save has written. Received: path={path!r}"
            )
        try:
            stored = faiss.read_index_binary(os.fspath(path))
        except RuntimeError as error:
            reason = str(error).splitlines()[-1]
            raise ValueError(
                "The file must be a whole binary index of FAISS. Build it again. "
                f"Received: path={os.fspath(path)!r} ({reason})"
            ) from None
        example, bits = pack_to_compare(np.zeros([1, num_variables], np.int32), num_categories)
        if stored.code_size != example.shape[1]:
            raise ValueError(
                f"The file must hold codes of {num_variables} variables with {num_categories} categories, "
                f"{example.shape[1]} bytes each. Received: path={os.fspath(path)!r} with codes of "
                f"{stored.code_size} bytes"
            )
        index = cls.__new__(cls)
        index.num_variables, index.num_categories = int(num_variables), int(num_categories)
        index._index, index._bits = stored, bits
        return index


def _faiss() -> Any:
    try:
        import faiss
    except ImportError as error:
        raise ImportError(
            "FaissIndex needs FAISS, which is an extra: pip install 'tf-discrete[search]'. "
            f"CodeIndex searches exactly without it. Received: {error}"
        ) from error
    return faiss


def _is_faiss(path: pathlib.Path) -> bool:
    if not path.is_file():
        return False
    with open(path, "rb") as file:
        return file.read(2) == b"IB"  # IBxF, IBHf, IBwF: binary indexes
