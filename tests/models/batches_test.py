"""Functions of batches and arrays."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tf_discrete.models import batches


def test_inputs_of():
    x = tf.ones([2, 4])
    for data in (x, (x,), (x, tf.zeros([2])), {"image": x, "label": tf.zeros([2])}):
        assert batches.inputs_of(data) is x


def test_arrays_are_cut_into_batches(monkeypatch):
    monkeypatch.setattr(batches, "ROWS_AT_A_TIME", 2)
    x, y = np.arange(3), tf.range(3)
    assert [part.tolist() for part in batches.slices(x)] == [[0, 1], [2]]
    found = list(batches.slices({"image": x}, y))
    assert [(one["image"].tolist(), label.numpy().tolist()) for one, label in found] == [
        ([0, 1], [0, 1]),
        ([2], [2]),
    ]
    for other in (None, tf.data.Dataset.range(3), [1, 2]):
        assert not list(batches.slices(other))
