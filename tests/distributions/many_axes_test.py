"""Tensors of many axes, in graphs: oneDNN's softmax, which some processors use, takes at most five."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tf_discrete import distributions, estimators, functional, likelihoods, seeds

LEAD = (2, 1, 2, 1, 2)
LOGITS = tf.random.stateless_normal([*LEAD, 3, 4], [0, 1])


def flat(x: tf.Tensor) -> np.ndarray:
    return np.reshape(x, [-1, *x.shape[-2:]])


@pytest.mark.parametrize("what", ["category_probs", "kl", "entropy", "relax"])
def test_a_categorical_of_many_axes_is_that_of_few(what):
    noise = tf.random.stateless_normal(LOGITS.shape, [0, 2])

    @tf.function
    def found(logits, noise):
        with tf.GradientTape() as tape:
            tape.watch(logits)
            one = distributions.Categorical(logits)
            value = {
                "category_probs": lambda: one.category_probs,
                "kl": lambda: one.kl_per_variable(distributions.Categorical(-logits))[..., None],
                "entropy": lambda: one.entropy_per_variable()[..., None],
                "relax": lambda: one.relaxed_value(noise, tf.constant(0.7)),
            }[what]()
            total = tf.reduce_sum(value**2)
        return value, tape.gradient(total, logits)

    few = found(tf.constant(flat(LOGITS)), tf.constant(flat(noise)))
    for many, wanted in zip(found(LOGITS, noise), few, strict=True):
        np.testing.assert_allclose(flat(many), wanted, rtol=1e-5, atol=1e-6)


def test_what_samples_takes_many_axes():
    seed = seeds.base(0)
    relaxed = tf.function(lambda x: functional.gumbel_softmax(x, seed=seed))(LOGITS)
    np.testing.assert_allclose(tf.reduce_sum(relaxed, -1), np.ones([*LEAD, 3]), rtol=1e-5)
    assert tf.function(distributions.unimix)(LOGITS).shape == LOGITS.shape
    parameters = tf.zeros([2, 2, 2, 2, 1, 256])
    mean = tf.function(likelihoods.get("categorical_intensity").mean)(parameters)
    np.testing.assert_allclose(mean, np.full([2, 2, 2, 2, 1], 0.5), rtol=1e-5)


@pytest.mark.parametrize("name", estimators.names(latents="categorical"))
def test_estimators_take_many_axes(name):
    """Two leading axes for the batch and one for the samples, next to those of the estimator itself."""
    estimator = estimators.get(name)
    logits = tf.random.stateless_normal([2, 2, 1, 2, 3], [0, 3])
    estimator.build(logits.shape, None)

    @tf.function
    def gradient(logits):
        noise = estimator.draw_noise(seeds.base(0), logits, max(2, estimator.min_samples))
        with tf.GradientTape() as tape:
            tape.watch(logits)
            found = estimator.estimate(
                lambda z: tf.reduce_sum(z**2, axis=[-2, -1]), logits, noise, training=False
            )
            total = tf.reduce_sum(found.value)
        return tape.gradient(total, logits)

    assert np.isfinite(gradient(logits)).all()
