"""Nearest codewords and Lloyd's k-means, in memory of one block of distances."""

from __future__ import annotations

import tensorflow as tf

from tf_discrete import seeds, types
from tf_discrete._internal import checks
from tf_discrete.types import SeedLike, Tensor

BLOCK = 8192
"""Number of codewords whose distances to all vectors are held at once."""


def nearest(vectors: Tensor, codewords: Tensor) -> tf.Tensor:
    """Returns the index of the codeword with the smallest Euclidean distance to each vector.

    Squared distances are equal if they differ by less than the rounding error of the squared norms, in
    float32 about 1e-7 of them.

    Args:
        vectors: float [R, D].
        codewords: float [K, D], of the same dtype; K must be known.

    Returns:
        indices: int32 [R]; of equally near codewords the first.

    Example:
        >>> nearest(tf.constant([[0.9], [0.1]]), tf.constant([[0.0], [1.0]])).numpy().tolist()
        [1, 0]
    """
    vectors, codewords = _centred(tf.stop_gradient(vectors), tf.stop_gradient(codewords))
    best: Tensor = None
    for start in range(0, codewords.shape[0], BLOCK):
        block = codewords[start : start + BLOCK]
        # |v - c|^2 / 2 without |v|^2 / 2, which is the same for all codewords.
        scores = tf.reduce_sum(tf.square(block), axis=-1) / 2.0
        scores -= tf.linalg.matmul(vectors, block, transpose_b=True)
        index = tf.argmin(scores, axis=-1, output_type=tf.int32)
        score = tf.reduce_min(scores, axis=-1)
        if best is None:
            best, indices = score, index
        else:
            indices = tf.where(score < best, index + start, indices)
            best = tf.minimum(score, best)
    return indices


def nearest_several(vectors: Tensor, codewords: Tensor, count: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the nearest codewords of each vector, the nearest first.

    Args:
        vectors: float [R, D].
        codewords: float [K, D], of the same dtype; K must be known.
        count: Int in 1..K.

    Returns:
        indices: int32 [R, count]; of equally near codewords the first.
        errors: float [R, count], squared distances.

    Example:
        >>> indices, errors = nearest_several(tf.constant([[0.5]]), tf.constant([[3.0], [0.0], [1.5]]), 2)
        >>> indices.numpy().tolist(), errors.numpy().tolist()
        ([[1, 2]], [[0.25, 1.0]])
    """
    vectors, codewords = _centred(vectors, codewords)
    scores, indices = [], []
    for start in range(0, codewords.shape[0], BLOCK):
        block = codewords[start : start + BLOCK]
        score = tf.linalg.matmul(vectors, block, transpose_b=True)
        score -= tf.reduce_sum(tf.square(block), axis=-1) / 2.0
        found = tf.math.top_k(score, min(count, block.shape[0]))
        scores.append(found.values)
        indices.append(found.indices + start)
    best = tf.math.top_k(tf.concat(scores, axis=-1), count)
    squares = tf.reduce_sum(tf.square(vectors), axis=-1, keepdims=True)
    chosen = tf.gather(tf.concat(indices, axis=-1), best.indices, batch_dims=1)
    return chosen, tf.maximum(squares - 2.0 * best.values, 0.0)


def _centred(vectors: Tensor, codewords: Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Moves both by the mean of the codewords: the squares of an offset would swallow small distances."""
    mean = tf.reduce_mean(codewords, axis=0, keepdims=True)
    return vectors - mean, codewords - mean


def far_rows(errors: Tensor, valid: Tensor, seed: types.Seed) -> tf.Tensor:
    """Returns a random order of rows in which rows of large squared errors tend to come first.

    The first k rows are a sample without replacement in which each next row is drawn with a probability
    proportional to its squared error, as in k-means++. Rows that are not valid come last.

    Args:
        errors: float [R], squared errors.
        valid: bool [R].
        seed: int32 [2].

    Returns:
        order: int32 [R].
    """
    uniform = tf.random.stateless_uniform(
        tf.shape(errors), seed, 1e-7, 1.0, errors.dtype, alg=seeds.algorithm()
    )
    keys = tf.math.log(tf.maximum(errors, 1e-30)) - tf.math.log(-tf.math.log(uniform))
    keys = tf.where(valid, keys, tf.cast(errors.dtype.min, errors.dtype))
    return tf.argsort(keys, direction="DESCENDING")


def lloyd(
    vectors: Tensor, num_codewords: int, max_iterations: int = 50, seed: SeedLike = 0
) -> tf.Tensor:
    """Computes codewords by Lloyd's k-means.

    It starts at random vectors. A codeword without vectors moves to one that is far from its own.

    Args:
        vectors: float [R, D].
        num_codewords: Int K, at most R.
        max_iterations: Int, number of passes over the vectors. Default: 50.
        seed: Int or int32 [2]. Default: 0.

    Returns:
        codewords: float [K, D].

    Raises:
        ValueError: There are fewer vectors than codewords.

    Example:
        >>> codewords = lloyd(tf.constant([[0.0], [2.0], [9.0], [11.0]]), 2)
        >>> sorted(codewords.numpy().ravel().tolist())
        [1.0, 10.0]
    """
    vectors = types.floats("vectors", vectors)
    count = int(vectors.shape[0])
    if checks.whole("num_codewords", num_codewords) > count:
        raise ValueError(
            "k-means needs at least as many vectors as codewords. Give more vectors, or use fewer "
            f"categories. Received: {count} vectors, num_codewords={num_codewords}"
        )
    seed = seeds.convert(seed)
    valid = tf.ones([count], tf.bool)
    order = far_rows(tf.ones([count], vectors.dtype), valid, seeds.fold(seed, "start"))
    codewords = tf.gather(vectors, order[:num_codewords])
    for iteration in range(checks.whole("max_iterations", max_iterations, 0)):
        moved = _lloyd_step(vectors, codewords, valid, seeds.fold(seed, "empty", iteration))
        if bool(tf.reduce_all(tf.equal(moved, codewords))):
            break
        codewords = moved
    return codewords


@tf.function(autograph=False)
def _lloyd_step(vectors: Tensor, codewords: Tensor, valid: Tensor, seed: types.Seed) -> tf.Tensor:
    size = codewords.shape[0]
    indices = nearest(vectors, codewords)
    counts = tf.math.unsorted_segment_sum(tf.ones_like(vectors[:, 0]), indices, size)
    sums = tf.math.unsorted_segment_sum(vectors, indices, size)
    errors = tf.reduce_sum(tf.square(vectors - tf.gather(codewords, indices)), axis=-1)
    empty = tf.equal(counts, 0.0)
    order = far_rows(errors, valid, seed)
    spare = tf.gather(
        vectors, tf.gather(order, tf.cumsum(tf.cast(empty, tf.int32), exclusive=True))
    )
    return tf.where(empty[:, tf.newaxis], spare, sums / tf.maximum(counts, 1.0)[:, tf.newaxis])
