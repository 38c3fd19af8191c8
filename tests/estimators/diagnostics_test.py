"""The diagnostics against NumPy, finite differences, and estimators whose bias is known by construction."""

import math

import numpy as np
import pytest
import tensorflow as tf

from tests.estimators import problems
from tf_discrete import estimators, seeds
from tf_discrete.distributions import discrete
from tf_discrete.estimators import diagnostics

LATENTS = ("categorical", "bernoulli")


@pytest.mark.parametrize("latents", LATENTS)
@pytest.mark.parametrize("name", problems.OBJECTIVES)
def test_exact_gradient_is_that_of_the_oracle(name, latents):
    f, logits = problems.objective(name, latents), problems.generic_logits(latents)
    value, gradient = problems.oracle(f, logits, latents)
    exact = diagnostics.exact_gradient(f, logits, latents)
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
        return float(diagnostics.exact_gradient(f, x, latents).value[0])

    exact = diagnostics.exact_gradient(f, logits, latents, variables=weights)
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
    one = diagnostics.exact_gradient(f, logits)
    two = diagnostics.exact_gradient(f, logits, num_samples=2)
    np.testing.assert_allclose(two.value, one.value, atol=1e-12)
    np.testing.assert_allclose(two.gradient, one.gradient, atol=1e-12)


