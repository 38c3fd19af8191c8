"""The diagnostics against NumPy, finite differences, and estimators whose bias is known by construction."""

import math

import numpy as np
import pytest
import tensorflow as tf

from tests.estimators import problems
from tf_discrete import distributions, estimators, seeds
from tf_discrete.estimators import diagnostics


def test_gradient_samples_differ_repeat_and_do_not_repeat_over_chunks():
    logits = problems.generic_logits("categorical", batch=2)
    f = problems.objective("cubic", "categorical")
    estimator = estimators.get("gumbel_softmax")
    arguments = dict(num_gradients=50, chunk_size=20)
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
    # Two-sided 1e-6 and power 1 - 1e-6 under the normal distribution: 4.892 and 4.753 standard errors.
    assert result.critical_z == pytest.approx(4.8916, abs=1e-3)
    assert result.detectable_bias[0] == pytest.approx((4.8916 + 4.7534) * error, rel=0.01)
    assert (result.num_gradients, result.num_evaluations) == (40_000, 2)
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


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("num_gradients", 1, "num_gradients must be at least 2. Received: num_gradients=1"),
        ("num_gradients", 2.5, "num_gradients must be an integer"),
        ("chunk_size", 0, "chunk_size must be at least 1. Received: chunk_size=0"),
        ("family_wise_error", 0.0, r"must be in \(0, 1\). Received: family_wise_error=0.0"),
    ],
)
def test_measure_refuses_numbers_out_of_range(name, value, message):
    arguments = {"num_gradients": 10, name: value}
    with pytest.raises(ValueError, match=message):
        diagnostics.measure(
            estimators.get("reinmax"),
            lambda z: z[..., 0, 0],
            tf.zeros([1, 2]),
            seeds.base(0),
            **arguments,
        )


def test_measure_compares_with_the_law_that_the_estimator_draws():
    """An estimator with its own distribution is unbiased if it is for the expectation under that one."""

    class Flattened(estimators.Enumeration):
        def distribution(self, logits):
            return distributions.Categorical(0.5 * logits)

    logits = problems.generic_logits("categorical")
    f = problems.objective("cubic", "categorical")
    result = diagnostics.measure(Flattened(), f, logits, seeds.base(0), 4)
    assert not result.is_biased
    under_softmax = diagnostics.exact_gradient(f, logits).gradient.numpy()
    assert np.abs(result.exact - under_softmax).max() > 1e-2
