"""The pieces that estimators are made of."""

import numpy as np
import pytest
import tensorflow as tf

from tf_discrete import estimators
from tf_discrete.estimators import base


def test_reductions():
    values = tf.constant([[1.0, 1000.0], [3.0, 1001.0]])
    assert base.mean(values).numpy().tolist() == [2.0, 1000.5]
    expected = [np.log((np.e + np.e**3) / 2), 1000 + np.log((1 + np.e) / 2)]
    np.testing.assert_allclose(base.log_mean_exp(values), expected, rtol=1e-6)
    assert base.log_mean_exp(tf.cast(values, tf.float64)).dtype == tf.float64


@pytest.mark.parametrize("latents", ["ternary", None])
def test_unknown_latents(latents):
    with pytest.raises(ValueError, match="latents must be one of.*Received: latents="):
        estimators.GumbelSoftmax(latents=latents)


def test_latents_that_an_estimator_does_not_support():
    class BitsOnly(estimators.ScoreFunction):
        spec = estimators.ScoreFunction.spec._replace(only=("bernoulli",))

    assert BitsOnly(latents="bernoulli").event_rank == 1
    with pytest.raises(ValueError, match="BitsOnly supports bernoulli latents only.*'categorical'"):
        BitsOnly()


def test_estimators_are_float32_layers_whatever_the_policy():
    estimator = estimators.GumbelSoftmax(dtype="mixed_float16")
    assert estimator.compute_dtype == "float32" and "dtype" not in estimator.get_config()
    assert estimator.trainable_variables == []
