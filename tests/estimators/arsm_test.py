"""ARSM against ARM at two categories, against its formula in loops, and against independent samples."""

import numpy as np
import pytest
import tensorflow as tf

from tests.estimators import learning, problems
from tf_discrete import estimators, seeds


def gradient(estimator, f, logits, noise):
    with tf.GradientTape() as tape:
        tape.watch(logits)
        value = estimator.estimate(f, logits, noise).value
    return value, tape.gradient(value, logits)


def test_two_categories_are_arm_draw_by_draw():
    bit = problems.generic_logits("bernoulli", batch=100)
    two = tf.stack([0.3 * bit, 1.3 * bit], axis=-1)
    f = problems.objective("cubic", "bernoulli")
    arsm, arm = estimators.get("arsm"), estimators.get("arm", latents="bernoulli")
    noise = arsm.draw_noise(seeds.base(0), two)
    ours = gradient(arsm, lambda z: f(z[..., 1]), two, noise)[1]
    theirs = gradient(arm, f, bit, tf.exp(noise[..., 1]))[1]
    np.testing.assert_allclose(ours[..., 1], theirs, atol=1e-12)
    np.testing.assert_allclose(ours[..., 0], -theirs, atol=1e-12)
    assert np.abs(theirs).max() > 0.1


def test_the_formula_in_loops():
    f, logits = problems.objective("cubic", "categorical"), problems.generic_logits("categorical")
    estimator = estimators.get("arsm")
    noise = estimator.draw_noise(seeds.base(1), logits, 2)
    point, eye = np.exp(noise), np.eye(3)
    np.testing.assert_allclose(point.sum(axis=-1), 1.0)

    def value(c, j):
        swapped = point.copy()
        swapped[..., [c, j]] = swapped[..., [j, c]]
        return f(tf.constant(eye[np.argmin(np.log(swapped) - logits, axis=-1)])).numpy()

    expected = np.zeros([2, *logits.shape])
    for c in range(3):
        for j in range(3):
            credit = value(c, j) - np.mean([value(m, j) for m in range(3)], axis=0)
            expected[..., c] += credit[..., None] * (1 / 3 - point[..., j])
    asked = []
    drawn = gradient(estimator, lambda z: asked.append(z.shape[0]) or f(z), logits, noise)[1]
    np.testing.assert_allclose(drawn, expected.mean(axis=0), atol=1e-12)
    assert asked == [2, 2 * 3]


def test_variance_against_as_many_independent_samples():
    problem = learning.Problem("categorical")
    ours = learning.gradients(estimators.get("arsm"), problem)
    for baseline in ("none", "leave_one_out"):
        score = estimators.get("score_function", baseline=baseline)
        ratio, low, high = learning.variance_ratio(
            ours, learning.gradients(score, problem, num_samples=4)
        )
        print(f"against {baseline}: {ratio:.3f}, 95 % interval [{low:.3f}, {high:.3f}]")
        assert baseline != "none" or high < 0.5


def test_bits_are_refused():
    with pytest.raises(ValueError, match="ARSM supports categorical latents only.*'bernoulli'"):
        estimators.get("arsm", latents="bernoulli")
