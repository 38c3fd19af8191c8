"""`FaissIndex`: millions of codes searched by FAISS, an extra: pip install 'tf-discrete[search]'."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from tf_discrete._internal import checks, extras, reading
from tf_discrete.codes import container, faiss_graph
from tf_discrete.codes.hamming import Neighbors, check_k, check_queries
from tf_discrete.codes.packing import check_codes, check_one_hot, pack_to_compare
from tf_discrete.types import JsonObject

if TYPE_CHECKING:
    pass

KINDS = ("flat", "hnsw", "ivf")
MAX_LINKS = 1024
"""Maximum number of links of a code in a graph: links take 8 bytes each. The minimum is 2."""
_MAX_EFFORT, _MAX_BITS = 2**20, 2**31
_TRAINING = 64
"""Codes for each cluster that the clusters are found from; a sample of the codes."""
_OPTIONS = {"flat": (), "hnsw": ("links", "effort"), "ivf": ("num_lists", "probes")}
_FORMAT = container.Format(
    b"TFDFAIS1",
    {
        "kind": str,
        "count": int,
        "num_variables": int,
        "num_categories": int,
        "options": dict,
        "entry_point": int,
    },
    "FAISS index",
    "FaissIndex.save",
    "Build it again.",
)


class FaissIndex:
    """A binary index of FAISS over codes; distances are numbers of differing variables.

    - "flat" compares with every code: exact distances. Among equally distant codes at the k-th place FAISS
      keeps whichever it likes.
    - "hnsw" walks a graph of neighbours: approximate, fast, with much extra memory.
    - "ivf" searches the nearest of `num_lists` clusters: approximate, with little extra memory.

    Args:
        codes: integers [M, N] in [0, num_categories), M >= 1.
        num_categories: K; 2 for Bernoulli codes. Others are compared one-hot. Default: 2.
        kind: "flat", "hnsw" or "ivf". Default: "flat".
        links: Number of links of a code in the graph, 2 to 1024; "hnsw" only. Default: 32.
        effort: candidates that are kept while searching the graph, 1 to 2**20, and at least k of them;
            "hnsw" only. Default: 64.
        num_lists: clusters, 1 to M; "ivf" only. Default: 4 sqrt(M), at most M / 39 for FAISS wants 39 codes
            for each.
        probes: clusters searched for each query, 1 to num_lists; "ivf" only. Default: 16, or num_lists if
            there are fewer.

    Raises:
        ImportError: FAISS is not installed.
        ValueError: another kind, no codes, codes out of range, or options out of range or of another kind.

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
        links: int | None = None,
        effort: int | None = None,
        num_lists: int | None = None,
        probes: int | None = None,
    ):
        checks.choice("kind", kind, KINDS)
        array = check_codes(codes, num_categories)
        if not len(array):
            raise ValueError(
                f"An index must hold at least one code. Received: codes.shape={array.shape}"
            )
        given = {"links": links, "effort": effort, "num_lists": num_lists, "probes": probes}
        self.kind, self._options = kind, _options(kind, len(array), given)
        self.num_variables, self.num_categories = array.shape[1], int(num_categories)
        packed, self._bits = pack_to_compare(array, num_categories)
        _check_width(packed.shape[1])
        self._index = _empty(kind, 8 * packed.shape[1], self._options)
        if kind == "ivf":
            self._index.train(packed)
        self._index.add(packed)

    def __len__(self) -> int:
        return self._index.ntotal

    def search(self, codes: ArrayLike, k: int) -> Neighbors:
        """Returns the k nearest items of each code that FAISS finds, by distance and then by index.

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
        check_k(checks.whole("k", k), len(self))
        if self.kind == "hnsw":
            self._index.hnsw.efSearch = max(self._options["effort"], k)
        packed, _ = pack_to_compare(array, self.num_categories)
        distances, indices = self._index.search(packed, k)
        distances = np.where(indices >= 0, distances // self._bits, self.num_variables + 1)
        order = np.lexsort([indices, distances])
        return Neighbors(
            np.take_along_axis(distances, order, axis=1).astype(np.int32),
            np.take_along_axis(indices, order, axis=1),
        )

    def save(self, path: str | os.PathLike[str], overwrite: bool = False) -> None:
        """Writes the index as a file with a checksum, atomically.

        Args:
            path: Path of the file.
            overwrite: Bool, whether to replace what exists at the path. Default: False.

        Raises:
            FileExistsError: it stands already, or it is something else.
            OSError: no permission, or no space.
        """
        header = {
            "kind": self.kind,
            "count": len(self),
            "num_variables": self.num_variables,
            "num_categories": self.num_categories,
            "options": self._options,
            "entry_point": 0,
        }
        parts = [faiss_graph.codes_of(self._index, self.kind)]
        if self.kind == "hnsw":
            graph = faiss_graph.graph_of(self._index)
            header["entry_point"] = graph.entry_point
            parts += [graph.levels.astype("<i4"), graph.neighbors.astype("<i4")]
        elif self.kind == "ivf":
            parts.append(faiss_graph.centroids_of(self._index))
        payload = b"".join(part.tobytes() for part in parts)
        container.write(path, _FORMAT, header, payload, overwrite)

    @classmethod
    def load(
        cls, path: str | os.PathLike[str], num_variables: int, num_categories: int = 2
    ) -> FaissIndex:
        """Reads a file that `save` has written; FAISS sees nothing of it before it is checked.

        Args:
            path: Path of the file.
            num_variables: N of its codes.
            num_categories: K of its codes. Default: 2.

        Raises:
            FileNotFoundError: no file there.
            ImportError: FAISS is not installed.
            ValueError: a truncated, changed or foreign file, or codes of other sizes.
        """
        header, payload = container.read(path, _FORMAT)
        sizes = header["num_variables"], header["num_categories"]
        if sizes != (num_variables, num_categories):
            raise ValueError(
                f"The file must hold codes of {num_variables} variables with {num_categories} categories. "
                f"Give the sizes that it was written with. Received: path={os.fspath(path)!r} with "
                f"num_variables={sizes[0]}, num_categories={sizes[1]}"
            )
        faiss = _faiss()
        with reading.reading(path, _FORMAT.expected, _FORMAT.remedy):
            return cls._from(header, payload, faiss)

    @classmethod
    def _from(cls, header: JsonObject, payload: bytes, faiss: ModuleType) -> FaissIndex:
        index = cls.__new__(cls)
        index.kind = checks.choice("kind", header["kind"], KINDS)
        index.num_variables = checks.whole("num_variables", header["num_variables"])
        index.num_categories = checks.whole("num_categories", header["num_categories"], 2)
        index._bits = 1 if index.num_categories == 2 else 2
        check_one_hot(index.num_categories)
        count = checks.whole("count", header["count"])
        if header["options"].keys() != set(_OPTIONS[index.kind]):
            raise ValueError(f"options={header['options']}")
        index._options = _options(index.kind, count, header["options"])
        width = index.num_variables * (index.num_categories if index._bits == 2 else 1)
        size = -(-width // 8)
        _check_width(size)
        data = np.frombuffer(payload, np.uint8)
        if count * size > len(data):
            raise ValueError(f"{len(data)} bytes for {count} codes")
        packed, rest = data[: count * size].reshape(count, size), data[count * size :]
        # Checked first, then an index is allocated.
        graph = centroids = None
        if index.kind == "hnsw":
            graph = faiss_graph.graph_from(
                rest, count, index._options["links"], header["entry_point"]
            )
        elif index.kind == "ivf":
            centroids = rest.reshape(index._options["num_lists"], size)
        elif len(rest):
            raise ValueError(f"{len(rest)} bytes too many")
        index._index = _empty(index.kind, 8 * size, index._options)
        if graph is not None:
            faiss_graph.restore_graph(index._index, packed, graph)
        else:
            if centroids is not None:
                index._index.kept_quantizer.add(centroids)
                index._index.is_trained = True
            index._index.add(packed)
        return index


def _options(kind: str, count: int, given: Mapping[str, object]) -> dict[str, int]:
    """The options of a kind of index over `count` codes: those that are given, checked, or defaults."""
    foreign = [
        name for name, value in given.items() if value is not None and name not in _OPTIONS[kind]
    ]
    if foreign:
        raise ValueError(
            f"{foreign[0]} is no option of this kind of index. Leave it out, or choose another kind. "
            f"Received: kind={kind!r}, {foreign[0]}={given[foreign[0]]!r}"
        )
    if kind == "hnsw":
        return {
            "links": _within("links", given, 32, 2, MAX_LINKS),
            "effort": _within("effort", given, 64, 1, _MAX_EFFORT),
        }
    if kind == "ivf":
        most = max(1, count // 39)
        lists = _within("num_lists", given, min(most, int(4 * math.sqrt(count))), 1, count)
        return {"num_lists": lists, "probes": _within("probes", given, min(16, lists), 1, lists)}
    return {}


def _within(name: str, given: Mapping[str, object], default: int, lowest: int, highest: int) -> int:
    value = given.get(name)
    return default if value is None else checks.whole(name, value, lowest, highest)


def _check_width(size: int) -> None:
    if 8 * size >= _MAX_BITS:
        raise ValueError(
            f"FAISS compares codes of fewer than {_MAX_BITS} bits. Search with CodeIndex, or with smaller "
            f"codes. Received: {8 * size} bits"
        )


def _empty(kind: str, width: int, options: dict[str, int]) -> Any:
    """Returns an index of FAISS without codes."""
    faiss = _faiss()
    if kind == "flat":
        return faiss.IndexBinaryFlat(width)
    if kind == "hnsw":
        return faiss.IndexBinaryHNSW(width, options["links"])
    quantizer = faiss.IndexBinaryFlat(width)
    index = faiss.IndexBinaryIVF(quantizer, width, options["num_lists"])
    index.kept_quantizer = quantizer  # The index does not own it.
    index.nprobe = options["probes"]
    index.cp.max_points_per_centroid = _TRAINING
    return index


def _faiss() -> ModuleType:
    otherwise = ", or use CodeIndex, which searches exactly without it"
    with extras.required("FaissIndex needs FAISS", "search", otherwise):
        import faiss
    return faiss
