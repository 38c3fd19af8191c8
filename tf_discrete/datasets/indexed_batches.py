"""`IndexedBatches`: training batches of data in memory, as indices and the function that reads them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import keras
import tensorflow as tf

from tf_discrete._internal import checks
from tf_discrete.types import Batch, Tensor

Indices: TypeAlias = "tuple[Tensor | Indices, ...]"
"""The address of a batch: a tuple of indices int64 [B] and seeds int32 [2], or a tuple of such tuples."""

_PREFETCH = 2
_unconverted = tf.autograph.experimental.do_not_convert


class Epoch(NamedTuple):
    """The indices of all batches of an epoch.

    Attributes:
        full: `Indices` of the full batches, with a first axis of their number.
        rest: `Indices` of the last, partial batch; () if there is none.
    """

    full: Indices
    rest: Indices = ()


class Block(NamedTuple):
    """The indices of some consecutive steps of an epoch.

    Attributes:
        indices: `Indices` of full batches, with a first axis of fixed size; its end may be padding.
        steps: int32 scalar, the number of full batches.
        rest: `Indices` of the partial batch of the epoch; () if there is none.
        has_rest: Bool scalar, whether the partial batch follows the full ones in this block.
    """

    indices: Indices
    steps: Tensor
    rest: Indices
    has_rest: Tensor


@dataclasses.dataclass(frozen=True, eq=False)
class IndexedBatches:
    """Endless training batches, as indices and the function that reads them.

    `DiscreteModel.fit` takes them and reads the data inside its compiled loop. `stream()` returns the same
    batches for every other use. See `Split.indexed_batches`.

    Attributes:
        epochs: Endless `tf.data.Dataset` of `Epoch`.
        read: Function from the `Indices` of a batch to what `fit` receives.
        steps_per_epoch: Int, number of batches in an epoch, the partial one included.
        samples: Bool, whether `read` samples random numbers. From the same seed XLA would sample others.
        in_memory: Bool, whether `read` finds the data in memory.

    Example:
        >>> import tf_discrete.datasets as datasets
        >>> batches = datasets.get("digits", "train").indexed_batches(100, shuffle=True)
        >>> batches.steps_per_epoch, next(iter(batches.stream()))["image"].shape
        (13, TensorShape([100, 8, 8, 1]))
    """

    epochs: tf.data.Dataset
    read: Callable[[Indices], Batch]
    steps_per_epoch: int
    samples: bool = False
    in_memory: bool = True

    @property
    def full_steps(self) -> int:
        """Returns the number of full batches in an epoch."""
        return keras.tree.flatten(self.epochs.element_spec.full)[0].shape[0]

    def stream(self) -> tf.data.Dataset:
        """Returns the batches themselves, one after the other, without end."""

        @_unconverted
        def read(*indices: Tensor | Indices) -> Batch:
            return self.read(indices)

        @_unconverted
        def of_epoch(epoch: Epoch) -> tf.data.Dataset:
            batches = tf.data.Dataset.from_tensor_slices(epoch.full).map(read)
            if epoch.rest:
                batches = batches.concatenate(tf.data.Dataset.from_tensors(epoch.rest).map(read))
            return batches

        options = tf.data.Options()
        options.deterministic = True
        options.experimental_distribute.auto_shard_policy = (
            tf.data.experimental.AutoShardPolicy.DATA
        )
        with tf.device("CPU:0"):
            return self.epochs.flat_map(of_epoch).prefetch(_PREFETCH).with_options(options)

    def blocks(self, size: int) -> tf.data.Dataset:
        """Returns endless `Block`s; an epoch has `steps_per_epoch` / `size` of them, rounded up.

        Args:
            size: Int, number of steps in a block; the last one of an epoch may have fewer.
        """
        size = checks.whole("size", size)
        count = -(-self.steps_per_epoch // size)
        starts = tf.range(count) * size
        steps = tf.clip_by_value(self.full_steps - starts, 0, size)
        padding = count * size - self.full_steps

        def in_blocks(indices: tf.Tensor) -> tf.Tensor:
            padded = tf.pad(indices, [[0, padding], *[[0, 0]] * (indices.shape.rank - 1)])
            return tf.reshape(padded, [count, size, *indices.shape[1:]])

        @_unconverted
        def of_epoch(epoch: Epoch) -> tf.data.Dataset:
            @_unconverted
            def block(indices: Indices, steps: Tensor, has_rest: Tensor) -> Block:
                return Block(indices, steps, epoch.rest, has_rest)

            has_rest = tf.equal(tf.range(count), count - 1) & bool(epoch.rest)
            slices = (keras.tree.map_structure(in_blocks, epoch.full), steps, has_rest)
            return tf.data.Dataset.from_tensor_slices(slices).map(block)

        with tf.device("CPU:0"):
            return self.epochs.flat_map(of_epoch).prefetch(_PREFETCH)
