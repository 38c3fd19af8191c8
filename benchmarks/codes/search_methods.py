"""The methods of search that are compared: each builds an index of packed codes and returns its search."""

from __future__ import annotations

import importlib
import os
import pathlib
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from benchmarks import help_flag

if not help_flag.GIVEN:
    from tf_discrete import codes


BITS = 64
NAMES = {
    "exact_index": "`ExactIndex`, exact",
    "scan": "`hamming_top_k`, exact",
    "faiss_flat": "FAISS flat, exact",
    "faiss_ivf": "FAISS IVF, 16 probes",
    "faiss_multi_hash": "FAISS MultiHash, 3 x 21 bits, 1 flip",
    "faiss_hnsw": "FAISS HNSW, 32 links, effort 64",
    "usearch": "usearch HNSW",
}
EXACT = ("exact_index", "scan", "faiss_flat")
"""Methods against which the recall of the others is measured; the first of `NAMES`."""
GRAPHS = ("faiss_multi_hash", "faiss_hnsw", "usearch")
_LIBRARIES = {
    **dict.fromkeys(("faiss_flat", "faiss_ivf", "faiss_multi_hash", "faiss_hnsw"), "faiss"),
    "usearch": "usearch.index",
}


class Built(NamedTuple):
    """An index and its search.

    Attributes:
        search: From queries, uint8 [Q, 8], to their neighbours.
        num_bytes: Of its files.
        facts: Measurements of the last search, by name.
    """

    search: Callable[[np.ndarray], codes.Neighbors]
    num_bytes: int
    facts: dict[str, float]


def import_library(name: str) -> None:
    """Imports the library of a method, which is no memory of its index.

    Raises:
        ImportError: It is not installed.
    """
    if name in _LIBRARIES:
        importlib.import_module(_LIBRARIES[name])


def build(name: str, items: np.ndarray, folder: pathlib.Path, k: int) -> Built:
    """Builds the index of a method from packed codes, uint8 [M, 8], with its files in a folder."""
    if name == "exact_index":
        return _exact(items, folder, k)
    if name == "scan":
        array = np.asarray(items)
        return Built(lambda queries: codes.hamming_top_k(queries, array, k), items.nbytes, {})
    if name == "usearch":
        return _usearch(items, folder, k)
    return _faiss(name, items, folder, k)


def _exact(items: np.ndarray, folder: pathlib.Path, k: int) -> Built:
    index = codes.ExactIndex.build(folder / "exact", items, BITS)
    facts: dict[str, float] = {}

    def search(queries: np.ndarray) -> codes.Neighbors:
        found = index.search(queries, k)
        assert (found.radius >= found.distances[:, -1]).all()
        facts["scanned"] = float(found.scanned.mean())
        return codes.Neighbors(found.distances, found.ids)

    return Built(search, index.num_bytes, facts)


def _usearch(items: np.ndarray, folder: pathlib.Path, k: int) -> Built:
    from usearch.index import Index, MetricKind

    index = Index(ndim=BITS, metric=MetricKind.Hamming, dtype="b1")
    index.add(np.arange(len(items), dtype=np.uint64), np.asarray(items), threads=1)
    index.save(str(folder / "usearch"))

    def search(queries: np.ndarray) -> codes.Neighbors:
        found = index.search(queries, k, threads=1)
        return codes.Neighbors(
            np.asarray(found.distances).astype(np.int32), np.asarray(found.keys).astype(np.int64)
        )

    return Built(search, os.path.getsize(folder / "usearch"), {})


def _faiss(name: str, items: np.ndarray, folder: pathlib.Path, k: int) -> Built:
    import faiss

    faiss.omp_set_num_threads(1)
    array = np.ascontiguousarray(items)
    index: Any
    if name == "faiss_flat":
        index = faiss.IndexBinaryFlat(BITS)
    elif name == "faiss_hnsw":
        index = faiss.IndexBinaryHNSW(BITS, 32)
        index.hnsw.efSearch = 64
    elif name == "faiss_multi_hash":
        index = faiss.IndexBinaryMultiHash(BITS, 3, 21)
        index.nflip = 1
    else:
        lists = min(4096, int(4 * len(items) ** 0.5), len(items) // 39)
        quantizer = faiss.IndexBinaryFlat(BITS)
        index = faiss.IndexBinaryIVF(quantizer, BITS, lists)
        index.kept_quantizer, index.nprobe = quantizer, min(16, lists)
        index.train(array[:: max(1, len(array) // (64 * lists))])
    index.add(array)
    faiss.write_index_binary(index, str(folder / name))
    size = os.path.getsize(folder / name)

    def search(queries: np.ndarray) -> codes.Neighbors:
        distances, found = index.search(np.ascontiguousarray(queries), k)
        return codes.Neighbors(distances, found)

    return Built(search, size, {})
