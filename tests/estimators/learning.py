"""Follows what an estimator learns of itself, and compares the spread of its gradient with another's."""

import keras
import numpy as np
import tensorflow as tf

from tf_discrete import seeds

BATCH, NUM_VARIABLES, NUM_CATEGORIES = 16, 2, 3


class Problem:
    """An objective that depends on the example far more than on z, as log-likelihoods do."""

    def __init__(self, latents):
        random = np.random.RandomState(3)
        shape = [BATCH, NUM_VARIABLES, NUM_CATEGORIES]
        logits = random.normal(size=shape)
        self.logits = tf.constant(
            logits if latents == "categorical" else logits[..., 0], tf.float32
        )
        self.context = tf.constant(random.normal(size=[BATCH, 4]), tf.float32)
        self.offset = -5.0 + 3.0 * tf.tanh(self.context[:, 0]) + 2.0 * self.context[:, 1]
        slopes = random.normal(size=shape)
        self.slopes = tf.constant(
            slopes if latents == "categorical" else slopes[..., 0], tf.float32
        )
        self.axes = [-2, -1] if latents == "categorical" else [-1]

    def objective(self, z):
        linear = tf.reduce_sum(self.slopes * z, axis=self.axes)
        return self.offset + linear + 0.3 * linear**2


def train(estimator, problem, steps=200, learning_rate=0.02, num_samples=None):
    """Trains what the estimator owns by its auxiliary loss alone; returns that loss at each step."""
    optimizer = keras.optimizers.Adam(learning_rate)
    samples = estimator.min_samples if num_samples is None else num_samples
    noise = estimator.draw_noise(seeds.base(0), problem.logits, samples)
    estimator.estimate(problem.objective, problem.logits, noise, context=problem.context)
    variables = estimator.trainable_variables
    if variables:
        optimizer.build(variables)

    @tf.function(autograph=False)
    def step(number):
        noise = estimator.draw_noise(seeds.fold(seeds.base(1), number), problem.logits, samples)
        with tf.GradientTape() as tape:
            auxiliary = estimator.estimate(
                problem.objective, problem.logits, noise, context=problem.context, training=True
            ).auxiliary
            loss = tf.reduce_mean(auxiliary)
        if variables:
            optimizer.apply(tape.gradient(loss, [v.value for v in variables]), variables)
        return loss

    return np.array([float(step(number)) for number in tf.range(steps)])


def gradients(estimator, problem, num_draws=400, num_samples=None, scale=1.0):
    """Independent draws of the gradient for the logits, float64 [draws, batch, ...]."""
    samples = estimator.min_samples if num_samples is None else num_samples

    def draw(number):
        noise = estimator.draw_noise(seeds.fold(seeds.base(2), number), problem.logits, samples)
        with tf.GradientTape() as tape:
            tape.watch(problem.logits)
            value = estimator.estimate(
                problem.objective, problem.logits, noise, context=problem.context
            ).value
        return tape.gradient(value, problem.logits)

    drawn = tf.function(lambda: tf.map_fn(draw, tf.range(num_draws), tf.float32), autograph=False)
    return scale * drawn().numpy().astype(np.float64)


def variance_ratio(one, other, resamples=1000):
    """Total variance of `one` over that of `other`, with its bootstrapped 95 % interval."""
    random = np.random.RandomState(0)
    one, other = one.reshape(len(one), -1), other.reshape(len(other), -1)

    def variances(draws):
        """The total variance of each resample, from how often each draw is in it."""
        count, draws = len(draws), draws - draws.mean(axis=0)
        weights = random.multinomial(count, np.full(count, 1 / count), resamples) / count
        squares, means = weights @ (draws**2).sum(axis=1), weights @ draws
        return (squares - (means**2).sum(axis=1)) * count / (count - 1)

    low, high = np.quantile(variances(one) / variances(other), [0.025, 0.975])
    ratio = one.var(axis=0, ddof=1).sum() / other.var(axis=0, ddof=1).sum()
    return ratio, low, high
