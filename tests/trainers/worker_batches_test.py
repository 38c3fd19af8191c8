"""Shares of batches: one replica's, those of several replicas of a worker, and those of any data set."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tf_discrete import datasets
from trainers.workers import batches


def test_replicas_of_a_worker_take_turns():
    whole = tf.data.Dataset.from_tensor_slices({"image": np.arange(24).reshape(3, 8)})
    shares = [batches.share_of(whole, datasets.Share(number, 4)) for number in range(2)]
    found = [batch["image"].numpy().tolist() for batch in batches.in_turn(shares)]
    assert found == [[0, 1], [2, 3], [8, 9], [10, 11], [16, 17], [18, 19]]
    assert batches.in_turn(shares[:1]) is shares[0]


def test_shares_of_pairs():
    pairs = tf.data.Dataset.from_tensors((tf.range(6), tf.range(6) * 2))
    ((x, y),) = batches.share_of(pairs, datasets.Share(2, 3))
    assert (x.numpy().tolist(), y.numpy().tolist()) == ([4, 5], [8, 10])


def test_every_replica_has_a_row_of_the_last_batch():
    for rows in range(3, 40):
        for wanted in (3, 7, 100):
            size = batches.rows_for_all(rows, min(wanted, rows), 3)
            last = rows % size or size
            parts = [datasets.Share(number, 3).rows(last) for number in range(3)]
            assert all(end > begin for begin, end in parts), (rows, size)
    with pytest.raises(ValueError, match="2 images, batch_size=2, 3 replicas"):
        batches.rows_for_all(2, 2, 3)


def test_one_replica_reads_whole_batches():
    def make(share: datasets.Share) -> tf.data.Dataset:
        return datasets.get("digits", "test").batches(50, share=share)

    distributed = batches.distributed(tf.distribute.get_strategy(), make)
    assert next(iter(distributed))["image"].shape == (50, 8, 8, 1)
