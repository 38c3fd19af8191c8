"""ReinMax: the paper's formula, and what it becomes for two categories."""

import numpy as np
import pytest
import tensorflow as tf

from tests.estimators import problems
from tf_discrete import estimators, seeds


def gradient(estimator, logits, noise, upstream):
    with tf.GradientTape() as tape:
        tape.watch(logits)
        total = tf.reduce_sum(upstream * estimator.sample(logits, noise).value)
    return tape.gradient(total, logits).numpy()


@pytest.mark.parametrize("temperature", [1.0, 1.5])
def test_gradient_is_algorithm_2_of_the_paper(temperature):
    """pi1 = (softmax(logits / tau) + D) / 2; gradient 2 J(pi1) g - J(pi0) g / 2, written in NumPy."""
    estimator = estimators.ReinMax(temperature=temperature)
    logits = problems.generic_logits("categorical")
    noise = estimator.draw_noise(seeds.base(0), logits, 1)
    upstream = np.random.RandomState(0).normal(size=noise.shape)[0]

    def jacobian(p):
        return np.eye(3) * p[..., None] - p[..., :, None] * p[..., None, :]

    first = 0.5 * (tf.nn.softmax(logits / temperature).numpy() + noise.numpy()[0])
    matrix = 2 * jacobian(first) - 0.5 * jacobian(tf.nn.softmax(logits).numpy())
    expected = np.einsum("bnij,bnj->bni", matrix, upstream)
    np.testing.assert_allclose(
        gradient(estimator, logits, noise, upstream[None]), expected, atol=1e-12
    )


def test_one_bit_at_temperature_one_is_darn_with_one_half():
    """Draw by draw. DARN weighs the score z - p with f(z) less the Taylor baseline f(z) + f'(z) (1/2 - z)."""
    estimator = estimators.ReinMax(latents="bernoulli")
    logits = tf.constant([[0.7, -1.3]], tf.float64)
    p = tf.sigmoid(logits).numpy()
    for bits in ([0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]):
        z = tf.constant([[bits]], tf.float64)
        upstream = tf.constant([[[1.7, -0.4]]], tf.float64)
        darn = upstream[0] * (z[0] - 0.5) * (z[0] - p)
        np.testing.assert_allclose(gradient(estimator, logits, z, upstream), darn, atol=1e-12)
