"""The weights of every model are part of TensorFlow's checkpoints, which runs continue from."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tests.export import small_models
from tf_discrete.models import CategoricalVAE, StructuredPrediction

SIZES = {"num_categories": 2, "estimator": "nvil", "hidden_units": (3,), "centering": True}


def check_all_are_kept(one, other, folder):
    for number, weight in enumerate(one.weights, 1):
        weight.assign(tf.fill(weight.shape, tf.cast(number, weight.dtype)))
    path = tf.train.Checkpoint(model=one).write(folder / "checkpoint")
    tf.train.Checkpoint(model=other).restore(path)
    assert len(one.weights) == len(other.weights) > 5
    for number, weight in enumerate(other.weights, 1):
        np.testing.assert_array_equal(weight, np.full(weight.shape, number), err_msg=weight.path)


@pytest.mark.parametrize("cls", [CategoricalVAE, StructuredPrediction])
@pytest.mark.parametrize("num_layers", [1, 3])
def test_a_checkpoint_holds_every_weight_of_a_chain(cls, num_layers, tmp_path):
    """TensorFlow does not look into the lists of Keras layers."""
    one, other = (cls((4, 1), num_variables=2, num_layers=num_layers, **SIZES) for _ in range(2))
    check_all_are_kept(one, other, tmp_path)


@pytest.mark.parametrize("name", small_models.CLASSES)
def test_a_checkpoint_holds_every_weight_of_a_model(name, tmp_path):
    check_all_are_kept(small_models.make(name), small_models.make(name), tmp_path)
