"""Exact search by Hamming distance over packed codes: XOR and population count, block by block.

Large searches for the k nearest run in `hamming_groups`, with the same answers.

Order and ties: neighbours come by increasing distance, and at the same distance by increasing index.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

from tf_discrete._internal import checks
from tf_discrete.codes import hamming_groups
from tf_discrete.codes.packing import check_packed
from tf_discrete.types import Tensor

BLOCK = 1 << 15
"""Codes that are compared at once; their words stay in a processor's cache."""


class Neighbors(NamedTuple):
    """The k nearest codes of each query, nearest first.

    Attributes:
        distances: int32 [Q, k].
        indices: int64 [Q, k], rows of the database; -1 where an approximate index has found fewer.
    """

    distances: np.ndarray
    indices: np.ndarray


class RadiusNeighbors(NamedTuple):
    """All codes within a radius of each query; query q has the entries splits[q] to splits[q + 1].

    Attributes:
        splits: int64 [Q + 1].
        distances: int32 [splits[-1]].
        indices: int64 [splits[-1]], rows of the database.
    """

    splits: np.ndarray
    distances: np.ndarray
    indices: np.ndarray

    def of(self, query: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns the distances and the indices of one query."""
        part = slice(self.splits[query], self.splits[query + 1])
        return self.distances[part], self.indices[part]


def hamming_distances(queries: ArrayLike, database: ArrayLike) -> np.ndarray:
    """Returns the number of differing bits of every pair. For little data: all of it is in memory at once.

    Args:
        queries: uint8 [Q, bytes].
        database: uint8 [M, bytes].

    Returns:
        distances: int32 [Q, M].

    Raises:
        ValueError: other arrays than packed codes of one size, or no query.

    Example:
        >>> hamming_distances(np.uint8([[0], [3]]), np.uint8([[1], [255]]))
        array([[1, 8],
               [1, 6]], dtype=int32)
    """
    query_words, words = _checked(queries, database)
    return np.stack([_distances(query, words) for query in query_words]).astype(np.int32)


def hamming_top_k(
    queries: ArrayLike, database: ArrayLike, k: int, *, block: int = BLOCK
) -> Neighbors:
    """Returns the k nearest codes of each query, exactly.

    Args:
        queries: uint8 [Q, bytes], packed as the database is.
        database: uint8 [M, bytes].
        k: neighbours of each query, 1 to M.
        block: codes compared at once; bounds the memory, changes no result. Default: 32768.

    Returns:
        Neighbors; at equal distance the lower index comes first, and is kept at the k-th place.

    Raises:
        ValueError: no query, k out of range, or other arrays than packed codes of one size.

    Example:
        >>> hamming_top_k(np.uint8([[0]]), np.uint8([[7], [1], [0], [2]]), k=3)
        Neighbors(distances=array([[0, 1, 1]], dtype=int32), indices=array([[2, 1, 3]]))
    """
    query_words, words = _checked(queries, database)
    k = check_k(k, words.shape[1])
    block = checks.whole("block", block, 1, checks.INT64_MAX)
    # Another block is asked for to bound the memory.
    if block == BLOCK and hamming_groups.is_worthwhile(len(query_words), words.shape[1], k):
        return Neighbors(*hamming_groups.top_k(query_words, words, k))
    distances = np.full([len(query_words), k], np.iinfo(np.int32).max, np.int32)
    indices = np.full([len(query_words), k], -1, np.int64)
    for query, start, found in _scan(query_words, words, block):
        near = np.flatnonzero(found < int(distances[query, -1]))  # A tie with a lower index loses.
        if near.size > k:
            worst = np.partition(found[near], k - 1)[k - 1]
            near = near[found[near] <= worst]
        if near.size:
            both = np.concatenate([distances[query], found[near]])
            order = np.argsort(both, kind="stable")[:k]
            distances[query] = both[order]
            indices[query] = np.concatenate([indices[query], near + start])[order]
    return Neighbors(distances, indices)


def hamming_radius(
    queries: ArrayLike, database: ArrayLike, radius: int, *, block: int = BLOCK
) -> RadiusNeighbors:
    """Returns all codes that differ from a query in at most `radius` bits, exactly.

    Args:
        queries: uint8 [Q, bytes], packed as the database is.
        database: uint8 [M, bytes].
        radius: bits, >= 0; 0 finds equal codes.
        block: codes compared at once; bounds the memory, changes no result. Default: 32768.

    Returns:
        RadiusNeighbors, by distance and then by index.

    Raises:
        ValueError: no query, a negative radius, or other arrays than packed codes of one size.

    Example:
        >>> hamming_radius(np.uint8([[0]]), np.uint8([[7], [1], [0]]), radius=1).of(0)
        (array([0, 1], dtype=int32), array([2, 1]))
    """
    query_words, words = _checked(queries, database)
    radius = checks.whole("radius", radius, 0, checks.INT64_MAX)
    parts: list[list[tuple[np.ndarray, np.ndarray]]] = [[] for _ in query_words]
    for query, start, found in _scan(query_words, words, block):
        near = np.flatnonzero(found <= radius)
        if near.size:
            parts[query].append((found[near], near + start))
    distances, indices = [np.zeros(0, np.int32)], [np.zeros(0, np.int64)]
    sizes = [0]
    for part in parts:
        if part:
            found, near = (np.concatenate(column) for column in zip(*part, strict=True))
            order = np.argsort(found, kind="stable")
            distances.append(found[order].astype(np.int32))
            indices.append(near[order])
        sizes.append(sum(len(found) for found, _ in part))
    return RadiusNeighbors(np.cumsum(sizes), np.concatenate(distances), np.concatenate(indices))


def hamming_top_k_tensor(queries: Tensor, database: Tensor, k: int) -> tuple[tf.Tensor, tf.Tensor]:
    """`hamming_top_k` in TensorFlow, to be served: one query after the other, with or without XLA.

    Args:
        queries: uint8 [Q, bytes].
        database: uint8 [M, bytes].
        k: neighbours of each query, at most M.

    Returns:
        distances: int32 [Q, k].
        indices: int32 [Q, k]; at equal distance the lower index comes first.

    Raises:
        ValueError: where shapes are known, k out of range or other shapes than those of packed codes.

    Example:
        >>> distances, indices = hamming_top_k_tensor([[0]], [[7], [1], [0], [2]], k=3)
        >>> indices.numpy().tolist()
        [[2, 1, 3]]
    """
    queries, rows = (
        tf.cast(tf.convert_to_tensor(packed), tf.uint8) for packed in (queries, database)
    )
    _check_same_bytes(queries, rows)
    if rows.shape[0] is not None and not tf.is_tensor(k):
        check_k(k, rows.shape[0])

    def one(query: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        differing = tf.raw_ops.PopulationCount(x=tf.bitwise.bitwise_xor(rows, query))
        distances = tf.reduce_sum(tf.cast(differing, tf.int32), axis=-1)
        negative, indices = tf.math.top_k(-distances, k)
        return -negative, indices

    return tf.map_fn(one, queries, fn_output_signature=(tf.int32, tf.int32))


def recall_against(found: Neighbors, exact: Neighbors) -> float:
    """Returns the share of the k nearest codes that another search has found too.

    Ties count: a code is right if it is no farther than the k-th of the exact search.

    Args:
        found: Neighbours of the search in question, k neighbours of each query.
        exact: Neighbours of an exact search for the same queries and k.

    Example:
        >>> exact = Neighbors(np.array([[0, 1]]), np.array([[4, 2]]))
        >>> recall_against(Neighbors(np.array([[1, 1]]), np.array([[2, 7]])), exact)
        1.0
    """
    right = (found.indices >= 0) & (found.distances <= exact.distances[:, -1:])
    return float(right.mean())


def check_k(k: int, size: int) -> int:
    """Returns a number of neighbours; one that a database of `size` codes does not have is refused."""
    number = checks.plain(k)
    if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= size:
        rule = f"at least 1 and at most the number of codes searched, {size}"
        checks.refuse("k", rule, k)
    return number


def check_queries(queries: np.ndarray) -> None:
    """Refuses a search for nothing."""
    if not len(queries):
        raise ValueError(
            f"There must be at least one query. Received: queries.shape={queries.shape}"
        )


def _checked(queries: ArrayLike, database: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Queries uint64 [Q, W] and the database uint64 [W, M], its words apart and contiguous."""
    asked, stored = check_packed(queries, "queries"), check_packed(database, "database")
    check_queries(asked)
    _check_same_bytes(asked, stored)
    return _words(asked), np.ascontiguousarray(_words(stored).T)


def _check_same_bytes(queries: np.ndarray, database: np.ndarray) -> None:
    """Refuses arrays, or tensors as far as their shapes are known, that are not of the same codes."""
    asked, stored = tf.TensorShape(queries.shape), tf.TensorShape(database.shape)
    if not (
        stored.is_compatible_with([None, None]) and asked.is_compatible_with([None, stored[-1]])
    ):
        raise ValueError(
            "Queries and database must be packed codes of the same model, with as many bytes each. "
            f"Received: queries.shape={asked}, database.shape={stored}"
        )


def _words(packed: np.ndarray) -> np.ndarray:
    """uint8 [B, bytes] as uint64 [B, W], filled up with zeros; the order of bits does not matter here."""
    if packed.shape[1] % 8:
        packed = np.pad(packed, [(0, 0), (0, -packed.shape[1] % 8)])
    return np.ascontiguousarray(packed).view(np.uint64)


def _scan(
    queries: np.ndarray, words: np.ndarray, block: int
) -> Iterator[tuple[int, int, np.ndarray]]:
    """(query, first row of the block, distances int [rows]), blocks in order for every query."""
    block = checks.whole("block", block, 1, checks.INT64_MAX)
    for start in range(0, words.shape[1], block):
        part = np.ascontiguousarray(words[:, start : start + block])
        for number, query in enumerate(queries):
            yield number, start, _distances(query, part)


def _distances(query: np.ndarray, words: np.ndarray) -> np.ndarray:
    """Differing bits of one query, uint64 [W], and each column of the words [W, M]."""
    total = np.bitwise_count(words[0] ^ query[0])
    if len(query) > 1:
        total = total.astype(np.uint16 if len(query) < 1024 else np.int32)
    for word, row in zip(query[1:], words[1:], strict=True):
        total += np.bitwise_count(row ^ word)
    return total
