"""The importance-weighted bound with the number of samples as a tensor, for a served model."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from tf_discrete import seeds
from tf_discrete.types import Seed, Tensor

ROWS = 10_000
"""Decoder rows, samples times examples, that are held in memory at once."""

MAX_CHUNK = 100
"""Most samples at once; that of `CategoricalVAE.log_likelihood`, whose draws are the same then."""


def importance_weighted_bound(
    log_weights_fn: Callable[[Tensor, Tensor, Seed], Tensor],
    x: Tensor,
    num_samples: Tensor,
    seed: Seed,
) -> tf.Tensor:
    """log mean_s w_s for S samples of each example, [B], in nats.

    Args:
        log_weights_fn: (x, S, seed) -> log p(x, z) - log q(z | x), [S, B].
        x: float [B, ...].
        num_samples: S >= 1, int32 scalar tensor.
        seed: int32 [2].

    Reference:
        Burda, Grosse, Salakhutdinov. Importance weighted autoencoders. 2015. arXiv:1509.00519.
    """

    def log_sum(samples: Tensor, chunk_seed: Seed) -> tf.Tensor:
        return tf.reduce_logsumexp(log_weights_fn(x, samples, chunk_seed), axis=0)

    def body(index: tf.Tensor, total: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return index + 1, _log_add_exp(total, log_sum(chunk, seeds.fold(seed, index)))

    batch_size = tf.maximum(tf.shape(x)[0], 1)
    chunk = tf.minimum(tf.clip_by_value(ROWS // batch_size, 1, MAX_CHUNK), num_samples)
    _, total = tf.while_loop(
        lambda index, _: index < num_samples // chunk,
        body,
        (tf.constant(1), log_sum(chunk, seeds.fold(seed, 0))),
        shape_invariants=(tf.TensorShape([]), tf.TensorShape([None])),
        parallel_iterations=1,
    )
    # A rest of no samples has the log-sum -inf, and adds nothing.
    total = _log_add_exp(total, log_sum(num_samples % chunk, seeds.fold(seed, "rest")))
    return total - tf.math.log(tf.cast(num_samples, total.dtype))


def _log_add_exp(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    return tf.reduce_logsumexp(tf.stack([a, b]), axis=0)
