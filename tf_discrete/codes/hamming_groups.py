"""The nearest codes in two exact passes: the least distance of each group of codes, then the near groups.

The first pass is one compiled loop over all pairs that keeps one number for each group of codes. The k-th
least of these numbers bounds the distance of the k-th nearest code, so the second pass, in NumPy, looks into
the few groups that are within it.
"""

from __future__ import annotations

import functools

import numpy as np
import tensorflow as tf

GROUP = 128
"""Codes of which the first pass keeps the least distance."""
BLOCK = 1 << 16
"""Codes that the first pass reads for all queries of a chunk while they are in a processor's cache."""
QUERIES = 128
"""Most queries of a chunk."""
LEAST_PAIRS = 1 << 23
"""Pairs of query and code with which the loop is compiled. That takes as long as about five searches save."""


def is_worthwhile(num_queries: int, num_codes: int, k: int) -> bool:
    """Whether a search has pairs enough, and groups enough for a bound on k codes."""
    return num_queries * num_codes >= LEAST_PAIRS and num_codes // BLOCK * (BLOCK // GROUP) >= k


def top_k(queries: np.ndarray, words: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Finds the k nearest codes of each query, by distance and then by index.

    Args:
        queries: uint64 [Q, W].
        words: uint64 [W, M], the codes, of at least k groups.
        k: neighbours of each query.

    Returns:
        distances: int32 [Q, k].
        indices: int64 [Q, k].
    """
    stride = BLOCK // GROUP  # Between the codes of a group, so that groups lie in a row.
    whole = words.shape[1] // stride * stride
    size = _chunk_size(len(queries))
    least_of_groups = _compiled(len(words), GROUP, stride, size)
    blocks = [
        tf.constant(_filled(words[:, start : min(start + BLOCK, whole)], stride))
        for start in range(0, whole, BLOCK)
    ]
    rest = np.arange(whole, words.shape[1])
    distances = np.empty([len(queries), k], np.int32)
    indices = np.empty([len(queries), k], np.int64)
    for first in range(0, len(queries), size):
        chunk = queries[first : first + size]
        filled = np.concatenate([chunk, np.repeat(chunk[:1], size - len(chunk), axis=0)])
        asked = tf.constant(np.ascontiguousarray(filled.T))
        least = np.concatenate([least_of_groups(block, asked).numpy() for block in blocks], axis=1)
        bounds = np.partition(least[: len(chunk)], k - 1, axis=1)[:, k - 1]
        for number, (query, bound) in enumerate(zip(chunk, bounds, strict=True)):
            near = np.flatnonzero(least[number] <= bound)
            starts = near // stride * BLOCK + near % stride
            rows = (starts[:, np.newaxis] + stride * np.arange(GROUP)).ravel()
            rows = np.concatenate([rows[rows < whole], rest])
            found = np.bitwise_count(words[:, rows] ^ query[:, np.newaxis]).sum(
                axis=0, dtype=np.int32
            )
            kept = found <= bound
            rows, found = rows[kept], found[kept]
            order = np.lexsort([rows, found])[:k]
            distances[first + number], indices[first + number] = found[order], rows[order]
    return distances, indices


def _chunk_size(num_queries: int) -> int:
    """Returns how many queries a chunk has: chunks of one size, and few sizes, each compiled once."""
    size = -(-num_queries // -(-num_queries // QUERIES))
    return size if size < 16 else -(-size // 8) * 8


def _filled(words: np.ndarray, stride: int) -> np.ndarray:
    """Returns codes [W, n * stride] in groups, [W, GROUP, stride], filled up with the first code of each."""
    groups = words.reshape(len(words), -1, stride)
    missing = GROUP - groups.shape[1]
    return np.concatenate([groups, *[groups[:, :1]] * missing], axis=1) if missing else groups


@functools.cache
def _compiled(
    num_words: int, group: int, stride: int, queries: int
) -> tf.types.experimental.ConcreteFunction:
    """Returns `_least_of_groups` for arrays of one shape, without a `tf.function`'s checks."""
    shapes = ([num_words, group, stride], [num_words, queries])
    compiled = tf.function(_least_of_groups, jit_compile=True, autograph=False)
    return compiled.get_concrete_function(*(tf.TensorSpec(shape, tf.uint64) for shape in shapes))


def _least_of_groups(block: tf.Tensor, queries: tf.Tensor) -> tf.Tensor:
    """The least distance of each group, [Q, G], of codes uint64 [W, GROUP, G] to queries [W, Q]."""
    differing = tf.bitwise.bitwise_xor(block[:, tf.newaxis], queries[:, :, tf.newaxis, tf.newaxis])
    counts = tf.raw_ops.PopulationCount(x=differing)
    if block.shape[0] > 1:
        counts = tf.reduce_sum(tf.cast(counts, tf.int32), axis=0, keepdims=True)
    return tf.reduce_min(counts[0], axis=1)
