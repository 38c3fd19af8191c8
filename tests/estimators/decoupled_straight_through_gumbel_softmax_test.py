"""Decoupled straight-through Gumbel-Softmax: identities draw by draw, and its distribution."""

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

from tests.estimators import problems
from tf_discrete import distributions, estimators, layers, objectives, schedules, seeds

NAME = "decoupled_straight_through_gumbel_softmax"
PLAIN = "straight_through_gumbel_softmax"
LATENTS = ("categorical", "bernoulli")


def value_and_gradient(estimator, logits, noise, f, scale=1.0):
    with tf.GradientTape() as tape:
        tape.watch(logits)
        value = estimator.estimate(f, logits / scale, noise).value
    return value, tape.gradient(value, logits)


@pytest.mark.parametrize("latents", LATENTS)
@pytest.mark.parametrize(
    "backward,forward", [(0.5, 0.5), (2.0, 2.0), (0.5, 1.0), (1.0, 2.0), (1.5, 0.5)]
)
def test_is_straight_through_gumbel_softmax_of_tempered_logits(latents, backward, forward):
    """Draw by draw: temperature / forward_temperature at logits / forward_temperature."""
    ours = estimators.get(NAME, temperature=backward, forward_temperature=forward, latents=latents)
    plain = estimators.get(PLAIN, temperature=backward / forward, latents=latents)
    logits, f = problems.generic_logits(latents), problems.objective("network", latents)
    noise = ours.draw_noise(seeds.base(0), logits, 20)
    results = value_and_gradient(ours, logits, noise, f)
    expected = value_and_gradient(plain, logits, noise, f, scale=forward)
    np.testing.assert_array_equal(results[0], expected[0])
    np.testing.assert_allclose(results[1], expected[1], atol=1e-7)
    assert np.abs(expected[1]).max() > 1e-3


@pytest.mark.parametrize("latents", LATENTS)
def test_with_a_forward_temperature_of_1_it_is_the_plain_one(latents):
    arguments = dict(temperature=0.7, latents=latents)
    ours, plain = (
        estimators.get(NAME, forward_temperature=1.0, **arguments),
        estimators.get(PLAIN, **arguments),
    )
    logits, f = problems.generic_logits(latents), problems.objective("network", latents)
    noise = ours.draw_noise(seeds.base(0), logits, 20)
    np.testing.assert_array_equal(noise, plain.draw_noise(seeds.base(0), logits, 20))
    for mine, theirs in zip(
        value_and_gradient(ours, logits, noise, f),
        value_and_gradient(plain, logits, noise, f),
        strict=True,
    ):
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize("latents", LATENTS)
@pytest.mark.parametrize("forward", [0.5, 2.0])
def test_draws_follow_the_tempered_law_and_no_other(latents, forward):
    estimator = estimators.get(NAME, forward_temperature=forward, latents=latents)
    logits = problems.generic_logits(latents, tf.float32, batch=1)[0, :1]
    distribution = estimator.distribution(logits)
    np.testing.assert_allclose(distribution.logits, logits / forward)
    code = estimator.sample(logits, estimator.draw_noise(seeds.base(1), logits, 20_000)).code
    counts = np.bincount(np.ravel(code), minlength=distribution.enumerate().shape[0])
    critical = scipy.stats.chi2.isf(1e-6, len(counts) - 1)
    statistics = []
    for each in (distribution, type(distribution)(logits)):
        p = np.exp(each.log_prob(each.enumerate()).numpy().astype(np.float64))
        statistics.append(scipy.stats.chisquare(counts, 20_000 * p / p.sum()).statistic)
    assert statistics[0] < critical < statistics[1] / 4


def test_the_kl_of_the_elbo_is_that_of_the_tempered_law():
    estimator = estimators.get(NAME, forward_temperature=2.0)
    logits = problems.generic_logits("categorical")
    prior = distributions.Categorical(tf.zeros([2, 3], tf.float64))
    noise = estimator.draw_noise(seeds.base(0), logits)
    layer = objectives.one_layer(estimator, logits, prior)
    terms = objectives.elbo(layer, problems.objective("network", "categorical"), noise=noise).terms
    p = tf.nn.softmax(logits / 2.0).numpy()
    np.testing.assert_allclose(terms["kl_nats"], (p * np.log(3 * p)).sum((-2, -1)), atol=1e-12)


def test_the_forward_temperature_follows_its_schedule():
    estimator = estimators.get(NAME, forward_temperature=schedules.Linear(2.0, 1.0, steps=2))
    layer = layers.StochasticLayer(estimator, seed=0)
    seen = []
    for _ in range(3):
        layer(tf.zeros([2, 3, 4]), training=True)
        seen.append(float(estimator.forward_temperature.value))
    assert seen == [2.0, 1.5, 1.0]
    again = estimators.deserialize(estimators.serialize(estimator))
    assert again.forward_temperature.schedule.get_config()["initial"] == 2.0


@pytest.mark.parametrize("forward", [1e-3, 1e3])
@pytest.mark.parametrize("backward", [1e-3, 1e3])
def test_extreme_temperatures_stay_finite(forward, backward):
    logits = tf.constant([[[50.0, -50.0, 0.0], [0.3, -np.inf, -0.2]]])
    estimator = estimators.get(NAME, temperature=backward, forward_temperature=forward)
    noise = estimator.draw_noise(seeds.base(0), logits, 20)
    f = problems.objective("network", "categorical", tf.float32)
    value, gradient = value_and_gradient(estimator, logits, noise, f)
    assert np.isfinite(value).all() and np.isfinite(gradient).all() and gradient[0, 1, 1] == 0


@pytest.mark.parametrize("forward", [0.0, -2.0, float("nan")])
def test_forward_temperatures_that_are_not_positive_are_refused(forward):
    message = f"forward_temperature must be (positive|a finite).*forward_temperature={forward}"
    with pytest.raises(ValueError, match=message):
        estimators.get(NAME, forward_temperature=forward)
