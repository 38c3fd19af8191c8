"""`IndexedBatches`: training batches of data in memory, as indices and the function that reads them."""

from __future__ import annotations

import dataclasses
from typing import NamedTuple, Protocol, TypeAlias

import keras
import tensorflow as tf

from tf_discrete._internal import checks
from tf_discrete.types import Batch, Tensor

Indices: TypeAlias = "tuple[Tensor | Indices, ...]"
"""The address of a batch: a tuple of indices int64 [B] and seeds int32 [2], or a tuple of such tuples."""


class Share(NamedTuple):
    """A part of every batch: that of one replica of several that train together.

    Attributes:
        number: Int, from 0.
        total: Int, how many shares a batch is divided into.
    """

    number: int = 0
    total: int = 1

    def rows(self, size: int | Tensor) -> tuple[int | Tensor, int | Tensor]:
        """Returns the first row of the share in a batch of some size, and the row after its last.

        Example:
            >>> [Share(number, 3).rows(7) for number in range(3)]
            [(0, 2), (2, 4), (4, 7)]
        """
        return self.number * size // self.total, (self.number + 1) * size // self.total

    def of(self, rows: Tensor) -> Tensor:
        """Returns the rows of the share, along the first axis of a tensor."""
        if self.total == 1:
            return rows
        begin, end = self.rows(rows.shape[0] or tf.shape(rows)[0])
        return rows[begin:end]


WHOLE = Share()
"""The batch as it is."""

_PREFETCH = 2
_unconverted = tf.autograph.experimental.do_not_convert


class Reader(Protocol):
    """Reads a batch, or a share of one, given its `Indices` without those of the other shares."""

    def __call__(self, indices: Indices, share: Share = WHOLE) -> Batch: ...


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
        read: `Reader`, from the `Indices` of a batch to what `fit` receives.
        steps_per_epoch: Int, number of batches in an epoch, the partial one included.
        samples: Bool, whether `read` samples random numbers. From the same seed XLA would sample others.
        in_memory: Bool, whether `read` finds the data in memory.
        parallel_reads: How many batches `stream` reads at once, as `num_parallel_calls` of `tf.data`.

    Example:
        >>> import tf_discrete.datasets as datasets
        >>> batches = datasets.get("digits", "train").indexed_batches(100, shuffle=True)
        >>> batches.steps_per_epoch, next(iter(batches.stream()))["image"].shape
        (13, TensorShape([100, 8, 8, 1]))
    """

    epochs: tf.data.Dataset
    read: Reader
    steps_per_epoch: int
    samples: bool = False
    in_memory: bool = True
    parallel_reads: int | None = None

    @property
    def full_steps(self) -> int:
        """Returns the number of full batches in an epoch."""
        return keras.tree.flatten(self.epochs.element_spec.full)[0].shape[0]

    def stream(self, share: Share = WHOLE) -> tf.data.Dataset:
        """Returns the batches themselves, one after the other, without end.

        Args:
            share: The share of every batch that is read. The shares of a batch make it up: each example of
                an epoch is in one of them. Default: the whole batch.

        Raises:
            ValueError: Batches that cannot be divided into equal shares.

        Example:
            >>> import tf_discrete.datasets as datasets
            >>> batches = datasets.get("digits", "train").indexed_batches(
            ...     100, drop_remainder=True
            ... )
            >>> next(iter(batches.stream(Share(1, 4))))["image"].shape
            TensorShape([25, 8, 8, 1])
        """
        self._check_divisible(share.total)

        def part(leaf: Tensor) -> Tensor:  # Seeds, int32, are those of the whole batch.
            return share.of(leaf) if leaf.dtype == tf.int64 else leaf

        @_unconverted
        def read(*indices: Tensor | Indices) -> Batch:
            return self.read(keras.tree.map_structure(part, indices), share)

        @_unconverted
        def of_epoch(epoch: Epoch) -> tf.data.Dataset:
            batches = tf.data.Dataset.from_tensor_slices(epoch.full)
            batches = batches.map(read, num_parallel_calls=self.parallel_reads)
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

    def _check_divisible(self, count: int) -> None:
        leaves = keras.tree.flatten((self.epochs.element_spec.full, self.epochs.element_spec.rest))
        sizes = sorted({leaf.shape[-1] for leaf in leaves if leaf.dtype == tf.int64})
        if any(size % count for size in sizes):
            raise ValueError(
                f"Each of {count} replicas must be given as many examples of a batch. Choose a batch size "
                f"that is a multiple of {count}, also of labelled examples. Received: batch sizes {sizes}"
            )

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
