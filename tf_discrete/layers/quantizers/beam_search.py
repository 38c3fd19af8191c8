"""Beam search of the codewords, one of each codebook, whose sum is nearest to a vector."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from tf_discrete.layers.quantizers import k_means
from tf_discrete.types import Tensor


def search(vectors: Tensor, codebooks: Sequence[Tensor], beam_size: int) -> tf.Tensor:
    """Returns indices of codewords whose sum is near each vector.

    After each codebook the `beam_size` sums with the smallest errors stay. 1 is the greedy choice, and
    K^(L - 1) finds the nearest of all K^L sums. Time and memory grow with the beam: beam_size distances to
    all codewords are held for each vector.

    Args:
        vectors: float [R, D].
        codebooks: L tensors float [K, D], of the same dtype.
        beam_size: Int >= 1.

    Returns:
        indices: int32 [R, L].

    Example:
        >>> codebooks = [tf.constant([[0.0], [4.0]]), tf.constant([[0.0], [3.0]])]
        >>> search(tf.constant([[2.5]]), codebooks, 1).numpy().tolist()  # |2.5 - 4|
        [[1, 0]]
        >>> search(tf.constant([[2.5]]), codebooks, 2).numpy().tolist()  # |2.5 - 0 - 3|
        [[0, 1]]
    """
    residuals = tf.stop_gradient(vectors)[:, tf.newaxis]
    paths = tf.zeros([tf.shape(vectors)[0], 1, 0], tf.int32)
    for number, codewords in enumerate(codebooks, 1):
        codewords = tf.stop_gradient(codewords)
        last = number == len(codebooks)
        width, dim = residuals.shape[1], residuals.shape[2]
        each = 1 if last else min(beam_size, codewords.shape[0])
        kept = 1 if last else min(beam_size, width * each)
        indices, errors = k_means.nearest_several(tf.reshape(residuals, [-1, dim]), codewords, each)
        indices, errors = (tf.reshape(x, [-1, width * each]) for x in (indices, errors))
        best = tf.math.top_k(-errors, kept).indices
        chosen = tf.gather(indices, best, batch_dims=1)
        parents = best // each
        residuals = tf.gather(residuals, parents, batch_dims=1) - tf.gather(codewords, chosen)
        paths = tf.gather(paths, parents, batch_dims=1)
        paths = tf.concat([paths, chosen[..., tf.newaxis]], axis=-1)
    return paths[:, 0]
