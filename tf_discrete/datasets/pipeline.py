"""The one order of operations: index, shuffle, gather, binarise, prefetch.

Batch t of a run is batch b = t % steps of epoch e = t // steps. The order of an epoch is a pure function
of (seed, e), see `orders`; the samples of a batch are one of (seed, e, b): there is no state to save, and
nothing to replay after a restart.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import keras
import numpy as np
import tensorflow as tf

from tf_discrete import seeds
from tf_discrete._internal import checks
from tf_discrete.datasets import orders
from tf_discrete.datasets.indexed_batches import WHOLE, IndexedBatches, Indices, Share
from tf_discrete.types import Batch, Seed, SeedLike

if TYPE_CHECKING:
    from tf_discrete.datasets.split import Split

BINARIZATIONS = ("none", "threshold", "static", "dynamic")
RESIDENT_BYTES = 512 * 2**20
"""Images up to this size are copied into a tensor; larger ones are read batch by batch."""

_EVALUATION_SEED = 0
_PREFETCH = 2
_CHUNK = 1000


def batches(
    data: Split,
    batch_size: int,
    *,
    seed: SeedLike | None,
    start_epoch: int,
    shuffle: bool,
    repeat: bool,
    drop_remainder: bool,
    share: Share = WHOLE,
) -> tf.data.Dataset:
    """See `Split.batches`; `share` is the share of every batch that is read."""
    count = len(data)
    steps = orders.steps_per_epoch(count, batch_size, drop_remainder)
    start_epoch = checks.whole("start_epoch", start_epoch, 0, checks.INT64_MAX - 1)
    shuffle, repeat = checks.flag("shuffle", shuffle), checks.flag("repeat", repeat)
    seed = seeds.convert(data.seed if seed is None else seed)
    static = drop_remainder or count % batch_size == 0
    static_size = len(share.of(np.empty(batch_size))) if static else None

    with tf.device("CPU:0"):
        read = _batch_reader(data, static_size)

        @tf.autograph.experimental.do_not_convert
        def batch(order: tf.Tensor, noise: Seed, number: tf.Tensor) -> dict[str, tf.Tensor]:
            start = number * batch_size
            indices = share.of(order[start : tf.minimum(start + batch_size, count)])
            return read(tf.ensure_shape(indices, [static_size]), seeds.fold(noise, number), share)

        @tf.autograph.experimental.do_not_convert
        def one_epoch(epoch: tf.Tensor) -> tf.data.Dataset:
            order = orders.order_of(count, seed, epoch, shuffle, _shards(data))
            noise = orders.noise_of(seed, epoch)
            return tf.data.Dataset.range(steps).map(
                lambda number: batch(order, noise, number), num_parallel_calls=_parallel(data)
            )

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


def indexed_batches(
    data: Split,
    batch_size: int,
    *,
    seed: SeedLike | None,
    start_epoch: int,
    shuffle: bool,
    drop_remainder: bool,
) -> IndexedBatches:
    """See `Split.indexed_batches`."""
    seed = data.seed if seed is None else seed
    epochs = orders.index_epochs(
        len(data), batch_size, seed, start_epoch, shuffle, drop_remainder, _shards(data)
    )
    read_batch = _batch_reader(data, None)

    def read(indices: Indices, share: Share = WHOLE) -> Batch:
        rows, noise = indices
        return read_batch(rows, noise, share)

    return IndexedBatches(
        epochs,
        read,
        orders.steps_per_epoch(len(data), batch_size, drop_remainder),
        samples=_mode(data) == "dynamic",
        in_memory=fits_into_memory(data),
        parallel_reads=_parallel(data),
    )


def indexed_arrays(
    arrays: Batch,
    batch_size: int,
    *,
    seed: SeedLike = 0,
    start_epoch: int = 0,
    shuffle: bool = True,
    drop_remainder: bool = False,
) -> IndexedBatches:
    """Returns batches of arrays as indices, for the compiled loop of `DiscreteModel.fit`.

    Args:
        arrays: what `fit` takes as a batch, with all examples: an array [n, ...], a dict or a tuple of them.
        batch_size: Int, at least 1.
        seed: Seed of the order. Default: 0.
        start_epoch: Int, the epoch to begin with. Default: 0.
        shuffle: Bool, whether each epoch has a new order. Default: True.
        drop_remainder: Bool, whether a last batch that is not full is left out. Default: False.

    Raises:
        ValueError: Arrays of different lengths, or see `Split.batches`.

    Example:
        >>> from tf_discrete.models import CategoricalVAE
        >>> x = (np.arange(120).reshape(30, 4) % 2).astype("float32")
        >>> model = CategoricalVAE((4,), num_variables=2, num_categories=3, hidden_units=())
        >>> model.compile("adam", steps_per_execution=5)
        >>> history = model.fit(indexed_arrays(x, batch_size=6), epochs=3, verbose=0)
        >>> len(history.history["loss"])
        3
    """
    tensors = keras.tree.map_structure(tf.convert_to_tensor, arrays)
    lengths = {int(tensor.shape[0]) for tensor in keras.tree.flatten(tensors)}
    if len(lengths) != 1:
        raise ValueError(
            "All arrays must have one row for each example. Give arrays of one length. "
            f"Received: lengths={sorted(lengths)}"
        )
    count = lengths.pop()

    def read(indices: Indices, share: Share = WHOLE) -> Batch:
        return keras.tree.map_structure(lambda tensor: tf.gather(tensor, indices[0]), tensors)

    epochs = orders.index_epochs(count, batch_size, seed, start_epoch, shuffle, drop_remainder)
    return IndexedBatches(epochs, read, orders.steps_per_epoch(count, batch_size, drop_remainder))


def fits_into_memory(data: Split) -> bool:
    """Returns whether batches are gathered from a tensor of all images."""
    return isinstance(data.images, np.ndarray) and data.images.nbytes <= RESIDENT_BYTES


def _shards(data: Split) -> tuple[tuple[int, ...], int] | None:
    """Returns the sizes of large files and the buffer, for images that stay in them."""
    images = data.images
    if isinstance(images, np.ndarray) or not images.shards:
        return None
    return images.shards, images.buffer


def _parallel(data: Split) -> int | None:
    """Returns how many batches are decoded at once."""
    return None if isinstance(data.images, np.ndarray) else tf.data.AUTOTUNE


def _batch_reader(
    data: Split, batch_size: int | None
) -> Callable[[tf.Tensor, Seed, Share], dict[str, tf.Tensor]]:
    """Returns a function from indices int64 [B], the seed of a batch and their share of it to the batch."""
    read = _reader(data, batch_size)
    labels = None if data.labels is None else tf.constant(data.labels, tf.int32)

    def read_batch(indices: tf.Tensor, noise: Seed, share: Share) -> dict[str, tf.Tensor]:
        image = read(indices)
        if _mode(data) == "dynamic":
            image = _draw(image, noise, share)
        elif data.binarization == "threshold":
            image = tf.cast(image > 0.5, tf.float32)
        element = {"image": image}
        if labels is not None:
            element["label"] = tf.gather(labels, indices)
        return element

    return read_batch


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
    if fits_into_memory(data):
        images = data.in_memory
        return lambda indices: _to_unit(tf.gather(images, indices))

    def read(indices: tf.Tensor) -> tf.Tensor:
        image = tf.numpy_function(
            lambda wanted: np.asarray(data.images[wanted]), [indices], data.images.dtype
        )
        image = _to_unit(tf.ensure_shape(image, (batch_size, *data.image_shape)))
        return _draw_each(image, indices, _static_seed(data)) if _mode(data) == "static" else image

    return read


def load_into_memory(data: Split) -> tf.Tensor:
    """Returns all images as one tensor in memory, binarised if that is static."""
    if _mode(data) != "static":
        return tf.constant(data.images)
    return tf.constant(static_images(data, np.arange(len(data))))


def static_images(data: Split, indices: np.ndarray) -> np.ndarray:
    """Returns the examples at some indices, statically binarised: uint8 [m, H, W, C] of 0 and 255."""
    draw = tf.function(_draw_each, autograph=False)
    seed = _static_seed(data)
    drawn = []
    for start in range(0, len(indices), _CHUNK):
        part = indices[start : start + _CHUNK]
        image = _to_unit(tf.constant(data.images[part]))
        bits = draw(image, tf.constant(part, tf.int64), seed)
        drawn.append(tf.cast(bits * 255.0, tf.uint8).numpy())
    return np.concatenate(drawn)


def _to_unit(image: tf.Tensor) -> tf.Tensor:
    """uint8 0..255 as float32 in [0, 1]; float32 as it is."""
    return tf.cast(image, tf.float32) / 255.0 if image.dtype == tf.uint8 else image


def _draw(image: tf.Tensor, seed: Seed, share: Share = WHOLE) -> tf.Tensor:
    """Pixels 1 with the probability that their intensity gives; 0 and 1 stay as they are.

    The pixels of a share are those that the whole batch would have.
    """
    shape = tf.shape(image)
    whole = tf.concat([shape[:1] * share.total, shape[1:]], axis=0)
    uniform = share.of(tf.random.stateless_uniform(whole, seed))
    return tf.cast(uniform < image, tf.float32)


def _draw_each(image: tf.Tensor, indices: tf.Tensor, seed: Seed) -> tf.Tensor:
    """`_draw` with a seed of its own for every example, so that batches do not matter."""
    return tf.map_fn(
        lambda pair: _draw(pair[0], seeds.fold(seed, pair[1])),
        (image, indices),
        fn_output_signature=tf.TensorSpec(image.shape[1:], tf.float32),
        parallel_iterations=32,
    )
