"""The weights of chains of layers are part of TensorFlow's checkpoints, which runs continue from."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tf_discrete.models import CategoricalVAE, StructuredPrediction

SIZES = {"num_categories": 2, "estimator": "nvil", "hidden_units": (3,), "centering": True}


@pytest.mark.parametrize("cls", [CategoricalVAE, StructuredPrediction])
@pytest.mark.parametrize("num_layers", [1, 3])
def test_a_checkpoint_holds_every_weight(cls, num_layers, tmp_path):
    one, other = (cls((4, 1), num_variables=2, num_layers=num_layers, **SIZES) for _ in range(2))
    for number, weight in enumerate(one.weights, 1):
        weight.assign(tf.fill(weight.shape, tf.cast(number, weight.dtype)))
    path = tf.train.Checkpoint(model=one).write(tmp_path / "checkpoint")
    tf.train.Checkpoint(model=other).restore(path)
    for number, weight in enumerate(other.weights, 1):
        np.testing.assert_array_equal(weight, np.full(weight.shape, number), err_msg=weight.path)
