"""DARN against its formula, and its identity with ReinMax."""

import numpy as np
import pytest
import tensorflow as tf

from tests.estimators import problems
from tf_discrete import estimators, seeds
from tf_discrete.estimators import diagnostics


def gradient(estimator, f, logits, noise):
    with tf.GradientTape() as tape:
        tape.watch(logits)
        value = estimator.estimate(f, logits, noise).value
    return tape.gradient(value, logits)


@pytest.mark.parametrize("latents", ["categorical", "bernoulli"])
def test_gradient_is_slope_times_distance_times_score(latents):
    estimator = estimators.get("darn", latents=latents)
    f, logits = problems.objective("network", latents), problems.generic_logits(latents)
    z = estimator.draw_noise(seeds.base(0), logits)
    with tf.GradientTape() as tape:
        tape.watch(z)
        values = f(z)
    difference = tape.gradient(values, z).numpy() * (z - (0.5 if latents == "bernoulli" else 1 / 3))
    if latents == "categorical":
        difference = difference.numpy().sum(axis=-1, keepdims=True)
    expected = difference * estimator.distribution(logits).score(z)
    np.testing.assert_allclose(gradient(estimator, f, logits, z), expected[0], atol=1e-12)


def test_with_two_categories_it_is_reinmax_draw_by_draw():
    bernoulli = problems.generic_logits("bernoulli", batch=50)
    cubic = problems.objective("cubic", "bernoulli")
    two = tf.stack([0.3 * bernoulli, 1.3 * bernoulli], axis=-1)
    for latents, logits, f in (
        ("bernoulli", bernoulli, cubic),
        ("categorical", two, lambda z: cubic(z[..., 1]) + z[..., 0, 0] ** 3),
    ):
        darn, reinmax = (estimators.get(name, latents=latents) for name in ("darn", "reinmax"))
        z = darn.draw_noise(seeds.base(0), logits)
        ours, theirs = (gradient(each, f, logits, z) for each in (darn, reinmax))
        np.testing.assert_allclose(ours, theirs, atol=1e-12)
        assert np.abs(ours).max() > 0.1


def test_with_three_categories_it_is_another_estimator_and_biased_for_quadratic_objectives():
    f, logits = (
        problems.objective("quadratic", "categorical"),
        problems.generic_logits("categorical"),
    )
    truth = diagnostics.exact_gradient(f, logits).gradient
    darn, reinmax = (
        diagnostics.expected_gradient(estimators.get(name), f, logits).gradient
        for name in ("darn", "reinmax")
    )
    np.testing.assert_allclose(reinmax, truth, atol=1e-9)
    assert np.abs(darn - truth).max() > 0.1


def test_the_centre_is_uniform_over_the_categories_that_are_not_masked():
    logits = tf.constant([[[0.3, -np.inf, -0.2]]])
    slopes = tf.constant([1.0, 100.0, 3.0])
    z = tf.one_hot([[[2]]], 3)
    drawn = gradient(
        estimators.get("darn"), lambda z: tf.reduce_sum(slopes * z, [-2, -1]), logits, z
    )
    probs = tf.nn.softmax(logits).numpy()[0]
    np.testing.assert_allclose(drawn[0], (3.0 - 2.0) * (z[0, 0].numpy() - probs), rtol=1e-5)
