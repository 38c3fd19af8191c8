"""The order of examples: a pure function of the seed and the epoch, with nothing to save or to replay."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tf_discrete import seeds
from tf_discrete._internal import checks
from tf_discrete.datasets.indexed_batches import Epoch
from tf_discrete.types import Seed, SeedLike


def steps_per_epoch(count: int, batch_size: int, drop_remainder: bool) -> int:
    """Returns the number of batches in an epoch of `count` examples.

    Raises:
        ValueError: if batch_size < 1, or if it is larger than the data and the rest is dropped.

    Example:
        >>> steps_per_epoch(10, 4, drop_remainder=False), steps_per_epoch(10, 4, drop_remainder=True)
        (3, 2)
    """
    batch_size = checks.whole("batch_size", batch_size)
    drop_remainder = checks.flag("drop_remainder", drop_remainder)
    if drop_remainder and batch_size > count:
        raise ValueError(
            "batch_size must not be larger than the data when the last partial batch is dropped. "
            f"Give at most {count}, or drop_remainder=False. Received: batch_size={batch_size}"
        )
    return count // batch_size if drop_remainder else -(-count // batch_size)


def permutation(count: int, seed: Seed) -> tf.Tensor:
    """Returns a random order of `count` examples, drawn in full.

    `tf.random.experimental.index_shuffle` would need no memory, but is far from uniform: in 54000
    examples, neighbours share a batch of 100 half as often as they should.

    Args:
        count: Number of examples.
        seed: int32 [2]; each seed is another order.

    Returns:
        int64 [count], a permutation of 0..count - 1.

    Example:
        >>> sorted(permutation(5, seeds.base(0)).numpy().tolist())
        [0, 1, 2, 3, 4]
    """
    keys = tf.random.stateless_uniform([count], seed, minval=None, maxval=None, dtype=tf.int64)
    return tf.cast(tf.argsort(keys, stable=True), tf.int64)


def shard_permutation(sizes: Sequence[int], buffer: int, seed: Seed) -> tf.Tensor:
    """Returns a random order of examples that lie in large files, which are then read almost in a row.

    The files follow one another in a random order. Of the examples in this order, those of each stretch of
    `buffer` are shuffled; where the first stretch ends is random, too.

    Args:
        sizes: Number of examples in each file.
        buffer: Number of examples that are shuffled among one another.
        seed: int32 [2]; each seed is another order.

    Returns:
        int64 [n], a permutation of 0..n - 1.

    Example:
        >>> shard_permutation([2, 3], 1, seeds.base(0)).numpy().tolist()
        [2, 3, 4, 0, 1]
    """
    ends = np.cumsum(np.asarray(sizes, np.int64))
    files = permutation(len(ends), seeds.fold(seed, "files"))
    starts, limits = tf.gather(ends - sizes, files), tf.gather(ends, files)
    in_files = tf.ragged.range(starts, limits).values
    count = int(ends[-1])
    offset = tf.random.stateless_uniform(
        [], seeds.fold(seed, "offset"), maxval=buffer, dtype=tf.int64
    )
    stretch = (tf.range(count, dtype=tf.int64) + offset) // buffer
    uniform = tf.random.stateless_uniform([count], seeds.fold(seed, "within"), dtype=tf.float64)
    order = tf.argsort(tf.cast(stretch, tf.float64) + uniform, stable=True)
    return tf.gather(in_files, order)


def order_of(
    count: int,
    seed: Seed,
    epoch: tf.Tensor,
    shuffle: bool,
    shards: tuple[tuple[int, ...], int] | None = None,
) -> tf.Tensor:
    """Returns the order of the examples in an epoch, int64 [count]."""
    if not shuffle:
        return tf.range(count, dtype=tf.int64)
    seed = seeds.fold(seed, "order", epoch)
    return permutation(count, seed) if shards is None else shard_permutation(*shards, seed)


def index_epochs(
    count: int,
    batch_size: int,
    seed: SeedLike,
    start_epoch: int,
    shuffle: bool,
    drop_remainder: bool,
    shards: tuple[tuple[int, ...], int] | None = None,
) -> tf.data.Dataset:
    """Returns endless `Epoch`s of pairs: the indices of a batch, int64 [B], and its seed, int32 [2]."""
    steps = steps_per_epoch(count, batch_size, drop_remainder)
    start_epoch = checks.whole("start_epoch", start_epoch, 0, checks.INT64_MAX - 1)
    shuffle, seed = checks.flag("shuffle", shuffle), seeds.convert(seed)
    full = count // batch_size
    used = full * batch_size

    @tf.autograph.experimental.do_not_convert
    def one_epoch(number: tf.Tensor) -> Epoch:
        order, noise = order_of(count, seed, number, shuffle, shards), noise_of(seed, number)
        folded = tf.map_fn(
            tf.autograph.experimental.do_not_convert(lambda batch: seeds.fold(noise, batch)),
            tf.range(steps, dtype=tf.int64),
            fn_output_signature=tf.TensorSpec([2], tf.int32),
        )
        folded = tf.ensure_shape(folded, [steps, 2])
        rest = (order[used:], folded[full]) if steps > full else ()
        return Epoch((tf.reshape(order[:used], [full, batch_size]), folded[:full]), rest)

    with tf.device("CPU:0"):
        return tf.data.Dataset.counter(start_epoch).map(one_epoch)


def noise_of(seed: Seed, epoch: tf.Tensor) -> Seed:
    """Returns the seed of the dynamic binarisation in an epoch."""
    return seeds.fold(seed, "binarize", epoch)
