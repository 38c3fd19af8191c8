"""Batches of which every replica of the workers reads its own share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from tf_discrete import datasets


def distributed(
    strategy: tf.distribute.Strategy, make: Callable[[datasets.Share], tf.data.Dataset]
) -> tf.distribute.DistributedDataset:
    """Returns batches of which every replica reads its own share, and nothing else.

    Args:
        strategy: Of the workers.
        make: From a share to the shares of all batches.
    """

    def of_worker(context: tf.distribute.InputContext) -> tf.data.Dataset:
        local = context.num_replicas_in_sync // context.num_input_pipelines
        first = context.input_pipeline_id * local
        return in_turn(
            [make(datasets.Share(first + i, context.num_replicas_in_sync)) for i in range(local)]
        )

    return strategy.distribute_datasets_from_function(of_worker)


def in_turn(shares: list[tf.data.Dataset]) -> tf.data.Dataset:
    """Returns the first element of each data set, then the second of each, and so on.

    Example:
        >>> ranges = [tf.data.Dataset.range(2), tf.data.Dataset.range(5, 7)]
        >>> [int(value) for value in in_turn(ranges)]
        [0, 5, 1, 6]
    """
    if len(shares) == 1:
        return shares[0]

    @tf.autograph.experimental.do_not_convert
    def one_by_one(*elements: Any) -> tf.data.Dataset:
        together = tf.data.Dataset.from_tensors(elements[0])
        for element in elements[1:]:
            together = together.concatenate(tf.data.Dataset.from_tensors(element))
        return together

    return tf.data.Dataset.zip(tuple(shares)).flat_map(one_by_one)


def share_of(dataset: tf.data.Dataset, share: datasets.Share) -> tf.data.Dataset:
    """Returns the share of every batch of a data set, for tasks whose batches are no `IndexedBatches`."""
    return dataset.map(
        tf.autograph.experimental.do_not_convert(
            lambda *batch: keras.tree.map_structure(share.of, batch if len(batch) > 1 else batch[0])
        )
    )


def rows_for_all(rows: int, batch_size: int, replicas: int) -> int:
    """Returns a batch size whose last batch has a row for every replica: up to one given, else above it.

    Raises:
        ValueError: There are fewer rows than replicas.

    Example:
        >>> rows_for_all(21, 10, 2), rows_for_all(25, 10, 2)
        (9, 10)
    """
    for size in (*range(batch_size, 0, -1), *range(batch_size + 1, rows + 1)):
        if size >= replicas and (rows % size == 0 or rows % size >= replicas):
            return size
    raise ValueError(
        "Every replica must be given an example of each validation batch. Use more validation images, larger "
        f"batches or fewer workers. Received: {rows} images, batch_size={batch_size}, {replicas} replicas"
    )
