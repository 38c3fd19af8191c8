"""Slope-annealed straight-through: identities with straight-through, its formula, its schedule."""

import numpy as np
import pytest
import tensorflow as tf

from tests.estimators import problems
from tf_discrete import estimators, layers, schedules, seeds
from tf_discrete.estimators import diagnostics

NAME = "slope_annealed_straight_through"
LATENTS = ("categorical", "bernoulli")


def value_and_gradient(estimator, logits, noise, f):
    with tf.GradientTape() as tape:
        tape.watch(logits)
        value = estimator.estimate(f, logits, noise).value
    return value, tape.gradient(value, logits)


@pytest.mark.parametrize("latents", LATENTS)
@pytest.mark.parametrize("slope", [1.0, 4.0])
def test_is_straight_through_at_the_inverse_temperature_draw_by_draw(latents, slope):
    ours = estimators.get(NAME, slope=slope, latents=latents)
    theirs = estimators.get("straight_through", temperature=1 / slope, latents=latents)
    logits, f = problems.generic_logits(latents), problems.objective("network", latents)
    noise = ours.draw_noise(seeds.base(0), logits, 5)
    np.testing.assert_array_equal(noise, theirs.draw_noise(seeds.base(0), logits, 5))
    results = [value_and_gradient(estimator, logits, noise, f) for estimator in (ours, theirs)]
    np.testing.assert_array_equal(results[0][0], results[1][0])
    np.testing.assert_allclose(results[0][1], results[1][1], rtol=1e-12)


@pytest.mark.parametrize("slope", [0.5, 3.0])
def test_gradient_is_that_of_the_steep_softmax_in_numpy(slope):
    logits = problems.generic_logits("categorical", batch=1)
    estimator = estimators.get(NAME, slope=slope)
    weights = np.array([[0.3, -1.0, 2.0], [1.5, 0.2, -0.7]])
    noise = estimator.draw_noise(seeds.base(1), logits)
    _, gradient = value_and_gradient(
        estimator, logits, noise, lambda z: tf.reduce_sum(z * weights, [-2, -1])
    )
    p = np.exp(slope * logits.numpy())
    p /= p.sum(-1, keepdims=True)
    expected = slope * p * (weights - (p * weights).sum(-1, keepdims=True))
    np.testing.assert_allclose(gradient, expected, atol=1e-12)


@pytest.mark.parametrize("latents", LATENTS)
def test_linear_objectives_are_exact_at_slope_1_only(latents):
    f, logits = problems.objective("linear", latents), problems.generic_logits(latents)
    exact = diagnostics.exact_gradient(f, logits, latents).gradient.numpy()
    for slope, is_exact in ((1.0, True), (2.0, False)):
        estimator = estimators.get(NAME, slope=slope, latents=latents)
        error = diagnostics.expected_gradient(estimator, f, logits).gradient.numpy() - exact
        assert (np.abs(error).max() < 1e-9) == is_exact
        assert is_exact or np.abs(error).max() > 1e-2


def test_the_default_slope_grows_from_1_to_5():
    slope = estimators.get(NAME).slope
    assert slope.schedule.values([0, 25_000, 50_000, 10**6]).tolist() == [1.0, 3.0, 5.0, 5.0]


def test_the_slope_follows_the_steps_of_a_layer():
    estimator = estimators.get(NAME, slope=schedules.Linear(1.0, 3.0, steps=4))
    layer = layers.StochasticLayer(estimator, seed=0)
    seen = []
    for _ in range(5):
        layer(tf.zeros([2, 3, 4]), training=True)
        seen.append(float(layer.estimator.slope.value))
    assert seen == [1.0, 1.5, 2.0, 2.5, 3.0]


def test_the_config_keeps_the_schedule():
    estimator = estimators.get(NAME, slope=schedules.Cosine(1.0, 3.0, steps=7), latents="bernoulli")
    again = estimators.deserialize(estimators.serialize(estimator))
    assert again.slope.schedule.get_config() == estimator.slope.schedule.get_config()
    assert again.latents == "bernoulli"


@pytest.mark.parametrize("slope", [0.0, -1.0, float("nan"), schedules.Linear(1.0, 0.0, steps=9)])
def test_slopes_that_are_not_positive_are_refused(slope):
    with pytest.raises(ValueError, match="slope must be (positive at every step|a finite).*slope="):
        estimators.get(NAME, slope=slope)


@pytest.mark.parametrize("slope", [1e-3, 1e3])
def test_extreme_slopes_stay_finite(slope):
    logits = tf.constant([[[50.0, -50.0, 0.0], [0.1, -np.inf, 0.0]]])
    estimator = estimators.get(NAME, slope=slope)
    noise = estimator.draw_noise(seeds.base(0), logits, 20)
    f = problems.objective("network", "categorical", tf.float32)
    value, gradient = value_and_gradient(estimator, logits, noise, f)
    assert np.isfinite(value).all() and np.isfinite(gradient).all() and gradient[0, 1, 1] == 0
