"""Leave-one-out credit against its definition, written as loops."""

import numpy as np
import pytest
import tensorflow as tf

from tf_discrete.estimators import log_mean_exp, mean
from tf_discrete.estimators.baselines import leave_one_out


@pytest.mark.parametrize("shape", [[2], [3], [4, 5], [3, 2, 4]])
@pytest.mark.parametrize("reduce", [mean, log_mean_exp, None])
def test_credit_is_the_value_less_the_value_without_the_sample(reduce, shape):
    values = np.random.RandomState(0).normal(scale=3.0, size=shape)
    credit = leave_one_out(tf.constant(values), reduce)
    for s in range(shape[0]):
        others = np.delete(values, s, axis=0).mean(axis=0)
        replaced = values.copy()
        replaced[s] = others
        if reduce is None:
            expected = values[s] - others
        else:
            expected = reduce(tf.constant(values)) - reduce(tf.constant(replaced))
        np.testing.assert_allclose(credit[s], expected, atol=1e-12)


@pytest.mark.parametrize("reduce", [mean, log_mean_exp, None])
def test_credit_does_not_see_a_constant(reduce):
    """Log-weights of -1000 or +1000 are as good as any."""
    values = tf.constant(np.random.RandomState(0).normal(size=[4, 3]))
    for shift in (-1000.0, 1000.0):
        np.testing.assert_allclose(
            leave_one_out(values + shift, reduce), leave_one_out(values, reduce), atol=1e-10
        )
    np.testing.assert_allclose(
        leave_one_out(tf.fill([3, 2], 7.0), reduce), np.zeros([3, 2]), atol=1e-6
    )


def test_credit_carries_no_gradient():
    values = tf.constant([1.0, 2.0, 4.0])
    with tf.GradientTape() as tape:
        tape.watch(values)
        credit = leave_one_out(values)
    assert tape.gradient(credit, values) is None
