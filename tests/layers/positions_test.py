"""Folding positions into rows and back."""

import numpy as np
import pytest
import tensorflow as tf

from tf_discrete import layers
from tf_discrete.layers import positions


@pytest.mark.parametrize("shape", [(2,), (2, 3), (2, 1, 4), (1, 3)])
@pytest.mark.parametrize("known", [True, False])
def test_the_rows_of_a_mask_are_those_that_numpy_repeats(shape, known):
    mask = np.random.RandomState(0).uniform(size=shape) < 0.5
    values = tf.zeros([2, 3, 4, 5])
    axes = mask.reshape([*shape, *[1] * (3 - len(shape))])

    def rows(mask, values):
        return positions.rows_of_mask(mask, values)

    if not known:
        spec = [tf.TensorSpec([None] * len(shape), tf.bool), tf.TensorSpec([None] * 3 + [5])]
        rows = tf.function(rows, input_signature=spec)
    found = rows(tf.constant(mask), values)
    np.testing.assert_array_equal(found, np.broadcast_to(axes, [2, 3, 4]).ravel())
    rows_of_values = tf.reshape(tf.range(120), [24, 5])
    unfolded = positions.unfold(rows_of_values, [2, 3, 4], (2, None, 4, 5))
    np.testing.assert_array_equal(unfolded, np.arange(120).reshape(2, 3, 4, 5))


@pytest.mark.parametrize("shape", [(3,), (2, 4), (2, 3, 1)])
def test_a_stochastic_layer_refuses_a_mask_of_other_positions(shape):
    layer = layers.StochasticLayer(latents="categorical")
    with pytest.raises(ValueError, match=r"without the last 2\. Received: mask\.shape=\("):
        layer(tf.zeros([2, 3, 4, 5]), training=True, mask=tf.ones(shape, tf.bool))
