"""Exact gradients against an oracle, finite differences and sums by hand."""

import math

import numpy as np
import pytest
import tensorflow as tf

from tests.estimators import problems
from tf_discrete import estimators, seeds
from tf_discrete.estimators import diagnostics, expectations

LATENTS = ("categorical", "bernoulli")


@pytest.mark.parametrize("latents", LATENTS)
@pytest.mark.parametrize("name", problems.OBJECTIVES)
def test_exact_gradient_is_that_of_the_oracle(name, latents):
    f, logits = problems.objective(name, latents), problems.generic_logits(latents)
    value, gradient = problems.oracle(f, logits, latents)
    exact = expectations.exact_gradient(f, logits, latents)
    assert exact.value.dtype == exact.gradient.dtype == tf.float64
    np.testing.assert_allclose(exact.value, value, atol=1e-12)
    np.testing.assert_allclose(exact.gradient, gradient, atol=1e-12)


@pytest.mark.parametrize("latents", LATENTS)
def test_exact_gradients_are_finite_differences_of_the_value(latents):
    weights = problems.network_weights(latents)
    logits = problems.generic_logits(latents, batch=1)

    def f(z):
        return problems.network(problems.as_vectors(z, latents), *weights)

    def value(x):
        return float(expectations.exact_gradient(f, x, latents).value[0])

    exact = expectations.exact_gradient(f, logits, latents, variables=weights)
    step = 1e-5
    for index in np.ndindex(*logits.shape):
        shift = np.zeros(logits.shape)
        shift[index] = step
        difference = (value(logits + shift) - value(logits - shift)) / (2 * step)
        assert exact.gradient.numpy()[index] == pytest.approx(difference, abs=1e-8)
    original = weights[1].numpy()
    for k in range(4):
        ends = []
        for sign in (1, -1):
            weights[1].assign(original + sign * step * np.eye(4)[k])
            ends.append(value(logits))
        assert float(exact.variable_gradients[1][k]) == pytest.approx(
            (ends[0] - ends[1]) / (2 * step), abs=1e-8
        )
        weights[1].assign(original)


def test_exact_gradient_of_a_mean_does_not_depend_on_the_number_of_samples():
    f, logits = problems.objective("network", "categorical"), problems.generic_logits("categorical")
    one = expectations.exact_gradient(f, logits)
    two = expectations.exact_gradient(f, logits, num_samples=2)
    np.testing.assert_allclose(two.value, one.value, atol=1e-12)
    np.testing.assert_allclose(two.gradient, one.gradient, atol=1e-12)


def test_exact_value_of_log_mean_exp_by_hand():
    logits = tf.math.log(tf.constant([[0.25, 0.75]], tf.float64))
    exact = expectations.exact_gradient(
        lambda z: z[..., 0, 1], logits, num_samples=2, reduce=estimators.log_mean_exp
    )
    mixed = math.log(0.5 * (1 + math.e))
    expected = 0.75**2 * 1 + 2 * 0.25 * 0.75 * mixed
    assert float(exact.value) == pytest.approx(expected, abs=1e-12)
    # d/dp of the value, times dp / dlogit = p (1 - p).
    slope = (2 * 0.75 + (2 - 4 * 0.75) * mixed) * 0.75 * 0.25
    np.testing.assert_allclose(exact.gradient, [[-slope, slope]], atol=1e-12)


def test_exact_gradient_with_masked_categories():
    f = problems.objective("cubic", "categorical")
    logits = problems.generic_logits("categorical").numpy()
    masked, very_small = logits.copy(), logits.copy()
    masked[..., 2], very_small[..., 2] = -np.inf, -60.0
    exact = expectations.exact_gradient(f, tf.constant(masked))
    limit = expectations.exact_gradient(f, tf.constant(very_small))
    np.testing.assert_allclose(exact.value, limit.value, atol=1e-12)
    np.testing.assert_allclose(exact.gradient, limit.gradient, atol=1e-12)


def test_expected_gradient_without_batch_axes():
    logits = problems.generic_logits("categorical")
    f = problems.objective("cubic", "categorical")
    estimator = estimators.get("reinmax")
    whole = expectations.expected_gradient(estimator, f, logits)
    for i in range(logits.shape[0]):
        single = expectations.expected_gradient(estimator, f, logits[i])
        np.testing.assert_allclose(single.value, whole.value[i], atol=1e-12)
        np.testing.assert_allclose(single.gradient, whole.gradient[i], atol=1e-12)


def test_expected_gradient_is_the_limit_of_many_draws():
    logits = problems.generic_logits("categorical")
    f = problems.objective("cubic", "categorical")
    estimator = estimators.get("straight_through", temperature=0.7)
    expected = expectations.expected_gradient(estimator, f, logits).gradient
    result = diagnostics.measure(estimator, f, logits, seeds.base(1), 20_000)
    z = (result.mean - expected.numpy()) / result.standard_error
    assert np.abs(z).max() < result.critical_z
    assert result.detectable_bias.max() < 0.25 * np.abs(expected.numpy()).max()
    assert result.is_biased and np.abs(result.bias).max() > 2 * result.detectable_bias.max()


def test_expected_gradient_refuses_continuous_noise():
    with pytest.raises(ValueError, match="Use measure, which draws.*GumbelSoftmax.*'continuous'"):
        expectations.expected_gradient(
            estimators.get("gumbel_softmax"), lambda z: z[..., 0, 0], tf.zeros([1, 2])
        )


def test_too_many_tuples_are_refused_with_their_number():
    with pytest.raises(ValueError, match="num_samples=3 of 64 configurations, which makes 262144"):
        expectations.expected_gradient(
            estimators.get("score_function"), lambda z: z[..., 0, 0], tf.zeros([3, 4]), 3
        )
