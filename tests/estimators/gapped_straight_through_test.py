"""Gapped straight-through: its formula in NumPy, the properties that the paper asks for, its limits."""

import numpy as np
import pytest
import tensorflow as tf

from tests.estimators import problems
from tf_discrete import estimators, seeds
from tf_discrete.estimators import diagnostics

NAME = "gapped_straight_through"
LATENTS = ("categorical", "bernoulli")


def gradient_of(estimator, logits, noise, f):
    with tf.GradientTape() as tape:
        tape.watch(logits)
        value = estimator.estimate(f, logits, noise).value
    return tape.gradient(value, logits).numpy()


def moved_logits(logits, code, gap):
    """The moved logits of one variable, by the words of the definition."""
    top = max(logits)
    return [top if k == code else min(x, top - gap) for k, x in enumerate(logits)]


def jacobian_vector(logits, weights, temperature):
    p = np.exp((logits - np.max(logits)) / temperature)
    p /= p.sum()
    return p * (weights - p @ weights) / temperature


@pytest.mark.parametrize("temperature,gap", [(1.0, 1.0), (0.5, 0.0), (2.0, 3.0)])
def test_gradient_is_the_definition_in_numpy(temperature, gap):
    estimator = estimators.get(NAME, temperature=temperature, gap=gap)
    logits = np.array([[0.7, -0.4, 0.1], [-1.0, 0.5, 2.5]])
    weights = np.array([[0.3, -1.0, 2.0], [1.5, 0.2, -0.7]])
    for code in np.ndindex(3, 3):
        noise = tf.constant(np.eye(3)[list(code)])[tf.newaxis]
        actual = gradient_of(
            estimator,
            tf.constant(logits),
            noise,
            lambda z: tf.reduce_sum(z * weights, [-2, -1]),
        )
        for n, k in enumerate(code):
            moved = moved_logits(logits[n], k, gap)
            # What the paper asks of the moves: the draw leads, by the gap at least.
            assert np.argmax(moved) == k or gap == 0
            assert moved[k] - max(np.delete(moved, k)) >= gap - 1e-12
            expected = jacobian_vector(moved, weights[n], temperature)
            np.testing.assert_allclose(actual[n], expected, atol=1e-12)


@pytest.mark.parametrize("latents", LATENTS)
def test_is_straight_through_where_the_draw_leads_by_the_gap(latents):
    """Draw by draw: equal at the mode with a wide margin, different at every other draw."""
    categorical = latents == "categorical"
    logits = tf.constant([[0.0, 2.0, -1.0], [3.0, 0.5, 1.0]] if categorical else [2.0, -1.5])
    ours = estimators.get(NAME, temperature=0.7, gap=1.0, latents=latents)
    theirs = estimators.get("straight_through", temperature=0.7, latents=latents)
    f = problems.objective("network", latents, tf.float32)
    distribution = ours.distribution(logits)
    for configuration in distribution.enumerate():
        gradients = [gradient_of(e, logits, configuration[tf.newaxis], f) for e in (ours, theirs)]
        at_mode = (
            distribution.code(configuration) == distribution.code(distribution.mode())
        ).numpy()
        same = np.isclose(*gradients, atol=1e-7)
        assert (same.all(-1) if categorical else same)[at_mode].all()
        assert not (same.all(-1) if categorical else same)[~at_mode].any()


@pytest.mark.parametrize("latents", LATENTS)
def test_a_wide_gap_leaves_no_gradient(latents):
    logits, f = problems.generic_logits(latents), problems.objective("network", latents)
    norms = []
    for gap in (0.0, 1.0, 3.0, 10.0, 50.0):
        estimator = estimators.get(NAME, gap=gap, latents=latents)
        norms.append(np.linalg.norm(diagnostics.expected_gradient(estimator, f, logits).gradient))
    assert norms == sorted(norms, reverse=True)
    assert norms[0] > 0.1 and norms[-1] < 1e-15


@pytest.mark.parametrize("gap", [0.0, 1.0, 2.0])
def test_two_categories_are_a_bernoulli_variable_draw_by_draw(gap):
    bernoulli = problems.generic_logits("bernoulli", batch=4)
    categorical = tf.stack([tf.zeros_like(bernoulli), bernoulli], axis=-1)
    f = problems.objective("network", "bernoulli")
    one = estimators.get(NAME, gap=gap, latents="bernoulli")
    bits = one.draw_noise(seeds.base(0), bernoulli, 3)
    pair = gradient_of(
        estimators.get(NAME, gap=gap),
        categorical,
        tf.stack([1.0 - bits, bits], axis=-1),
        lambda z: f(z[..., 1]),
    )
    np.testing.assert_allclose(pair[..., 1], gradient_of(one, bernoulli, bits, f), atol=1e-12)


@pytest.mark.parametrize("latents", LATENTS)
def test_varies_less_than_straight_through_gumbel_softmax(latents):
    f, logits = problems.objective("network", latents), problems.generic_logits(latents, batch=1)
    variance = [
        diagnostics.measure(
            estimators.get(name, temperature=0.5, latents=latents), f, logits, seeds.base(0), 10_000
        ).total_variance
        for name in (NAME, "straight_through_gumbel_softmax")
    ]
    assert variance[0] < 0.8 * variance[1]


def test_masked_and_extreme_logits():
    logits = tf.constant([[0.3, -np.inf, -0.2], [50.0, -50.0, 0.0]])
    for temperature in (1e-3, 1.0):
        estimator = estimators.get(NAME, temperature=temperature)
        f = problems.objective("network", "categorical", tf.float32)
        for code in ((0, 0), (2, 1), (0, 2)):
            gradient = gradient_of(estimator, logits, tf.one_hot([code], 3), f)
            assert np.isfinite(gradient).all() and gradient[0, 1] == 0


def test_the_config_keeps_the_gap():
    estimator = estimators.get(NAME, gap=2.5, temperature=0.3)
    again = estimators.deserialize(estimators.serialize(estimator))
    assert (again.gap, float(again.temperature.value)) == (2.5, pytest.approx(0.3))


@pytest.mark.parametrize("gap", [-0.1, float("nan")])
def test_a_negative_gap_is_refused(gap):
    with pytest.raises(ValueError, match=f"gap must be a finite number >= 0. Received: gap={gap}"):
        estimators.get(NAME, gap=gap)
