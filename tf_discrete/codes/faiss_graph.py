"""The content of FAISS' binary indexes as arrays, and back: checked, for FAISS checks nothing itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    pass

_ROWS = 2**16


class Graph(NamedTuple):
    """The graph of an HNSW index over M codes.

    Attributes:
        levels: int32 [M], how many levels each code is in, at least 1.
        neighbors: int32, the places for neighbours of every code, level by level; -1 where there is none.
        entry_point: the code that a search starts from, one of those with the most levels.
    """

    levels: np.ndarray
    neighbors: np.ndarray
    entry_point: int


def codes_of(index: Any, kind: str) -> np.ndarray:
    """Returns the codes of an index in their order, uint8 [M, bytes]; `kind` as `FaissIndex` has it."""
    import faiss

    if kind != "ivf":
        flat: Any = faiss.downcast_IndexBinary(index.storage) if kind == "hnsw" else index
        return faiss.vector_to_array(flat.xb).reshape(index.ntotal, index.code_size)
    codes = np.empty([index.ntotal, index.code_size], np.uint8)
    lists = index.invlists
    for number in range(index.nlist):
        size = lists.list_size(number)
        if size:
            ids = faiss.rev_swig_ptr(lists.get_ids(number), size)
            stored = faiss.rev_swig_ptr(lists.get_codes(number), size * index.code_size)
            codes[ids] = stored.reshape(size, index.code_size)
    return codes


def centroids_of(index: Any) -> np.ndarray:
    """Returns the centres of the clusters of an IVF index, uint8 [num_lists, bytes]."""
    import faiss

    quantizer: Any = faiss.downcast_IndexBinary(index.quantizer)
    return faiss.vector_to_array(quantizer.xb).reshape(index.nlist, index.code_size)


def graph_of(index: Any) -> Graph:
    """Returns the graph of an HNSW index."""
    import faiss

    hnsw = index.hnsw
    return Graph(
        faiss.vector_to_array(hnsw.levels),
        faiss.vector_to_array(hnsw.neighbors),
        int(hnsw.entry_point),
    )


def graph_from(data: np.ndarray, count: int, links: int, entry_point: int) -> Graph:
    """Reads a graph from bytes and checks all that a search relies on.

    Args:
        data: uint8, the levels and the neighbours as little-endian int32.
        count: M.
        links: places for neighbours of a code in each level; twice as many in the lowest.
        entry_point: see `Graph`.

    Raises:
        ValueError: no such graph.
    """
    numbers = data.view("<i4").astype(np.int32)  # Fails unless the size is a multiple of 4 bytes.
    levels, neighbors = numbers[:count], numbers[count:]
    if len(levels) != count or levels.min() < 1:
        raise ValueError("levels of the graph that are missing or below 1")
    places = links * (levels.astype(np.int64) + 1)
    if int(places.sum()) != len(neighbors):
        raise ValueError(f"{len(neighbors)} places for neighbours instead of {places.sum()}")
    if not 0 <= entry_point < count or levels[entry_point] != levels.max():
        raise ValueError(f"entry_point={entry_point}")
    if len(neighbors) and (neighbors.min() < -1 or neighbors.max() >= count):
        raise ValueError("neighbours that are no codes")
    _check_upper_levels(levels, neighbors, np.cumsum(places) - places, links)
    return Graph(levels, neighbors, entry_point)


def restore_graph(index: Any, packed: np.ndarray, graph: Graph) -> None:
    """Fills an empty HNSW index with codes and their graph."""
    import faiss

    faiss.downcast_IndexBinary(index.storage).add(packed)
    index.ntotal = len(packed)
    hnsw = index.hnsw
    table = faiss.vector_to_array(hnsw.cum_nneighbor_per_level)
    if int(graph.levels.max()) >= len(table):
        raise ValueError(f"{graph.levels.max()} levels, at most {len(table) - 1}")
    places = table[graph.levels].astype(np.uint64)
    offsets = np.concatenate([np.zeros(1, np.uint64), np.cumsum(places, dtype=np.uint64)])
    if offsets[-1] != len(graph.neighbors):
        raise ValueError(f"{len(graph.neighbors)} places for neighbours instead of {offsets[-1]}")
    faiss.copy_array_to_vector(graph.levels, hnsw.levels)
    faiss.copy_array_to_vector(offsets, hnsw.offsets)
    faiss.copy_array_to_vector(graph.neighbors, hnsw.neighbors)
    hnsw.entry_point, hnsw.max_level = graph.entry_point, int(graph.levels.max()) - 1


def _check_upper_levels(
    levels: np.ndarray, neighbors: np.ndarray, offsets: np.ndarray, links: int
) -> None:
    """Neighbours of a level must be in that level: a search reads their places for it."""
    for level in range(1, int(min(levels.max(), 64))):
        inside = np.flatnonzero(levels > level)
        places = links * (level + 1) + np.arange(links)  # The lowest level takes two times links.
        for start in range(0, len(inside), _ROWS):
            found = neighbors[offsets[inside[start : start + _ROWS], np.newaxis] + places]
            if (levels[found[found >= 0]] <= level).any():
                raise ValueError(f"neighbours that are not in level {level}")
