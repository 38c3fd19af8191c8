"""Diagonal Gaussians against TensorFlow Probability."""

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tf_discrete.distributions import gaussian

RANDOM = np.random.RandomState(0)
Z, MEAN, LOG_SCALE = (tf.constant(RANDOM.normal(size=[3, 4])) for _ in range(3))


def test_density_and_kl():
    distribution = tfp.distributions.MultivariateNormalDiag(MEAN, tf.exp(LOG_SCALE))
    np.testing.assert_allclose(
        gaussian.log_prob(Z, MEAN, LOG_SCALE), distribution.log_prob(Z), rtol=1e-9
    )
    standard = tfp.distributions.MultivariateNormalDiag(tf.zeros_like(MEAN), tf.ones_like(MEAN))
    kl = tfp.distributions.kl_divergence(distribution, standard)
    np.testing.assert_allclose(gaussian.kl_to_standard(MEAN, LOG_SCALE), kl, rtol=1e-9)


def test_samples():
    drawn = gaussian.sample(MEAN, LOG_SCALE, Z)
    np.testing.assert_allclose((drawn - MEAN) / tf.exp(LOG_SCALE), Z, rtol=1e-9)
