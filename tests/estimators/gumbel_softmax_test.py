"""Gumbel-Softmax and its straight-through form: the formulas and how the two hang together."""

import numpy as np
import pytest
import tensorflow as tf

from tests.estimators import problems
from tf_discrete import estimators, seeds
from tf_discrete.estimators import diagnostics

LATENTS = ("categorical", "bernoulli")


def drawn(name, latents, temperature=0.6, num_samples=5):
    estimator = estimators.get(name, latents=latents, temperature=temperature)
    logits = problems.generic_logits(latents)
    noise = estimator.draw_noise(seeds.base(0), logits, num_samples)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        sample = estimator.sample(logits, noise)
        total = tf.reduce_sum(
            tf.sin(tf.range(tf.size(noise), dtype=tf.float64)) * tf.reshape(sample.value, [-1])
        )
    return sample, tape.gradient(total, logits), logits, noise


@pytest.mark.parametrize("latents", LATENTS)
def test_the_relaxed_value_is_the_formula(latents):
    sample, _, logits, noise = drawn("gumbel_softmax", latents)
    perturbed = (logits + noise) / np.float64(np.float32(0.6))
    expected = tf.nn.softmax(perturbed) if latents == "categorical" else tf.sigmoid(perturbed)
    np.testing.assert_allclose(sample.value, expected, atol=1e-12)
    code = tf.argmax(expected, -1) if latents == "categorical" else expected > 0.5
    np.testing.assert_array_equal(sample.code, tf.cast(code, tf.int32))
    back = tf.exp(sample.log_value) if latents == "categorical" else tf.sigmoid(sample.log_value)
    np.testing.assert_allclose(back, sample.value, atol=1e-12)


@pytest.mark.parametrize("latents", LATENTS)
def test_straight_through_is_the_corner_with_the_gradient_of_the_relaxation(latents):
    soft, soft_gradient, _, _ = drawn("gumbel_softmax", latents)
    hard, hard_gradient, logits, _ = drawn("straight_through_gumbel_softmax", latents)
    distribution = estimators.get("gumbel_softmax", latents=latents).distribution(logits)
    np.testing.assert_array_equal(hard.value, distribution.one_hot(soft.code))
    np.testing.assert_array_equal(hard.code, soft.code)
    np.testing.assert_array_equal(hard_gradient, soft_gradient)
    assert hard.log_value is None


@pytest.mark.parametrize("latents", LATENTS)
def test_bias_falls_and_variance_grows_as_the_temperature_falls(latents):
    """The trade that an annealed temperature makes, in numbers."""
    f, logits = problems.objective("cubic", latents), problems.generic_logits(latents)
    results = [
        diagnostics.measure(
            estimators.get("gumbel_softmax", latents=latents, temperature=temperature),
            f,
            logits,
            seeds.base(0),
            20_000,
        )
        for temperature in (1.0, 0.1)
    ]
    bias = [np.linalg.norm(result.bias) for result in results]
    variance = [result.total_variance for result in results]
    assert bias[1] < 0.5 * bias[0], f"bias {bias}"
    assert variance[1] > 2 * variance[0], f"variance {variance}"


def test_two_categories_and_one_bit_are_one_function_of_the_noise():
    logits = problems.generic_logits("bernoulli")
    pair = tf.stack([tf.zeros_like(logits), logits], axis=-1)
    categorical = estimators.GumbelSoftmax(temperature=0.4)
    gumbel = categorical.draw_noise(seeds.base(0), pair, 7)
    bit = estimators.GumbelSoftmax(temperature=0.4, latents="bernoulli").sample(
        logits, gumbel[..., 1] - gumbel[..., 0]
    )
    two = categorical.sample(pair, gumbel)
    np.testing.assert_allclose(two.value[..., 1], bit.value, atol=1e-12)
    np.testing.assert_array_equal(two.code, bit.code)
