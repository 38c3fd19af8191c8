"""Seeds for stateless draws: derived, never stored, never used twice.

A seed is an int32 tensor of shape [2]. It starts from an integer and is folded with whatever tells
two draws apart: the step, the replica, the purpose, the layer, the chunk.
"""

from __future__ import annotations

import zlib

import tensorflow as tf

from tf_discrete.types import Seed, Tensor


def base(seed: int) -> Seed:
    """The seed that an integer stands for.

    Args:
        seed: any Python int of up to 64 bits.

    Returns:
        int32 tensor of shape [2].

    Example:
        >>> base(7).shape
        TensorShape([2])
    """
    value = int(seed) & 0xFFFFFFFFFFFFFFFF
    halves = [value & 0xFFFFFFFF, value >> 32]
    return tf.constant([half - (1 << 32) if half >= 1 << 31 else half for half in halves], tf.int32)


def fold(seed: Seed, *data: int | str | Tensor) -> Seed:
    """A new seed from a seed and the data that tell this draw from all others.

    Args:
        seed: int32 [2].
        *data: each an int, an integer scalar tensor (int64 is folded whole) or a string, which names
            a purpose and is hashed alike in every process.

    Returns:
        int32 [2]; different data give independent seeds.

    Example:
        >>> a, b = fold(base(0), "train", 1), fold(base(0), "train", 2)
        >>> bool(tf.reduce_all(a == b))
        False
    """
    for item in data:
        if isinstance(item, str):
            seed = _fold_in(seed, _signed(zlib.crc32(item.encode())))
        elif isinstance(item, int):
            seed = _fold_in(seed, _signed(item & 0xFFFFFFFF))
            if item >> 31 not in (0, -1):
                seed = _fold_in(seed, _signed((item >> 32) & 0xFFFFFFFF))
        else:
            seed = _fold_wide(seed, tf.convert_to_tensor(item))
    return seed


def replica_id() -> Tensor:
    """The number of this replica under `tf.distribute`, 0 otherwise. int32 scalar."""
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return tf.constant(0, tf.int32)
    return tf.cast(context.replica_id_in_sync_group, tf.int32)


def _fold_wide(seed: Seed, item: tf.Tensor) -> Seed:
    if item.dtype == tf.int64:
        return tf.random.experimental.stateless_fold_in(
            _fold_in(seed, tf.bitcast(item, tf.int32)[0]), tf.bitcast(item, tf.int32)[1]
        )
    return _fold_in(seed, tf.cast(item, tf.int32))


def _fold_in(seed: Seed, item: int | tf.Tensor) -> Seed:
    return tf.random.experimental.stateless_fold_in(seed, tf.cast(item, tf.int32))


def _signed(value: int) -> int:
    return value - (1 << 32) if value >= 1 << 31 else value
