"""VIMCO is the leave-one-out score function of the importance-weighted bound, with less variance."""

import numpy as np
import pytest
import tensorflow as tf

from tests.estimators import problems
from tf_discrete import estimators, seeds
from tf_discrete.estimators import diagnostics, expectations, log_mean_exp

SAMPLES = 3


def gradient(estimator, f, logits, noise):
    with tf.GradientTape() as tape:
        tape.watch(logits)
        value = estimator.estimate(f, logits, noise, reduce=log_mean_exp).value
    return value, tape.gradient(value, logits)


@pytest.mark.parametrize("latents", ["categorical", "bernoulli"])
def test_it_is_the_leave_one_out_score_function_draw_by_draw(latents):
    vimco, score = (estimators.get(name, latents=latents) for name in ("vimco", "score_function"))
    f, logits = problems.objective("network", latents), problems.generic_logits(latents)
    noise = vimco.draw_noise(seeds.base(0), logits, SAMPLES)
    for ours, theirs in zip(
        gradient(vimco, f, logits, noise), gradient(score, f, logits, noise), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("replacement", ["geometric", "arithmetic"])
@pytest.mark.parametrize("latents", ["categorical", "bernoulli"])
def test_its_mean_is_the_multi_sample_score_function(latents, replacement):
    """By enumeration of all triples of draws; and both are the gradient of the bound."""
    f, logits = problems.objective("cubic", latents), problems.generic_logits(latents, batch=2)
    vimco = estimators.get("vimco", latents=latents, replacement=replacement)
    plain = estimators.get("score_function", latents=latents, baseline="none")
    ours, theirs = (
        diagnostics.expected_gradient(estimator, f, logits, SAMPLES, reduce=log_mean_exp)
        for estimator in (vimco, plain)
    )
    truth = diagnostics.exact_gradient(f, logits, latents, num_samples=SAMPLES, reduce=log_mean_exp)
    np.testing.assert_allclose(ours.gradient, theirs.gradient, atol=1e-9)
    np.testing.assert_allclose(ours.gradient, truth.gradient, atol=1e-9)


@pytest.mark.parametrize("replacement", ["geometric", "arithmetic"])
def test_its_variance_is_less_than_without_a_baseline(replacement):
    """Exact variances, summed over all triples of draws."""
    f, logits = (
        problems.objective("cubic", "categorical"),
        problems.generic_logits("categorical")[:1],
    )
    noise = expectations._tuples(
        estimators.get("vimco").distribution(logits), tf.cast(logits, tf.float64), SAMPLES
    )
    weight = expectations._probability(estimators.get("vimco").distribution(logits), noise)[
        ..., None, None
    ]

    def total_variance(estimator):
        tiled = tf.broadcast_to(logits, noise.shape[1:])
        drawn = gradient(estimator, f, tiled, noise)[1]
        centre = tf.reduce_sum(weight * drawn, axis=0)
        return float(tf.reduce_sum(weight * (drawn - centre) ** 2))

    plain = total_variance(estimators.get("score_function", baseline="none"))
    assert total_variance(estimators.get("vimco", replacement=replacement)) < 0.6 * plain


def test_the_arithmetic_baseline_is_the_bound_of_the_other_samples():
    values = np.random.RandomState(0).normal(scale=3.0, size=[4, 2])
    baseline = estimators.baselines.LeaveOneOut("arithmetic")
    residual = baseline.residual(tf.constant(values), log_mean_exp, None).numpy()
    whole = np.log(np.exp(values).mean(axis=0))
    for s in range(4):
        others = np.log(np.exp(np.delete(values, s, axis=0)).mean(axis=0))
        np.testing.assert_allclose(residual[s], whole - others, atol=1e-12)
