"""Reductions of samples to one value."""

import numpy as np
import tensorflow as tf

from tf_discrete.estimators import reductions


def test_reductions():
    values = tf.constant([[1.0, 1000.0], [3.0, 1001.0]])
    assert reductions.mean(values).numpy().tolist() == [2.0, 1000.5]
    expected = [np.log((np.e + np.e**3) / 2), 1000 + np.log((1 + np.e) / 2)]
    np.testing.assert_allclose(reductions.log_mean_exp(values), expected, rtol=1e-6)
    assert reductions.log_mean_exp(tf.cast(values, tf.float64)).dtype == tf.float64
