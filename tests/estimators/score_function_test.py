"""The score function with a leave-one-out baseline, against its formula and without a baseline."""

import numpy as np
import tensorflow as tf

from tests.estimators import problems
from tf_discrete import estimators, seeds
from tf_discrete.estimators import diagnostics


def test_gradient_is_the_credit_times_the_score():
    estimator = estimators.ScoreFunction()
    f, logits = problems.objective("cubic", "categorical"), problems.generic_logits("categorical")
    noise = estimator.draw_noise(seeds.base(0), logits, 4)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        estimate = estimator.estimate(f, logits, noise)
    values = f(noise).numpy()
    others = (values.sum(axis=0) - values) / 3
    score = noise.numpy() - tf.nn.softmax(logits).numpy()
    expected = np.mean((values - others)[..., None, None] * score, axis=0)
    np.testing.assert_allclose(tape.gradient(estimate.value, logits), expected, atol=1e-12)
    assert not estimate.pathwise and not np.any(estimate.auxiliary)


def test_an_objective_that_is_constant_has_no_gradient_at_all():
    """What the baseline is for: a million added to every value changes nothing."""
    estimator = estimators.ScoreFunction()
    logits = problems.generic_logits("categorical")
    result = diagnostics.measure(
        estimator,
        lambda z: tf.fill(tf.shape(z)[:-2], tf.constant(1e6, z.dtype)),
        logits,
        seeds.base(0),
        100,
    )
    assert result.total_variance == 0.0 and not np.any(result.mean)


def test_the_baseline_lowers_the_variance_where_the_objective_is_far_from_zero():
    """Against f(z) score(z), whose variance is computed by enumeration."""
    logits = problems.generic_logits("categorical", batch=1)
    cubic = problems.objective("cubic", "categorical")

    def f(z):
        return cubic(z) + 20.0

    estimator = estimators.ScoreFunction()
    result = diagnostics.measure(estimator, f, logits, seeds.base(0), 20_000, num_samples=2)
    law = estimator.law(logits)
    z = law.enumerate()[:, None]
    probability = tf.exp(law.log_prob(z)).numpy()[..., None, None]
    plain = f(z).numpy()[..., None, None] * law.score(z).numpy()
    mean = np.sum(probability * plain, axis=0)
    without = np.sum(probability * (plain - mean) ** 2, axis=0).sum() / 2
    assert result.total_variance < 0.2 * without, f"{result.total_variance} with, {without} without"


def test_variance_falls_with_the_number_of_samples():
    f, logits = problems.objective("cubic", "categorical"), problems.generic_logits("categorical")
    few, many = (
        diagnostics.measure(estimators.ScoreFunction(), f, logits, seeds.base(0), 10_000, samples)
        for samples in (2, 8)
    )
    assert many.total_variance < 0.25 * few.total_variance
    assert not few.is_biased and not many.is_biased
    assert (few.num_evaluations, many.num_evaluations) == (2, 8)
