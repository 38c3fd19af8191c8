"""CARMS summed exactly over its noise, which every stick cuts into the patterns of those that take it."""

import numpy as np
import pytest
import tensorflow as tf

from tests.estimators import coupled_sticks, learning, problems
from tf_discrete import estimators, seeds
from tf_discrete.estimators import copulas, diagnostics


def gradient(estimator, f, logits, noise):
    with tf.GradientTape() as tape:
        tape.watch(logits)
        estimate = estimator.estimate(f, logits, noise)
    return estimate.value.numpy(), tape.gradient(estimate.value, logits).numpy()


def over_patterns(estimator, f, logits):
    """Value and gradient of every pattern of two variables, and the patterns' probabilities."""
    log_probs = estimator.distribution(logits).category_log_probs
    _, shares = copulas.sticks(log_probs)
    one, other = (
        coupled_sticks.all_noise(row, estimator.num_coupled)[:2] for row in shares.numpy()
    )
    pairs = [
        np.repeat(np.arange(len(one[1])), len(other[1])),
        np.tile(np.arange(len(other[1])), len(one[1])),
    ]
    noise = np.stack([one[0][pairs[0]], other[0][pairs[1]]], axis=1)[np.newaxis]
    tiled = tf.broadcast_to(logits, [noise.shape[1], *logits.shape])
    return *gradient(estimator, f, tiled, tf.constant(noise)), one[1][pairs[0]] * other[1][pairs[1]]


@pytest.mark.parametrize(
    "latents,count", [("bernoulli", 2), ("bernoulli", 4), ("categorical", 2), ("categorical", 3)]
)
@pytest.mark.parametrize("objective", ["cubic", "network"])
def test_unbiased_by_enumeration_of_the_patterns(latents, count, objective):
    f, estimator = (
        problems.objective(objective, latents),
        estimators.get("carms", latents=latents, num_coupled=count),
    )
    for logits in problems.generic_logits(latents, batch=2):
        value, drawn, weight = over_patterns(estimator, f, logits)
        truth = diagnostics.exact_gradient(f, logits, latents)
        assert weight.sum() == pytest.approx(1.0)
        assert weight @ value == pytest.approx(float(truth.value), abs=1e-9)
        np.testing.assert_allclose(np.tensordot(weight, drawn, 1), truth.gradient, atol=1e-9)


def test_two_coupled_bits_are_disarm_draw_by_draw():
    f, logits = (
        problems.objective("network", "bernoulli"),
        problems.generic_logits("bernoulli", batch=200),
    )
    estimator = estimators.get("carms", latents="bernoulli", num_coupled=2)
    noise = estimator.draw_noise(seeds.base(0), logits, 3)
    seen = []
    drawn = gradient(estimator, lambda z: seen.append(z) or f(z), logits, noise)[1]
    first, second = seen
    half = (f(first) - f(second))[..., tf.newaxis] / 2
    expected = tf.reduce_mean(half * (first - second) * tf.sigmoid(tf.abs(logits)), axis=0)
    np.testing.assert_allclose(drawn, expected, atol=1e-12)
    # And with the same uniform numbers as DisARM: u of the value that is less probable.
    uniform = copulas.antithetic_uniform(noise)[..., 0, 0]
    disarm = estimators.get("disarm", latents="bernoulli")
    mirrored = tf.where(logits > 0, 1.0 - uniform, uniform)
    np.testing.assert_allclose(drawn, gradient(disarm, f, logits, mirrored)[1], atol=1e-12)


def test_coupled_samples_avoid_one_another():
    """Of ten equal categories two of four independent samples agree in 10 %."""
    estimator, logits = estimators.get("carms"), tf.zeros([4000, 1, 10])
    seen = []
    estimator.estimate(
        lambda z: seen.append(z) or tf.reduce_sum(z[..., 0], -1),
        logits,
        estimator.draw_noise(seeds.base(0), logits),
    )
    agree = tf.reduce_mean(tf.reduce_sum(seen[0] * seen[3], axis=-1))
    assert float(agree) < 0.03


@pytest.mark.parametrize("latents", ["categorical", "bernoulli"])
def test_variance_at_equal_cost_against_independent_samples(latents):
    problem = learning.Problem(latents)
    ours = learning.gradients(estimators.get("carms", latents=latents), problem, 200)
    other = estimators.get("score_function", latents=latents)
    ratio, low, high = learning.variance_ratio(
        ours, learning.gradients(other, problem, 200, num_samples=4)
    )
    print(f"{latents}: {ratio:.3f} [{low:.3f}, {high:.3f}]")
    assert high < 1.0


def test_num_coupled_is_refused_below_2():
    with pytest.raises(ValueError, match="num_coupled must be .*Received: num_coupled=1"):
        estimators.get("carms", num_coupled=1)
