from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from tests.estimators import problems
from tf_discrete import distributions, estimators, objectives, seeds

tfd = tfp.distributions
TEMPERATURE, PRIOR_TEMPERATURE = 0.6, 0.4


def distribution(latents, temperature, logits):
    if latents == "categorical":
        return tfd.Independent(tfd.ExpRelaxedOneHotCategorical(temperature, logits), 1)
    logistic = tfd.Logistic(logits / temperature, 1 / temperature)
    return tfd.Independent(logistic, 1)


@pytest.mark.parametrize("latents", ["categorical", "bernoulli"])
@pytest.mark.parametrize("weight_dtype", [tf.float32, tf.float64])
def test_value_is_that_of_tfp(latents, weight_dtype):
    logits = problems.generic_logits(latents)
    prior_logits = 0.5 * logits[0]
    fn = problems.objective("network", latents)
    estimator = estimators.get("gumbel_softmax", latents=latents, temperature=TEMPERATURE)
    noise = estimator.draw_noise(seeds.base(0), logits, 4)
    found = objectives.relaxed_elbo(
        objectives.one_layer(estimator, logits, distributions.get(latents)(prior_logits)),
        fn,
        noise=noise,
        prior_temperature=PRIOR_TEMPERATURE,
        kl_weight=tf.constant(0.25, weight_dtype),
    )
    sample = estimator.sample(logits, noise)
    temperatures = [tf.constant(t, tf.float64) for t in (TEMPERATURE, PRIOR_TEMPERATURE)]
    log_q = distribution(latents, temperatures[0], logits).log_prob(sample.log_value)
    log_p = distribution(latents, temperatures[1], prior_logits).log_prob(sample.log_value)
    kl = tf.reduce_mean(log_q - log_p, axis=0).numpy()
    reconstruction = -tf.reduce_mean(fn(sample.value), axis=0).numpy()
    # The temperature of the estimator is a float32 variable.
    np.testing.assert_allclose(found.terms["kl_nats"], kl, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(found.terms["reconstruction_nats"], reconstruction, rtol=1e-6)
    np.testing.assert_allclose(found.terms["elbo_nats"], -reconstruction - kl, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(found.loss, reconstruction + 0.25 * kl, rtol=1e-5, atol=1e-5)
    assert found.loss.dtype == tf.float64
    np.testing.assert_array_equal(found.auxiliary, np.zeros(3))


@pytest.mark.parametrize("latents", ["categorical", "bernoulli"])
@pytest.mark.parametrize("temperature", [0.05, 1.0])
def test_it_is_a_lower_bound_of_the_evidence(latents, temperature):
    """E of exp(elbo) over one sample each is E_p[exp f]; its log lies above the mean of the elbo."""
    logits = problems.generic_logits(latents, tf.float32, batch=1)
    prior_logits = tf.zeros_like(logits[0])
    fn = problems.objective("linear", latents, tf.float32)
    draws = 4000
    estimator = estimators.get("gumbel_softmax", latents=latents, temperature=temperature)
    many = tf.repeat(logits, draws, axis=0)
    found = objectives.relaxed_elbo(
        objectives.one_layer(estimator, many, distributions.get(latents)(prior_logits)),
        fn,
        noise=estimator.draw_noise(seeds.base(1), many, 1),
        prior_temperature=temperature,
    )
    prior_draws = tf.zeros_like(many)
    z = estimator.sample(prior_draws, estimator.draw_noise(seeds.base(2), prior_draws, 1)).value
    log_evidence = np.log(np.mean(np.exp(fn(z).numpy())))
    elbo = found.terms["elbo_nats"].numpy()
    assert np.isfinite(elbo).all()
    assert elbo.mean() < log_evidence
    assert np.log(np.mean(np.exp(elbo))) == pytest.approx(log_evidence, abs=0.2)
