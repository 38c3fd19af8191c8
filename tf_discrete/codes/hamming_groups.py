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
QUERIES = 64
"""Most queries of a chunk; the last is filled up, so that one compiled loop serves all."""
LEAST_PAIRS = 1 << 28
"""Pairs of query and code below which compiling the loop takes longer than it saves."""


def is_worthwhile(num_queries: int, num_codes: int, k: int) -> bool:
    """Whether a search has pairs enough, and groups enough for a bound on k codes."""
    return num_queries * num_codes >= LEAST_PAIRS and num_codes // BLOCK * (BLOCK // GROUP) >= k


def top_k(queries: np.ndarray, words: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Finds the k nearest codes of each query, by distance and then by index.

    Args:
        queries: uint64 [Q, W].
        words: uint64 [W, M], the codes, of at least k groups in whole blocks.
        k: neighbours of each query.

    Returns:
        distances: int32 [Q, k].
        indices: int64 [Q, k].
    """
    whole = words.shape[1] // BLOCK * BLOCK
    stride = BLOCK // GROUP  # Between the codes of a group, so that groups lie in a row.
    size = min(QUERIES, 1 << (len(queries) - 1).bit_length())
    least_of_groups = _compiled(len(words), GROUP, stride, size)
    blocks = [
        tf.constant(words[:, start : start + BLOCK].reshape(-1, GROUP, stride))
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
        for number, query in enumerate(chunk):
            bound = np.partition(least[number], k - 1)[k - 1]
            near = np.flatnonzero(least[number] <= bound)
            starts = near // stride * BLOCK + near % stride
            rows = (starts[:, np.newaxis] + stride * np.arange(GROUP)).ravel()
            rows = np.concatenate([rows, rest])
            found = np.bitwise_count(words[:, rows] ^ query[:, np.newaxis]).sum(
                axis=0, dtype=np.int32
            )
            kept = found <= bound
            rows, found = rows[kept], found[kept]
            order = np.lexsort([rows, found])[:k]
            distances[first + number], indices[first + number] = found[order], rows[order]
    return distances, indices


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
