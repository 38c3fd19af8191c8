"""Hard concrete: its atoms, its penalty and its gradient, against quadrature over the noise."""

import numpy as np
import pytest
import scipy.special
import scipy.stats
import tensorflow as tf

from tf_discrete import estimators, seeds

LOGITS = np.array([-4.0, -1.6, -0.2, 0.0, 0.5, 3.0])
STRETCHES = [{}, {"temperature": 0.4, "lower": -0.3, "upper": 1.05}]
EDGES = (np.arange(50_000) + 0.5) / 50_000
NOISE = scipy.special.logit(EDGES)


def get(**arguments):
    return estimators.get("hard_concrete", latents="bernoulli", **arguments)


def constants(arguments):
    values = {"temperature": 2 / 3, "lower": -0.1, "upper": 1.1, **arguments}
    return values["temperature"], values["lower"], values["upper"]


def gates(logit, arguments):
    """The gates of all quantiles of the noise, in NumPy."""
    temperature, lower, upper = constants(arguments)
    s = scipy.special.expit((logit + NOISE) / temperature)
    return np.clip(lower + (upper - lower) * s, 0, 1)


@pytest.mark.parametrize("arguments", STRETCHES)
def test_values_are_the_formula(arguments):
    estimator, logits = get(**arguments), tf.fill(NOISE.shape, tf.constant(0.3, tf.float64))
    sample = estimator.sample(logits, NOISE[np.newaxis])
    np.testing.assert_allclose(sample.value[0], gates(0.3, arguments), atol=1e-6)
    np.testing.assert_array_equal(sample.code, sample.value > 0)
    assert sample.log_value is None


@pytest.mark.parametrize("arguments", STRETCHES)
def test_the_penalty_is_the_probability_that_a_gate_is_on(arguments):
    """The closed form of the paper, its gradient, and the probability of z = 1 by symmetry."""
    estimator, logits = get(**arguments), tf.constant(LOGITS)
    on = np.array([(gates(logit, arguments) > 0).mean() for logit in LOGITS])
    np.testing.assert_allclose(estimator.distribution(logits).probs, on, atol=2e-5)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        penalty = estimator.expected_l0(logits)
    assert float(penalty) == pytest.approx(on.sum(), abs=1e-4)
    np.testing.assert_allclose(tape.gradient(penalty, logits), on * (1 - on), atol=2e-5)
    temperature, lower, upper = constants(arguments)
    one = scipy.special.expit(LOGITS - temperature * np.log((1 - lower) / (upper - 1)))
    found = [(gates(logit, arguments) == 1).mean() for logit in LOGITS]
    np.testing.assert_allclose(found, one, atol=2e-5)


def test_the_gates_do_not_follow_the_sigmoid():
    draws, estimator, logits = 50_000, get(), tf.constant(LOGITS)
    sample = estimator.sample(logits, estimator.draw_noise(seeds.base(0), logits, draws))
    frequency = sample.code.numpy().mean(axis=0)
    for p, agrees in ((estimator.distribution(logits).probs, True), (tf.sigmoid(logits), False)):
        z = np.abs(frequency - p.numpy()) / np.sqrt(p.numpy() * (1 - p.numpy()) / draws)
        assert (z.max() < 5.5) == agrees


def test_the_gradient_is_exact_for_the_relaxed_problem():
    """The mean over all noise of the pathwise gradient of z^2 is the derivative of the mean of z^2."""
    estimator, step = get(), 1e-4
    for logit in LOGITS:
        tiled = tf.fill(NOISE.shape, tf.constant(logit))
        with tf.GradientTape() as tape:
            tape.watch(tiled)
            value = tf.reduce_mean(estimator.sample(tiled, NOISE[np.newaxis]).value ** 2)
        found = tf.reduce_sum(tape.gradient(value, tiled))
        above, below = ((gates(logit + s, {}) ** 2).mean() for s in (step, -step))
        assert float(found) == pytest.approx((above - below) / (2 * step), abs=1e-5)


def test_a_cold_gate_is_a_bit():
    estimator, logits = get(temperature=1e-4), tf.constant(LOGITS)
    np.testing.assert_allclose(
        estimator.distribution(logits).probs, scipy.special.expit(LOGITS), atol=1e-3
    )
    value = estimator.sample(logits, estimator.draw_noise(seeds.base(0), logits, 50)).value
    assert np.isin(value, [0.0, 1.0]).mean() > 0.99


def test_the_gates_after_training():
    estimator = get(lower=-0.2, upper=1.4)
    expected = np.clip(1.6 * scipy.special.expit(LOGITS) - 0.2, 0, 1)
    np.testing.assert_allclose(estimator.expected_gate(LOGITS), expected, atol=1e-7)


@pytest.mark.parametrize(
    "arguments,rule", [({"lower": 0.0}, "lower must be .*0"), ({"upper": 1.0}, "upper must be .*1")]
)
def test_a_stretch_that_cuts_nothing_is_refused(arguments, rule):
    with pytest.raises(ValueError, match=f"{rule}.*Received"):
        get(**arguments)


def test_the_config_keeps_the_stretch():
    again = estimators.deserialize(estimators.serialize(get(lower=-0.3, upper=1.05)))
    assert (again.lower, again.upper) == (-0.3, 1.05)
