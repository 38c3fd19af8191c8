"""The one order of operations: index, shuffle, gather, binarise, prefetch.

Batch t of a run is batch b = t % steps of epoch e = t // steps. The order of an epoch is a pure function
of (seed, e), the samples of a batch are one of (seed, e, b): there is no state to save, and nothing to
replay after a restart.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

from tf_discrete import seeds
from tf_discrete._internal import checks
from tf_discrete.types import Seed, SeedLike

if TYPE_CHECKING:
    from tf_discrete.datasets.split import Split

BINARIZATIONS = ("none", "threshold", "static", "dynamic")
RESIDENT_BYTES = 512 * 2**20
"""Images up to this size are copied into a tensor; larger ones are read batch by batch."""

_EVALUATION_SEED = 0
_PREFETCH = 2


def batches(
    data: Split,
    batch_size: int,
    *,
    seed: SeedLike | None,
    start_epoch: int,
    shuffle: bool,
    repeat: bool,
    drop_remainder: bool,
) -> tf.data.Dataset:
    """See `Split.batches`."""
    count = len(data)
    steps = steps_per_epoch(count, batch_size, drop_remainder)
    start_epoch = checks.whole("start_epoch", start_epoch, 0, checks.INT64_MAX - 1)
    shuffle, repeat = checks.flag("shuffle", shuffle), checks.flag("repeat", repeat)
    seed = seeds.convert(data.seed if seed is None else seed)
    static_size = batch_size if drop_remainder or count % batch_size == 0 else None

    with tf.device("CPU:0"):
        read = _reader(data, static_size)
        labels = None if data.labels is None else tf.constant(data.labels, tf.int32)

        @tf.autograph.experimental.do_not_convert
        def batch(order: tf.Tensor, noise: Seed, number: tf.Tensor) -> dict[str, tf.Tensor]:
            start = number * batch_size
            indices = order[start : tf.minimum(start + batch_size, count)]
            indices = tf.ensure_shape(indices, [static_size])
            image = read(indices)
            if _mode(data) == "dynamic":
                image = _draw(image, seeds.fold(noise, number))
            elif data.binarization == "threshold":
                image = tf.cast(image > 0.5, tf.float32)
            element = {"image": image}
            if labels is not None:
                element["label"] = tf.gather(labels, indices)
            return element

        @tf.autograph.experimental.do_not_convert
        def one_epoch(epoch: tf.Tensor) -> tf.data.Dataset:
            order = tf.range(count, dtype=tf.int64)
            if shuffle:
                order = permutation(count, seeds.fold(seed, "order", epoch))
            noise = seeds.fold(seed, "binarize", epoch)
            return tf.data.Dataset.range(steps).map(lambda number: batch(order, noise, number))

        if repeat:
            epochs, length = tf.data.Dataset.counter(start_epoch), tf.data.INFINITE_CARDINALITY
        else:
            epochs, length = tf.data.Dataset.range(start_epoch, start_epoch + 1), steps
        options = tf.data.Options()
        options.deterministic = True
        options.experimental_distribute.auto_shard_policy = (
            tf.data.experimental.AutoShardPolicy.DATA
        )
        known_length = tf.data.experimental.assert_cardinality(length)
        return (
            epochs.flat_map(one_epoch).apply(known_length).prefetch(_PREFETCH).with_options(options)
        )


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


def _mode(data: Split) -> str:
    """Returns the binarisation, with dynamic draws made static where the data serve evaluation."""
    if data.binarization == "dynamic" and data.split != "train":
        return "static"
    return data.binarization


def _static_seed(data: Split) -> Seed:
    if data.binarization == "dynamic":
        return seeds.fold(seeds.base(_EVALUATION_SEED), "evaluation", data.split)
    return seeds.fold(seeds.base(data.seed), "static", data.split)


def _reader(data: Split, batch_size: int | None) -> Callable[[tf.Tensor], tf.Tensor]:
    """Returns a function from indices int64 [B] to float32 [B, H, W, C], static binarisation included."""
    if data.images.nbytes <= RESIDENT_BYTES:
        images = data.in_memory
        return lambda indices: _to_unit(tf.gather(images, indices))

    def read(indices: tf.Tensor) -> tf.Tensor:
        image = tf.numpy_function(
            lambda wanted: np.asarray(data.images[wanted]), [indices], data.images.dtype
        )
        image = _to_unit(tf.ensure_shape(image, (batch_size, *data.image_shape)))
        return _draw_each(image, indices, _static_seed(data)) if _mode(data) == "static" else image

    return read


def load_into_memory(data: Split, chunk: int = 1000) -> tf.Tensor:
    """Returns all images as one tensor in memory, binarised if that is static."""
    if _mode(data) != "static":
        return tf.constant(data.images)
    return tf.constant(static_images(data, np.arange(len(data)), chunk))


def static_images(data: Split, indices: np.ndarray, chunk: int = 1000) -> np.ndarray:
    """Returns the examples at some indices, statically binarised: uint8 [m, H, W, C] of 0 and 255."""
    draw = tf.function(_draw_each, autograph=False)
    seed = _static_seed(data)
    drawn = []
    for start in range(0, len(indices), chunk):
        part = indices[start : start + chunk]
        image = _to_unit(tf.constant(data.images[part]))
        bits = draw(image, tf.constant(part, tf.int64), seed)
        drawn.append(tf.cast(bits * 255.0, tf.uint8).numpy())
    return np.concatenate(drawn)


def _to_unit(image: tf.Tensor) -> tf.Tensor:
    """uint8 0..255 as float32 in [0, 1]; float32 as it is."""
    return tf.cast(image, tf.float32) / 255.0 if image.dtype == tf.uint8 else image


def _draw(image: tf.Tensor, seed: Seed) -> tf.Tensor:
    """Pixels 1 with the probability that their intensity gives; 0 and 1 stay as they are."""
    return tf.cast(tf.random.stateless_uniform(tf.shape(image), seed) < image, tf.float32)


def _draw_each(image: tf.Tensor, indices: tf.Tensor, seed: Seed) -> tf.Tensor:
    """`_draw` with a seed of its own for every example, so that batches do not matter."""
    return tf.map_fn(
        lambda pair: _draw(pair[0], seeds.fold(seed, pair[1])),
        (image, indices),
        fn_output_signature=tf.TensorSpec(image.shape[1:], tf.float32),
        parallel_iterations=32,
    )
