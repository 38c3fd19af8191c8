"""Moving averages against the weights written out."""

import numpy as np
import pytest
import tensorflow as tf

from tf_discrete.estimators.moving_moments import MovingMoments


@pytest.mark.parametrize("decay", [0.0, 0.5, 0.99])
def test_averages_are_those_of_normalised_exponential_weights(decay):
    batches = np.random.RandomState(0).normal(3.0, 2.0, size=[6, 5])
    moments = MovingMoments(decay)
    for steps, batch in enumerate(batches, start=1):
        moments.update(tf.constant(batch))
        weights = decay ** np.arange(steps)[::-1]
        weights /= weights.sum()
        np.testing.assert_allclose(moments.mean, weights @ batches[:steps].mean(axis=1), rtol=1e-5)
        np.testing.assert_allclose(
            moments.variance, weights @ batches[:steps].var(axis=1), rtol=1e-5
        )


def test_before_the_first_batch_and_after_an_empty_one():
    moments = MovingMoments()
    assert float(moments.mean) == float(moments.variance) == 0.0
    moments.update(tf.zeros([0, 3]))
    assert float(moments.mean) == float(moments.variance) == 0.0
    moments.update(tf.constant([2.0, 4.0]))
    moments.update(tf.zeros([0]))
    assert float(moments.mean) == pytest.approx(3.0)


def test_a_graph_updates_once_a_step():
    moments = MovingMoments(0.5)
    step = tf.function(lambda x: moments.update(x), autograph=False)
    for value in (1.0, 3.0):
        step(tf.constant([value]))
    assert float(moments.mean) == pytest.approx((0.5 * 1 + 1 * 3) / 1.5)
