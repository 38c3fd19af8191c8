"""Exact enumeration: sums by hand, masks, and its limit."""

import numpy as np
import pytest
import tensorflow as tf

from tests.estimators import problems
from tf_discrete import estimators
from tf_discrete.estimators import reductions
from tf_discrete.types import Estimate


def estimate(objective_fn, logits, latents="categorical", **arguments):
    estimator = estimators.Enumeration(latents=latents, **arguments)
    return estimator.estimate(objective_fn, logits, estimator.draw_noise(None, logits))


@pytest.mark.parametrize("latents", ["categorical", "bernoulli"])
def test_value_and_gradient_are_those_of_the_oracle(latents):
    f, logits = problems.objective("network", latents), problems.generic_logits(latents)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        result = estimate(f, logits, latents)
    value, gradient = problems.oracle(f, logits, latents)
    np.testing.assert_allclose(result.value, value, atol=1e-12)
    np.testing.assert_allclose(tape.gradient(result.value, logits), gradient, atol=1e-12)
    assert result.pathwise and result.reduction is reductions.mean
    assert result.per_sample.shape[1:] == [3] and not np.any(result.auxiliary)


def test_a_masked_configuration_has_no_say_even_where_the_objective_is_infinite():
    logits = tf.constant([[0.3, -np.inf, -1.0]])
    table = tf.constant([1.0, np.inf, 3.0])
    with tf.GradientTape() as tape:
        tape.watch(logits)
        value = estimate(lambda z: tf.gather(table, tf.argmax(z[..., 0, :], -1)), logits).value
    p = tf.nn.softmax([0.3, -1.0]).numpy()
    assert float(value) == pytest.approx(p[0] + 3 * p[1])
    slope = 2 * p[0] * p[1]
    np.testing.assert_allclose(tape.gradient(value, logits), [[-slope, 0.0, slope]], rtol=1e-5)


def test_the_auxiliary_loss_of_an_inner_layer_is_weighed_but_not_differentiated():
    """It trains what the inner layer owns and reaches nothing else, the outer logits included."""
    logits = tf.constant([[0.3, -1.0]])
    weight = tf.Variable(2.0)

    def inner(z):
        value = z[..., 0, 0]
        return Estimate(value, weight * (1 + z[..., 0, 1]), value, True, None)

    with tf.GradientTape() as tape:
        tape.watch(logits)
        auxiliary = estimate(inner, logits).auxiliary
    p = tf.nn.softmax(logits[0]).numpy()
    assert float(auxiliary) == pytest.approx(2.0 * (1 + p[1]))
    to_logits, to_weight = tape.gradient(auxiliary, [logits, weight])
    assert to_logits is None or not np.any(to_logits)
    assert float(to_weight) == pytest.approx(1 + p[1])


def test_too_many_configurations_are_refused_with_their_number():
    logits = tf.zeros([2, 5, 4])
    with pytest.raises(
        ValueError, match="makes 1024 configurations jointly.*max_configurations=1000"
    ):
        estimate(lambda z: z[..., 0, 0], logits, max_configurations=1000)
    assert estimate(lambda z: z[..., 0, 0], logits).value.numpy().tolist() == [0.25, 0.25]


def test_more_configurations_than_the_default_if_asked_for():
    value = estimate(
        lambda z: z[..., 0], tf.zeros([11]), "bernoulli", max_configurations=2048
    ).value
    assert float(value) == pytest.approx(0.5)
    config = estimators.Enumeration(max_configurations=2048).get_config()
    assert estimators.Enumeration.from_config(config).max_configurations == 2048


def test_max_configurations_must_be_positive():
    with pytest.raises(ValueError, match="max_configurations must be at least 1.*=0"):
        estimators.Enumeration(max_configurations=0)
