"""Straight-through: the gradient of softmax(logits / temperature), whatever was drawn."""

import numpy as np
import pytest
import tensorflow as tf

from tests.estimators import problems
from tf_discrete import estimators, seeds
from tf_discrete.schedules import Linear, scheduled_values


@pytest.mark.parametrize("latents", ["categorical", "bernoulli"])
def test_gradient_is_that_of_the_mean_for_every_draw(latents):
    estimator = estimators.StraightThrough(temperature=0.5, latents=latents)
    logits = problems.generic_logits(latents)
    noise = estimator.draw_noise(seeds.base(0), logits, 4)
    upstream = tf.constant(np.random.RandomState(0).normal(size=noise.shape))
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(logits)
        sample = estimator.sample(logits, noise)
        ours = tf.reduce_sum(upstream * sample.value)
        mean = tf.nn.softmax if latents == "categorical" else tf.sigmoid
        plain = tf.reduce_sum(upstream * mean(2 * logits))
    np.testing.assert_array_equal(sample.value, noise)
    np.testing.assert_allclose(
        tape.gradient(ours, logits), tape.gradient(plain, logits), atol=1e-12
    )


@pytest.mark.parametrize("name", ["straight_through", "reinmax"])
def test_a_schedule_changes_the_gradient_of_a_compiled_step(name):
    estimator = estimators.get(name, temperature=Linear(1.0, 3.0, steps=10))
    logits = problems.generic_logits("categorical", tf.float32)
    noise = estimator.draw_noise(seeds.base(0), logits)

    @tf.function(autograph=False)
    def gradient(step):
        for scheduled in scheduled_values(estimator):
            scheduled.update(step)
        with tf.GradientTape() as tape:
            tape.watch(logits)
            value = estimator.sample(logits, noise).value[..., 0]
        return tape.gradient(value, logits)

    for step, temperature in ((0, 1.0), (5, 2.0), (10, 3.0)):
        fixed = estimators.get(name, temperature=temperature)
        with tf.GradientTape() as tape:
            tape.watch(logits)
            value = fixed.sample(logits, noise).value[..., 0]
        np.testing.assert_allclose(
            gradient(tf.constant(step)), tape.gradient(value, logits), atol=1e-6
        )
