"""Orders of examples: each is a permutation, all are equally frequent, and files follow one another."""

from __future__ import annotations

import collections

import numpy as np
import pytest
import tensorflow as tf

from tf_discrete import seeds
from tf_discrete.datasets import orders


def test_the_orders_of_five_examples_are_uniform():
    """Chi-squared over the 120 orders, 6000 epochs; 119 degrees of freedom, threshold at 1e-6."""

    def order(epoch):
        return orders.permutation(5, seeds.fold(seeds.base(0), "order", epoch))

    epochs = tf.range(6000, dtype=tf.int64)
    drawn = tf.function(lambda: tf.map_fn(order, epochs), autograph=False)()
    found = [tuple(one) for one in drawn.numpy().tolist()]
    counts = np.array(list(collections.Counter(found).values()))
    assert len(counts) == 120
    assert ((counts - 50.0) ** 2 / 50.0).sum() < 204.0


def test_neighbours_share_a_batch_as_often_as_chance_says():
    """z-test on 20 epochs: 99 pairs of neighbours in each are expected to share one of 540 batches.

    The count is close to Poisson, with a standard error of 3 % of its mean.
    """
    count, batch_size, epochs = 54000, 100, 20
    shared = 0
    for epoch in range(epochs):
        order = orders.permutation(count, seeds.fold(seeds.base(0), "order", epoch)).numpy()
        place = np.argsort(order) // batch_size
        shared += int((place[1:] == place[:-1]).sum())
    expected = epochs * (batch_size - 1)
    assert abs(shared - expected) < 5 * np.sqrt(expected)


@pytest.mark.parametrize("sizes,buffer", [([40, 3, 0, 57], 10), ([7], 100), ([5, 5], 1)])
def test_the_order_of_shards(sizes, buffer):
    count = sum(sizes)
    order = orders.shard_permutation(sizes, buffer, seeds.base(4)).numpy()
    assert sorted(order) == list(range(count))
    file_of = np.repeat(np.arange(len(sizes)), sizes)
    # Nothing is further from its place than the buffer: files follow one another.
    files = list(dict.fromkeys(file_of[order]))
    places = np.concatenate([np.flatnonzero(file_of == file) for file in files])
    if buffer < min(size for size in sizes if size):
        assert np.abs(np.argsort(places)[order] - np.arange(count)).max() < buffer


def test_files_and_stretches_are_shuffled_evenly():
    """Each of 4 files is the first one in a quarter of 400 orders: within 5 standard deviations of 100."""
    order_of = tf.function(lambda seed: orders.shard_permutation([5] * 4, 3, seed), autograph=False)
    drawn = [order_of(seeds.base(i)).numpy() for i in range(400)]
    first = np.bincount([order[5] // 5 for order in drawn], minlength=4)
    assert np.abs(first - 100).max() < 5 * np.sqrt(400 * 0.25 * 0.75)
