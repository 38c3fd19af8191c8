import numpy as np
import pytest
import tensorflow as tf

from tf_discrete.models.centering import Centering


def test_the_mean_follows_training_and_stands_still_in_evaluation():
    centering, random = Centering(decay=0.9), np.random.default_rng(0)
    mean = np.zeros(3)
    for _ in range(40):
        x = random.normal(loc=[1.0, -2.0, 0.0], size=[64, 3])
        found = centering(tf.constant(x, tf.float32), training=True)
        np.testing.assert_allclose(found, x - mean, atol=1e-5)
        mean = 0.9 * mean + 0.1 * x.mean(0)
    np.testing.assert_allclose(centering(tf.zeros([1, 3]))[0], -mean, atol=1e-5)
    centering(tf.fill([2, 3], 100.0))
    np.testing.assert_allclose(centering.mean, mean, atol=1e-5)
    np.testing.assert_allclose(mean, [1.0, -2.0, 0.0], atol=0.2)


def test_an_empty_batch_changes_nothing_and_the_mean_has_no_gradient():
    centering, x = Centering(), tf.ones([2, 3])
    centering(x, training=True)
    before = centering.mean.numpy()
    assert centering(tf.zeros([0, 3]), training=True).shape == [0, 3]
    np.testing.assert_array_equal(centering.mean, before)
    with tf.GradientTape() as tape:
        tape.watch(x)
        total = tf.reduce_sum(centering(x, training=True))
    np.testing.assert_array_equal(tape.gradient(total, x), np.ones([2, 3]))


def test_a_decay_out_of_range_is_refused():
    with pytest.raises(ValueError, match=r"decay must be in \[0, 1\). Received: decay=1"):
        Centering(decay=1)
