"""Double control variates: the formula, no variance for linear objectives, a scale that learns."""

import numpy as np
import pytest
import tensorflow as tf

from tests.estimators import learning, problems
from tf_discrete import estimators, seeds
from tf_discrete.estimators import diagnostics

LATENTS = ("categorical", "bernoulli")


def gradient(estimator, f, logits, noise):
    with tf.GradientTape() as tape:
        tape.watch(logits)
        value = estimator.estimate(f, logits, noise).value
    return tape.gradient(value, logits)


@pytest.mark.parametrize("scale", [0.0, 0.7])
@pytest.mark.parametrize("latents", LATENTS)
def test_a_draw_is_the_formula(latents, scale):
    estimator = estimators.get("double_cv", latents=latents, scale=scale)
    f, logits = problems.objective("network", latents), problems.generic_logits(latents)
    distribution, z = estimator.distribution(logits), estimator.draw_noise(seeds.base(0), logits, 3)
    with tf.GradientTape() as tape:
        tape.watch(z)
        values = f(z)
    slopes = tape.gradient(values, z).numpy()
    m, scores, axes = (
        distribution.probs.numpy(),
        distribution.score(z).numpy(),
        tuple(range(2, z.ndim)),
    )
    others = np.stack([np.delete(slopes, s, axis=0).mean(axis=0) for s in range(3)])
    v = values.numpy() - scale * (others * (z.numpy() - m)).sum(axis=axes)
    credit = np.stack([v[s] - np.delete(v, s, axis=0).mean(axis=0) for s in range(3)])
    credit = credit.reshape([3, 3] + [1] * len(axes))
    through_mean = distribution.probs_vjp(others.mean(axis=0))
    expected = (credit * scores).mean(axis=0) + scale * through_mean.numpy()
    np.testing.assert_allclose(gradient(estimator, f, logits, z), expected, atol=1e-12)


@pytest.mark.parametrize("latents", LATENTS)
def test_scale_0_is_the_score_function(latents):
    f, logits = problems.objective("network", latents), problems.generic_logits(latents)
    ours = estimators.get("double_cv", latents=latents, scale=0.0)
    theirs = estimators.get("score_function", latents=latents)
    noise = ours.draw_noise(seeds.base(0), logits, 4)
    np.testing.assert_allclose(
        gradient(ours, f, logits, noise), gradient(theirs, f, logits, noise), atol=1e-12
    )


@pytest.mark.parametrize("latents", LATENTS)
def test_every_draw_is_the_exact_gradient_of_a_linear_objective(latents):
    logits = problems.generic_logits(latents)
    slopes = tf.constant(np.random.RandomState(0).normal(size=logits.shape[1:]))

    def f(z):
        return 3.0 + tf.reduce_sum(slopes * z, axis=list(range(-len(slopes.shape), 0)))

    estimator = estimators.get("double_cv", latents=latents)
    truth = diagnostics.exact_gradient(f, logits, latents).gradient
    for seed in range(3):
        noise = estimator.draw_noise(seeds.base(seed), logits, 2)
        np.testing.assert_allclose(gradient(estimator, f, logits, noise), truth, atol=1e-12)


@pytest.mark.parametrize("scale", [-0.5, 0.3])
@pytest.mark.parametrize("baseline", ["leave_one_out", "none", 2.0])
def test_unbiased_at_every_scale_with_every_baseline(scale, baseline):
    f, logits = problems.objective("network", "bernoulli"), problems.generic_logits("bernoulli")
    estimator = estimators.get("double_cv", latents="bernoulli", scale=scale, baseline=baseline)
    found = diagnostics.expected_gradient(estimator, f, logits, num_samples=3)
    truth = diagnostics.exact_gradient(f, logits, "bernoulli")
    np.testing.assert_allclose(found.gradient, truth.gradient, atol=1e-9)


@pytest.mark.parametrize("latents", LATENTS)
def test_an_objective_without_a_derivative_leaves_the_score_function(latents):
    f, logits = problems.objective("network", latents), problems.generic_logits(latents)
    ours, theirs = (
        estimators.get(name, latents=latents) for name in ("double_cv", "score_function")
    )
    noise = ours.draw_noise(seeds.base(0), logits, 2)
    found = gradient(ours, lambda z: f(tf.round(z)), logits, noise)
    np.testing.assert_allclose(found, gradient(theirs, f, logits, noise), atol=1e-12)


@pytest.mark.parametrize("baseline", ["leave_one_out", "none"])
def test_the_scale_follows_the_gradient_of_the_variance(baseline):
    """The squared gradient, whose mean is the variance up to a constant, by finite differences."""
    f, logits = problems.objective("network", "bernoulli"), problems.generic_logits("bernoulli")
    make = lambda scale: estimators.get(  # noqa: E731
        "double_cv", latents="bernoulli", scale=scale, baseline=baseline
    )
    estimator = make(0.4)
    noise = estimator.draw_noise(seeds.base(0), logits, 3)
    with tf.GradientTape() as tape:
        auxiliary = estimator.estimate(f, logits, noise, training=True).auxiliary
    found = float(tape.gradient(auxiliary, estimator.learned_scale.value))
    powers = [
        float(tf.reduce_sum(tf.square(gradient(make(scale), f, logits, noise))))
        for scale in (0.39, 0.41)
    ]
    assert found == pytest.approx((powers[1] - powers[0]) / 0.02, rel=1e-4)


@pytest.mark.parametrize("latents", LATENTS)
def test_variance_against_the_leave_one_out_score_function(latents):
    problem = learning.Problem(latents)
    estimator = estimators.get("double_cv", latents=latents)
    ours = learning.gradients(estimator, problem, 200)
    other = learning.gradients(estimators.get("score_function", latents=latents), problem, 200)
    ratio, low, high = learning.variance_ratio(ours, other)
    print(f"{latents}: {ratio:.3f} [{low:.3f}, {high:.3f}]")
    assert high < 0.7
