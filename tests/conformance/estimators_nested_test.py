"""Every estimator under itself, and every pathwise one over a score estimator."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from tests.conformance import estimator_cases as conformance
from tests.estimators import nested_test
from tests.estimators import nesting_test as nesting
from tf_discrete import estimators, seeds
from tf_discrete.distributions import Bernoulli
from tf_discrete.estimators import log_mean_exp, mean


@pytest.mark.one_in(4)
@conformance.every_case
def test_every_estimator_nests_under_itself(name, latents):
    layers = [estimators.get(name, latents=latents) for _ in range(2)]
    for reduce in (mean, log_mean_exp):
        if reduce.__name__ in layers[0].spec.reductions:
            estimators.check_nested(layers, 2, reduce)
            estimate, gradient = nested_test.nested(layers, reduce)
            assert estimate.value.shape == estimate.auxiliary.shape == [5]
            assert np.isfinite(gradient).all() and np.any(gradient)
        else:
            with pytest.raises(ValueError, match="Layer 1 of 2: .* takes the reductions mean"):
                estimators.check_nested(layers, 2, reduce)


@pytest.mark.parametrize("reduce", [mean, log_mean_exp])
@pytest.mark.parametrize("name", estimators.names("pathwise", "categorical"))
def test_pathwise_over_score(name, reduce):
    """With the outer noise fixed, the score layer inside gives the gradient of its exact expectation."""
    outer, inner = nesting.get(name), nesting.get("score_function", "bernoulli")
    z1_noise = outer.draw_noise(seeds.base(5), nesting.LOGITS, nesting.NUM_SAMPLES)
    tuples = np.array(list(itertools.product(range(4), repeat=nesting.NUM_SAMPLES))).T
    z2 = tf.gather(nesting.bits(), tuples)
    count = z2.shape[1]

    with tf.GradientTape(persistent=True) as tape:
        tape.watch([nesting.LOGITS, nesting.WEIGHTS])
        z1 = outer.sample(nesting.LOGITS, z1_noise).value
        distribution = Bernoulli(nesting.inner_logits(z1, nesting.WEIGHTS)[:, tf.newaxis])
        probability = tf.exp(tf.reduce_sum(distribution.log_prob(z2), axis=0))
        exact = tf.reduce_sum(probability * reduce(nesting.objective(z1[:, tf.newaxis], z2)))
        logits = tf.broadcast_to(nesting.LOGITS, [count, 1, nesting.OUTER])
        noise = tf.repeat(z1_noise[:, tf.newaxis], count, axis=1)
        estimate = nesting.nested(outer, inner, noise, z2, logits, reduce, reduce)
        total = tf.reduce_sum(tf.stop_gradient(probability) * estimate.value)
    gradients = tape.gradient(total, [nesting.LOGITS, nesting.WEIGHTS])
    nesting.assert_equal(
        (total, *gradients), (exact, *tape.gradient(exact, [nesting.LOGITS, nesting.WEIGHTS]))
    )
    assert np.abs(gradients[1]).max() > 1e-3
