"""Slope-annealed straight-through: identities with straight-through, its formula, its schedule."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.estimators import problems
from tf_discrete import estimators, layers, models, schedules, seeds
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
def test_is_straight_through_of_steeper_logits_draw_by_draw(latents, slope):
    ours = estimators.get(NAME, slope=slope, latents=latents)
    theirs = estimators.get("straight_through", latents=latents)
    logits, f = problems.generic_logits(latents), problems.objective("network", latents)
    noise = ours.draw_noise(seeds.base(0), logits, 5)
    np.testing.assert_array_equal(noise, theirs.draw_noise(seeds.base(0), slope * logits, 5))
    value, gradient = value_and_gradient(ours, logits, noise, f)
    expected, of_steeper = value_and_gradient(theirs, slope * logits, noise, f)
    np.testing.assert_array_equal(value, expected)
    np.testing.assert_allclose(gradient, slope * of_steeper, rtol=1e-12)


@pytest.mark.parametrize("latents", LATENTS)
def test_codes_kl_and_posterior_of_a_model_are_those_of_the_steeper_logits(latents):
    model = models.CategoricalVAE(
        (2, 2, 1),
        num_variables=2,
        num_categories=3 if latents == "categorical" else 2,
        latents=latents,
        estimator=estimators.get(NAME, slope=3.0, latents=latents),
        hidden_units=(),
    )
    x = tf.constant([[[[0.0], [1.0]], [[1.0], [1.0]]]])
    steep = model.latent_spec.distribution(3.0 * model.logits(x))
    np.testing.assert_allclose(model.encode_probs(x), steep.probs, rtol=1e-6)
    np.testing.assert_array_equal(model.encode(x), steep.code(steep.mode()))
    terms = model.objective(x, seeds.base(0), training=True).terms
    uniform = model.latent_spec.uniform(tf.float32)
    np.testing.assert_allclose(terms["kl_nats"], steep.kl_divergence(uniform), rtol=1e-5)


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
@pytest.mark.parametrize("slope", [1.0, 2.0])
def test_linear_objectives_are_exact_at_every_slope(latents, slope):
    f, logits = problems.objective("linear", latents), problems.generic_logits(latents)
    exact = slope * diagnostics.exact_gradient(f, slope * logits, latents).gradient
    estimator = estimators.get(NAME, slope=slope, latents=latents)
    found = diagnostics.expected_gradient(estimator, f, logits).gradient
    np.testing.assert_allclose(found, exact, atol=1e-9)


def test_files_keep_the_slope(tmp_path):
    model = models.CategoricalVAE((2, 2, 1), 2, 3, estimator=NAME, hidden_units=())
    model.estimator.slope.update(25_000)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    x = tf.ones([1, 2, 2, 1])
    assert float(loaded.estimator.slope.value) == 3.0
    np.testing.assert_array_equal(loaded.encode_probs(x), model.encode_probs(x))


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
