"""DAPS: the paper's weights, its fixed point, its limit and the trust region that it learns."""

import numpy as np
import pytest
import tensorflow as tf

from tests.estimators import problems
from tf_discrete import distributions, estimators, seeds
from tf_discrete.estimators import diagnostics

LATENTS = ("categorical", "bernoulli")


def get(latents="categorical", **arguments):
    return estimators.get("daps", latents=latents, **arguments)


def gradient(estimator, f, logits, noise):
    with tf.GradientTape() as tape:
        tape.watch(logits)
        value = estimator.estimate(f, logits, noise).value
    return tape.gradient(value, logits)


def entropy_gradient(latents, logits):
    with tf.GradientTape() as tape:
        tape.watch(logits)
        entropy = distributions.get(latents)(logits).entropy()
    return tape.gradient(entropy, logits)


@pytest.mark.parametrize("latents", LATENTS)
def test_with_the_entropy_it_is_the_weighted_likelihood_of_the_paper(latents):
    """w of q* / q, q* proportional to exp((f + eta log q) / (eta + beta)); d log q of sum w log q, scaled."""
    eta, beta, samples = 3.0, 0.5, 6
    estimator = get(latents, initial_eta=eta, entropy_weight=beta)
    logits, f = problems.generic_logits(latents), problems.objective("network", latents)
    noise = estimator.draw_noise(seeds.base(0), logits, samples)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        log_q = distributions.get(latents)(logits).log_prob(noise)
        log_target = tf.stop_gradient((f(noise) + eta * log_q) / (eta + beta) - log_q)
        weights = tf.nn.softmax(log_target, axis=0)
        centred = tf.reduce_sum((weights - 1.0 / samples) * log_q, axis=0)
        loss = (eta + beta) * samples / (samples - 1.0) * centred
    ours = gradient(estimator, f, logits, noise) + beta * entropy_gradient(latents, logits)
    np.testing.assert_allclose(ours, tape.gradient(loss, logits), atol=1e-6)


@pytest.mark.parametrize("latents", LATENTS)
@pytest.mark.parametrize("eta", [0.1, 10.0])
def test_nothing_moves_at_the_optimum(latents, eta):
    """Where q is proportional to exp(f / beta), for every set of samples."""
    beta = 2.0
    estimator = get(latents, initial_eta=eta, entropy_weight=beta)
    logits = problems.generic_logits(latents)
    best = distributions.get(latents)(tf.identity(logits))  # Not what is differentiated.
    noise = estimator.draw_noise(seeds.base(1), logits, 5)
    found = gradient(estimator, lambda z: beta * best.log_prob(z) + 7.0, logits, noise)
    np.testing.assert_allclose(found, -beta * entropy_gradient(latents, logits), atol=1e-12)


@pytest.mark.parametrize("latents", LATENTS)
def test_a_wide_trust_region_is_unbiased(latents):
    """By enumeration of all pairs of samples: the bias falls as 1 / eta."""
    logits, f = problems.generic_logits(latents), problems.objective("network", latents)
    exact = diagnostics.exact_gradient(f, logits, latents).gradient
    errors = []
    for eta in (1.0, 100.0, 1e6):
        estimator = get(latents, initial_eta=eta)
        found = diagnostics.expected_gradient(estimator, f, logits, 2).gradient
        errors.append(np.abs(found - exact).max())
    assert errors[0] > 1e-3 and errors[1] < 0.1 * errors[0] and errors[2] < 1e-5


def test_the_trust_region_is_learned():
    """Descent on the auxiliary loss brings the effective sample size to its target."""
    logits = 0.5 * problems.generic_logits("categorical", tf.float32, batch=50)
    f = problems.objective("network", "categorical", tf.float32)
    for initial in (0.05, 50.0):
        estimator = get(ess_target=0.5, entropy_weight=0.01, initial_eta=initial)
        noise = estimator.draw_noise(seeds.base(2), logits, 8)
        for step in range(12):
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean(estimator.estimate(f, logits, noise).auxiliary)
            slope = tape.gradient(loss, estimator.log_eta.value)
            estimator.log_eta.assign_sub(2.0 * 0.7**step * tf.sign(slope))
        assert np.sqrt(loss) < 0.1


def test_the_config_keeps_its_arguments():
    again = estimators.deserialize(
        estimators.serialize(get(ess_target=0.4, entropy_weight=0.3, initial_eta=2.0))
    )
    assert (again.ess_target, again.initial_eta) == (0.4, 2.0)
    assert float(again.entropy_weight.value) == pytest.approx(0.3)
    assert float(again.log_eta) == pytest.approx(np.log(2.0))
