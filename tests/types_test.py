"""Precision: what is lifted, what is kept, what is not rounded on the way."""

import numpy as np
import pytest
import tensorflow as tf

from tf_discrete import types


@pytest.mark.parametrize(
    "dtype,expected",
    [
        (tf.float16, tf.float32),
        (tf.bfloat16, tf.float32),
        (tf.float32, tf.float32),
        (tf.float64, tf.float64),
        (tf.int32, tf.float32),
    ],
)
def test_at_least_float32(dtype, expected):
    x = types.at_least_float32(tf.constant([1, 2], dtype))
    assert x.dtype == expected and x.numpy().tolist() == [1.0, 2.0]


def test_at_least_float32_takes_what_tensors_are_made_of():
    assert types.at_least_float32([1.0, 2.0]).dtype == tf.float32
    assert types.at_least_float32(np.array([0.1])).numpy().tolist() == [0.1]


def test_at_least_float32_passes_gradients_in_the_dtype_of_the_input():
    x = tf.constant([1.0], tf.bfloat16)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = types.at_least_float32(x) ** 2
    assert tape.gradient(y, x).dtype == tf.bfloat16


def test_cast_keeps_the_digits_of_a_number_and_takes_tensors_of_any_dtype():
    assert float(types.cast(0.1, tf.float64)) == 0.1
    assert float(types.cast(np.float64(0.1), tf.float64)) == 0.1
    assert types.cast(2, tf.float64).dtype == tf.float64
    assert types.cast(tf.constant(0.5, tf.bfloat16), tf.float32).dtype == tf.float32
    assert types.cast(tf.Variable(0.5), tf.float64).dtype == tf.float64
