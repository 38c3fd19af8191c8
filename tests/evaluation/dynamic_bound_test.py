"""The bound with tensors for the numbers, as a served model computes it: its value and its memory."""

from __future__ import annotations

import math

import numpy as np
import pytest
import tensorflow as tf

from tf_discrete.evaluation import importance_weighted_bound, likelihood, samples_at_once

ROWS = 10_000


def _compiled(log_weights_fn):
    return tf.function(
        lambda x, n, seed: importance_weighted_bound(
            log_weights_fn, x, n, seed, samples_at_once(x, ROWS)
        ),
        input_signature=[
            tf.TensorSpec([None, 3]),
            tf.TensorSpec([], tf.int32),
            tf.TensorSpec([2], tf.int32),
        ],
        autograph=False,
    )


@pytest.mark.parametrize("num_samples", [1, 100, 101, 250])
@pytest.mark.parametrize("batch_size", [0, 1, 5])
def test_equal_weights_give_their_value(num_samples, batch_size):
    x = np.random.default_rng(0).normal(size=[batch_size, 3]).astype(np.float32)

    def log_weights(x, samples, seed):
        return tf.tile(tf.reduce_sum(x, axis=-1)[None], [samples, 1])

    value = _compiled(log_weights)(x, num_samples, [0, 0])
    np.testing.assert_allclose(value, x.sum(-1), rtol=1e-5, atol=1e-5)


def test_the_weights_are_averaged_and_no_chunk_repeats_another():
    def log_weights(x, samples, seed):
        uniform = tf.random.stateless_uniform([samples, tf.shape(x)[0]], seed)
        return tf.math.log(uniform)

    value = _compiled(log_weights)(np.zeros([2, 3], np.float32), 20_050, [1, 2])
    # The mean of a uniform draw is 1/2 with standard deviation 1 / sqrt(12 n); repeated chunks would
    # leave that of 100 draws, 0.029.
    np.testing.assert_allclose(np.exp(value), 0.5, atol=5 * math.sqrt(1 / (12 * 20_050)))


@pytest.mark.parametrize(
    ("batch_size", "num_samples"), [(1, 1000), (300, 130), (20_000, 3), (50, 10)]
)
def test_no_more_rows_at_once_than_allowed(batch_size, num_samples):
    seen = tf.Variable(0)
    drawn = tf.Variable(0)

    def log_weights(x, samples, seed):
        seen.assign(tf.maximum(seen, samples))
        drawn.assign_add(samples)
        return tf.zeros([samples, tf.shape(x)[0]])

    value = _compiled(log_weights)(np.zeros([batch_size, 3], np.float32), num_samples, [0, 0])
    np.testing.assert_allclose(value, 0.0, atol=1e-5)
    assert int(drawn) == num_samples
    assert int(seen) == 1 or int(seen) * batch_size <= ROWS
    assert int(seen) <= likelihood.MAX_CHUNK