def test_exact_value_of_log_mean_exp_by_hand():
    logits = tf.math.log(tf.constant([[0.25, 0.75]], tf.float64))
    exact = diagnostics.exact_gradient(
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
    exact = diagnostics.exact_gradient(f, tf.constant(masked))
    limit = diagnostics.exact_gradient(f, tf.constant(very_small))
    np.testing.assert_allclose(exact.value, limit.value, atol=1e-12)
    np.testing.assert_allclose(exact.gradient, limit.gradient, atol=1e-12)


def test_expected_gradient_without_batch_axes():
    logits = problems.generic_logits("categorical")
    f = problems.objective("cubic", "categorical")
    estimator = estimators.get("reinmax")
    whole = diagnostics.expected_gradient(estimator, f, logits)
    for i in range(logits.shape[0]):
        single = diagnostics.expected_gradient(estimator, f, logits[i])
        np.testing.assert_allclose(single.value, whole.value[i], atol=1e-12)
        np.testing.assert_allclose(single.gradient, whole.gradient[i], atol=1e-12)


def test_expected_gradient_is_the_limit_of_many_draws():
    logits = problems.generic_logits("categorical")
    f = problems.objective("cubic", "categorical")
    estimator = estimators.get("straight_through", temperature=0.7)
    expected = diagnostics.expected_gradient(estimator, f, logits).gradient
    result = diagnostics.measure(estimator, f, logits, seeds.base(1), 20_000)
    z = (result.mean - expected.numpy()) / result.standard_error
    assert np.abs(z).max() < result.critical_z
    assert result.detectable_bias.max() < 0.25 * np.abs(expected.numpy()).max()
    assert result.is_biased and np.abs(result.bias).max() > 2 * result.detectable_bias.max()


def test_expected_gradient_refuses_continuous_noise():
    with pytest.raises(ValueError, match="Use measure, which draws.*GumbelSoftmax.*'continuous'"):
        diagnostics.expected_gradient(
            estimators.get("gumbel_softmax"), lambda z: z[..., 0, 0], tf.zeros([1, 2])
        )


def test_too_many_tuples_are_refused_with_their_number():
    with pytest.raises(ValueError, match="num_samples=3 of 64 configurations, which makes 262144"):
        diagnostics.expected_gradient(
            estimators.get("score_function"), lambda z: z[..., 0, 0], tf.zeros([3, 4]), 3
        )


def test_gradient_samples_differ_repeat_and_do_not_repeat_over_chunks():
    logits = problems.generic_logits("categorical", batch=2)
    f = problems.objective("cubic", "categorical")
    estimator = estimators.get("gumbel_softmax")
    arguments = dict(num_draws=50, chunk_size=20)
    drawn = diagnostics.gradient_samples(estimator, f, logits, seeds.base(0), **arguments).numpy()
    again = diagnostics.gradient_samples(estimator, f, logits, seeds.base(0), **arguments).numpy()
    other = diagnostics.gradient_samples(estimator, f, logits, seeds.base(1), **arguments).numpy()
    assert drawn.shape == (50, 2, 2, 3) and drawn.dtype == np.float64
    np.testing.assert_array_equal(drawn, again)
    assert len(np.unique(np.concatenate([drawn, other]).reshape(100, -1), axis=0)) == 100


def test_measure_of_a_gradient_that_is_known_in_closed_form():
    """Score function with 2 samples on f = z, one fair bit.

    The pair differs with probability 1/2, and then credits +-1/2 weigh scores +-1/2: the gradient is
    1/2 or 0 with probability 1/2 each. Mean 1/4, variance 1/16.
    """
    result = diagnostics.measure(
        estimators.get("score_function", latents="bernoulli"),
        lambda z: z[..., 0],
        tf.zeros([1]),
        seeds.base(3),
        40_000,
        chunk_size=10_000,
    )
    error = 0.25 / math.sqrt(40_000)
    assert result.exact.tolist() == [0.25]
    assert result.standard_error[0] == pytest.approx(error, rel=0.01)
    assert abs(result.mean[0] - 0.25) < result.critical_z * error
    assert result.bias[0] == result.mean[0] - 0.25
    assert result.z_scores[0] == pytest.approx(result.bias[0] / error, rel=0.01)
    assert result.total_variance == pytest.approx(1 / 16, rel=0.01)
    assert result.signal_to_noise == pytest.approx(1.0, rel=0.03)
    assert result.cosine == pytest.approx(1.0)
    # Two-sided 1e-6 and power 1 - 1e-6 under the normal law: 4.892 and 4.753 standard errors.
    assert result.critical_z == pytest.approx(4.8916, abs=1e-3)
    assert result.detectable_bias[0] == pytest.approx((4.8916 + 4.7534) * error, rel=0.01)
    assert (result.num_draws, result.num_evaluations) == (40_000, 2)
    assert not result.is_biased


@pytest.mark.parametrize("factor,seen", [(0.0, False), (1.2, True)])
def test_measure_sees_a_planted_bias_of_the_detectable_size(factor, seen):
    logits = problems.generic_logits("categorical", batch=1)
    f = problems.objective("cubic", "categorical")
    honest = diagnostics.measure(estimators.get("score_function"), f, logits, seeds.base(4), 4_000)

    class Shifted(estimators.ScoreFunction):
        """The score function plus a constant in one element of the gradient."""

        def estimate(self, objective_fn, logits, noise, **arguments):
            result = super().estimate(objective_fn, logits, noise, **arguments)
            shift = factor * honest.detectable_bias[0, 0, 0] * logits[..., 0, 0]
            return result._replace(value=result.value + shift)

    result = diagnostics.measure(Shifted(), f, logits, seeds.base(5), 4_000)
    assert result.is_biased == seen
    assert np.argmax(np.abs(result.z_scores)) == 0 or not seen


def test_measure_of_an_estimator_without_variance_does_not_divide_by_zero():
    logits = problems.generic_logits("categorical")
    f = problems.objective("cubic", "categorical")
    result = diagnostics.measure(estimators.get("enumeration"), f, logits, seeds.base(0), 10)
    assert np.all(np.isfinite(result.z_scores)) and not result.is_biased
    assert result.total_variance < 1e-20
    assert result.num_evaluations == 9


def test_measure_refuses_a_single_draw():
    with pytest.raises(ValueError, match="at least 2 draws. Received: num_draws=1"):
        diagnostics.measure(
            estimators.get("reinmax"), lambda z: z[..., 0, 0], tf.zeros([1, 2]), seeds.base(0), 1
        )


def test_measure_compares_with_the_law_that_the_estimator_draws():
    """An estimator of another law is unbiased if it is for the expectation under that law."""

    class Flattened(estimators.Enumeration):
        def law(self, logits):
            return discrete.Categorical(0.5 * logits)

    logits = problems.generic_logits("categorical")
    f = problems.objective("cubic", "categorical")
    result = diagnostics.measure(Flattened(), f, logits, seeds.base(0), 4)
    assert not result.is_biased
    under_softmax = diagnostics.exact_gradient(f, logits).gradient.numpy()
    assert np.abs(result.exact - under_softmax).max() > 1e-2
