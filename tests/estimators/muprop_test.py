"""MuProp: no variance for linear objectives, less than without its control variate, safe to nest."""

import numpy as np
import pytest
import tensorflow as tf

from tests.estimators import learning, problems
from tf_discrete import estimators, seeds
from tf_discrete.estimators import diagnostics


def gradients(estimator, f, logits, draws):
    tiled = tf.broadcast_to(logits, [draws, *logits.shape])
    noise = estimator.draw_noise(seeds.base(0), tiled)
    with tf.GradientTape() as tape:
        tape.watch(tiled)
        value = estimator.estimate(f, tiled, noise).value
    return tape.gradient(value, tiled)


@pytest.mark.parametrize("latents", ["categorical", "bernoulli"])
def test_every_draw_is_the_exact_gradient_of_a_linear_objective(latents):
    random = np.random.RandomState(0)
    logits = problems.generic_logits(latents)
    slopes = tf.constant(random.normal(size=logits.shape[1:]))
    axes = list(range(-len(slopes.shape), 0))

    def f(z):
        return 3.0 + tf.reduce_sum(slopes * z, axis=axes)

    truth = diagnostics.exact_gradient(f, logits, latents).gradient
    drawn = gradients(estimators.get("muprop", latents=latents), f, logits, 50)
    np.testing.assert_allclose(drawn, np.broadcast_to(truth, drawn.shape), atol=1e-12)


@pytest.mark.parametrize("latents", ["categorical", "bernoulli"])
def test_a_draw_is_the_formula(latents):
    estimator = estimators.get("muprop", latents=latents)
    f, logits = problems.objective("network", latents), problems.generic_logits(latents)
    distribution, z = estimator.distribution(logits), estimator.draw_noise(seeds.base(0), logits)
    m = distribution.probs
    with tf.GradientTape() as tape:
        tape.watch(m)
        at_mean = f(m)
    slope = tape.gradient(at_mean, m)
    axes = list(range(-estimator.event_rank, 0))
    tangent = at_mean + tf.reduce_sum(slope * (z - m), axis=axes)
    credit = (f(z) - tangent).numpy().reshape([3] + [1] * estimator.event_rank)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        mean = tf.reduce_sum(slope * estimator.distribution(logits).probs)
    expected = credit * distribution.score(z)[0] + tape.gradient(mean, logits)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        value = estimator.estimate(f, logits, z).value
    np.testing.assert_allclose(tape.gradient(value, logits), expected, atol=1e-12)


@pytest.mark.parametrize("latents", ["categorical", "bernoulli"])
def test_variance_against_no_baseline(latents):
    problem = learning.Problem(latents)
    ours = learning.gradients(estimators.get("muprop", latents=latents), problem)
    plain = estimators.get("score_function", latents=latents, baseline="none")
    ratio, low, high = learning.variance_ratio(ours, learning.gradients(plain, problem))
    print(f"variance ratio {ratio:.3f}, 95 % interval [{low:.3f}, {high:.3f}]")
    assert high < 0.2


@pytest.mark.parametrize("latents", ["categorical", "bernoulli"])
def test_a_baseline_makes_the_variance_of_a_residual_with_a_mean_smaller(latents):
    problem = learning.Problem(latents)
    estimator = estimators.get("muprop", latents=latents)
    learning.train(estimator, problem, steps=50)
    centred = learning.gradients(estimator, problem)
    plain = learning.gradients(estimators.get("muprop", latents=latents, baseline="none"), problem)
    ratio, low, high = learning.variance_ratio(centred, plain)
    print(f"variance ratio {ratio:.3f}, 95 % interval [{low:.3f}, {high:.3f}]")
    assert high < 0.9


def test_the_moving_average_follows_the_mean_residual():
    estimator = estimators.get("muprop")
    f, logits = problems.objective("network", "categorical"), problems.generic_logits("categorical")
    for step in range(3):
        noise = estimator.draw_noise(seeds.fold(seeds.base(0), step), logits, 4)
        estimator.estimate(f, logits, noise, training=True)
    assert float(estimator.baseline.moments.mean) != 0.0


def test_under_variance_normalisation_the_whole_gradient_is_divided():
    f, logits = problems.objective("network", "categorical"), problems.generic_logits("categorical")
    plain = estimators.get("muprop", baseline="none")
    normalized = estimators.get("muprop", baseline="none", variance_normalization=True)
    normalized.spread.update(tf.constant([-3.0, 3.0]))
    noise = plain.draw_noise(seeds.base(0), logits, 2)
    found = []
    for estimator in (plain, normalized):
        with tf.GradientTape() as tape:
            tape.watch(logits)
            value = estimator.estimate(f, logits, noise).value
        found.append(tape.gradient(value, logits))
    np.testing.assert_allclose(found[0], 3.0 * found[1], rtol=1e-6)


def test_what_is_evaluated_at_the_mean_trains_nothing():
    estimator, logits = estimators.get("muprop"), problems.generic_logits("categorical")
    weights = problems.network_weights("categorical")
    noise = estimator.draw_noise(seeds.base(0), logits)
    with tf.GradientTape(persistent=True) as tape:
        value = estimator.estimate(lambda z: problems.network(z, *weights), logits, noise).value
        plain = problems.network(noise, *weights)
    for ours, theirs in zip(
        tape.gradient(value, weights), tape.gradient(plain, weights), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, atol=1e-12)
