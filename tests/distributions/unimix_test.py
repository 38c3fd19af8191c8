"""A floor under probabilities: values and gradients written out, masks, the ends of the range."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tests.estimators import problems
from tf_discrete import distributions
from tf_discrete.distributions.unimix import unimix
from tf_discrete.layers.stochastic import StochasticLayer

LOGITS = problems.generic_logits("categorical", tf.float64).numpy()


def softmax(logits: np.ndarray) -> np.ndarray:
    exponentials = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


@pytest.mark.parametrize("fraction", [0.0, 0.01, 0.5, 1.0])
def test_the_probabilities_are_mixed(fraction):
    wanted = (1 - fraction) * softmax(LOGITS) + fraction / LOGITS.shape[-1]
    found = unimix(LOGITS, fraction)
    assert found.dtype == tf.float64
    np.testing.assert_allclose(np.exp(found), wanted, rtol=1e-12)
    # Already normalised: the distribution of the result has these probabilities.
    np.testing.assert_allclose(distributions.Categorical(found).probs, wanted, rtol=1e-12)


def test_the_gradient_is_that_of_the_mixture():
    fraction, probs = 0.1, softmax(LOGITS)
    weights = np.random.default_rng(0).normal(size=LOGITS.shape)
    logits = tf.constant(LOGITS)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        total = tf.reduce_sum(weights * unimix(logits, fraction))
    upstream = weights * (1 - fraction) / ((1 - fraction) * probs + fraction / LOGITS.shape[-1])
    wanted = probs * (upstream - (probs * upstream).sum(axis=-1, keepdims=True))
    np.testing.assert_allclose(tape.gradient(total, logits), wanted, rtol=1e-10, atol=1e-14)


def test_straight_through_samples_have_the_gradient_of_the_mixed_probabilities():
    """As in `OneHot` of DreamerV3's outs.py: a one-hot value, and the gradient of the probabilities."""
    logits, probs = tf.constant(LOGITS, tf.float32), softmax(LOGITS)
    weights = np.random.default_rng(0).normal(size=LOGITS.shape).astype(np.float32)
    layer = StochasticLayer("straight_through", seed=0)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        value = layer(unimix(logits), training=True)
        total = tf.reduce_sum(weights * value)
    assert set(np.unique(value)) == {0.0, 1.0} and (np.sum(value, axis=-1) == 1).all()
    wanted = 0.99 * probs * (weights - (probs * weights).sum(axis=-1, keepdims=True))
    np.testing.assert_allclose(tape.gradient(total, logits), wanted, rtol=1e-4, atol=1e-6)


def test_masked_categories_stay_masked_and_are_not_counted():
    logits = tf.constant([[0.3, -np.inf, 900.0, -1.0]])
    with tf.GradientTape() as tape:
        tape.watch(logits)
        found = unimix(logits, 0.3)
        total = tf.reduce_sum(tf.exp(found) * [[1.0, 2.0, 3.0, 4.0]])
    np.testing.assert_allclose(np.exp(found), [[0.1, 0.0, 0.8, 0.1]], rtol=1e-6)
    assert np.isfinite(tape.gradient(total, logits)).all()


def test_the_kl_of_mixed_distributions_is_bounded():
    one, other = tf.constant([[1000.0, 0.0, 0.0]]), tf.constant([[0.0, 1000.0, 0.0]])
    posterior, prior = (
        distributions.Categorical(unimix(one)),
        distributions.Categorical(unimix(other)),
    )
    kl = posterior.kl_per_variable(prior)
    assert 0 < float(kl[0]) < np.log(3 / 0.01)


def test_low_precision_is_computed_in_float32():
    found = unimix(tf.zeros([2, 4], tf.float16))
    np.testing.assert_allclose(found, np.log(np.full([2, 4], 0.25)), rtol=1e-6)
    assert found.dtype == tf.float32


@pytest.mark.parametrize(
    "logits, fraction, message",
    [
        (LOGITS, 1.5, "fraction must be in.*Received: fraction=1.5"),
        (LOGITS, -0.1, "Received: fraction=-0.1"),
        (1.0, 0.1, "num_categories.*Received: logits.shape="),
        ("text", 0.1, "a tensor of numbers"),
    ],
)
def test_bad_arguments(logits, fraction, message):
    with pytest.raises(ValueError, match=message):
        unimix(logits, fraction)
