"""The samples of every registered estimator have the distribution that it declares."""

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

from tests.conformance.estimator_cases import Recorder, cases, get, temperature_cases
from tests.estimators import problems
from tf_discrete import objectives, seeds


def drawn_codes(estimator, logits, num_draws):
    """The joint configurations that an estimator's objective sees, as numbers, [num_draws]."""
    f = Recorder(lambda z: tf.zeros(tf.shape(z)[:1]))
    noise = estimator.draw_noise(seeds.base(3), logits, num_draws)
    estimator.estimate(f, logits, noise)
    base = 3 if estimator.latents == "categorical" else 2
    return (
        estimator.distribution(logits).code(f.z).numpy()
        @ base ** np.arange(problems.NUM_VARIABLES)[::-1]
    )


@pytest.mark.one_in(3)
@temperature_cases(lambda spec: spec.noise != "none" and spec.draws, [0.1, 1.0, 10.0])
def test_draws_follow_the_declared_law(name, latents, temperature):
    """Chi-square over the joint configurations, softmax(logits) unless the estimator says otherwise."""
    estimator = get(name, latents, temperature)
    logits = problems.generic_logits(latents, tf.float32, batch=1)[0]
    # Where the temperature moves the distribution, as of hard concrete gates, it is moved back.
    logits += tf.reduce_mean(logits - estimator.distribution(logits).logits)
    distribution = estimator.distribution(logits)
    configurations = distribution.enumerate()
    num_draws = 40_000
    code = drawn_codes(estimator, logits, num_draws)
    counts = np.bincount(code, minlength=len(configurations))

    def probabilities(logits):
        p = np.exp(type(distribution)(logits).log_prob(configurations).numpy().astype(np.float64))
        return p / p.sum()

    expected = probabilities(distribution.logits)
    statistic = scipy.stats.chisquare(counts, num_draws * expected).statistic
    critical = scipy.stats.chi2.isf(1e-6, len(counts) - 1)
    assert statistic < critical
    # The test would have seen logits that are scaled by 10 %.
    wrong = probabilities(1.1 * distribution.logits)
    noncentrality = num_draws * np.sum((wrong - expected) ** 2 / expected)
    assert scipy.stats.ncx2.sf(critical, len(counts) - 1, noncentrality) > 0.99


@pytest.mark.one_in(3)
@cases(lambda spec: spec.noise != "none" and spec.draws)
def test_the_kl_of_the_elbo_is_that_of_the_draws(name, latents):
    """The KL that a model is charged, against the log ratio at the codes that the estimator draws.

    The ratio takes its probabilities from the frequencies, so nothing of the declared distribution goes in.
    """
    estimator, num_draws = get(name, latents), 40_000
    logits = problems.generic_logits(latents, tf.float32, batch=1)[0]
    prior = type(estimator.distribution(logits))(tf.zeros_like(logits))
    noise = estimator.draw_noise(seeds.base(0), logits[tf.newaxis], estimator.spec.min_samples)
    f = problems.objective("network", latents, tf.float32)
    layer = objectives.one_layer(estimator, logits[tf.newaxis], prior)
    terms = objectives.elbo(layer, f, noise=noise).terms
    code = drawn_codes(estimator, logits, num_draws)
    count = len(prior.enumerate())
    frequency = np.bincount(code, minlength=count) / num_draws
    log_ratio = np.log(count * frequency[code])
    error = log_ratio.std() / np.sqrt(num_draws) + count / num_draws
    assert abs(float(terms["kl_nats"][0]) - log_ratio.mean()) < 5.5 * error
    assert 5.5 * error < 0.15 * log_ratio.mean()
