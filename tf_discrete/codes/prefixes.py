"""How far two paths through a tree go together, and the codes that share the longest prefix with a query."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from tf_discrete.codes.hamming import Neighbors, check_k, check_queries
from tf_discrete.codes.packing import as_array


def common_prefix(first: ArrayLike, second: ArrayLike) -> np.ndarray:
    """Returns the number of digits that two codes of a tree share from the root on.

    Args:
        first: Digits of codes of one variable, integers [..., D], as `encode_digits` returns them.
        second: Others, of a shape that broadcasts against it.

    Returns:
        depths: int64 [...], D for equal codes.

    Raises:
        ValueError: No integers, or codes of trees of another depth.

    Example:
        >>> common_prefix([[3, 1, 4], [3, 1, 5], [2, 1, 4]], [3, 1, 4]).tolist()
        [3, 2, 0]
    """
    arrays = as_array("first", first), as_array("second", second)
    whole = all(np.issubdtype(array.dtype, np.integer) and array.ndim for array in arrays)
    if not whole or arrays[0].shape[-1] != arrays[1].shape[-1]:
        raise ValueError(
            "first and second must be digits of one tree, integers [..., D]. Give what encode_digits "
            "returns. "
            f"Received: {', '.join(f'{array.dtype} of shape {array.shape}' for array in arrays)}"
        )
    same = np.cumprod(arrays[0] == arrays[1], axis=-1, dtype=np.int64)
    return same.sum(axis=-1)


def prefix_top_k(queries: ArrayLike, database: ArrayLike, k: int) -> Neighbors:
    """Returns the k codes of a tree that share the most digits with each query from the root on, exactly.

    The distance is the number of digits from the first that differs to the last: D less `common_prefix`.

    Args:
        queries: Digits of codes of one variable, integers [Q, D], as `encode_digits` returns them.
        database: Those of other codes, integers [M, D].
        k: Neighbours of each query, 1 to M.

    Returns:
        Neighbors; at equal distance the lower index comes first, and is kept at the k-th place.

    Raises:
        ValueError: No query, k out of range, no integers, or codes of trees of another depth.

    Example:
        >>> prefix_top_k([[3, 1, 4]], [[2, 1, 4], [3, 1, 5], [3, 0, 4]], k=2)
        Neighbors(distances=array([[1, 2]], dtype=int32), indices=array([[1, 2]]))
    """
    queries, database = as_array("queries", queries), as_array("database", database)
    whole = all(np.issubdtype(codes.dtype, np.integer) for codes in (queries, database))
    two_axes = queries.ndim == database.ndim == 2
    if not whole or not two_axes or queries.shape[1] != database.shape[1]:
        raise ValueError(
            "queries and database must be digits of codes of one variable, integers [Q, D] and [M, D]. Give "
            f"what encode_digits returns. Received: queries={queries.dtype} of shape {queries.shape}, "
            f"database={database.dtype} of shape {database.shape}"
        )
    check_queries(queries)
    k = check_k(k, len(database))
    distances = np.empty([len(queries), k], np.int32)
    indices = np.empty([len(queries), k], np.int64)
    for row, query in enumerate(queries):
        found = database.shape[1] - common_prefix(query, database)
        indices[row] = np.argsort(found, kind="stable")[:k]
        distances[row] = found[indices[row]]
    return Neighbors(distances, indices)
