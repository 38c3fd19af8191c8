"""Objectives that are small enough to enumerate, and an oracle in NumPy that shares no code with them."""

from __future__ import annotations

import itertools

import numpy as np
import tensorflow as tf

NUM_VARIABLES, NUM_CATEGORIES = 2, 3
DEGREES = {"none": 0, "linear": 1, "quadratic": 2, "any": 99}
OBJECTIVES = {"linear": 1, "quadratic": 2, "cubic": 3, "network": 4}


def generic_logits(
    latents: str, dtype=tf.float64, batch: int = 3, spread: float = 1.2
) -> tf.Tensor:
    """Logits at several generic points, [batch, N(, K)]."""
    shape = [batch, NUM_VARIABLES, NUM_CATEGORIES]
    values = np.random.RandomState(17).normal(scale=spread, size=shape)
    return tf.constant(values if latents == "categorical" else values[..., 0], dtype)


def objective(name: str, latents: str, dtype=tf.float64):
    """One of OBJECTIVES, as a function of z [..., N(, K)] alone."""
    if name == "network":
        weights = network_weights(latents, dtype)
        return lambda z: network(as_vectors(z, latents), *weights)
    return polynomial(OBJECTIVES[name], latents, dtype)


def polynomial(degree: int, latents: str, dtype=tf.float64):
    """Random and of the given degree in each variable: a sum of two products over the variables.

    The products are the cross terms between variables, which an estimator that draws the variables
    independently takes as coefficients: `exact_for` counts the degree in one variable.
    """
    random = np.random.RandomState(5)
    size = NUM_CATEGORIES if latents == "categorical" else 1
    coefficients = [
        tf.constant(random.normal(size=[2, NUM_VARIABLES] + [size] * order), dtype)
        for order in range(4)
    ]

    def evaluate(z):
        z = as_vectors(z, latents)[..., tf.newaxis, :, :]
        factors = coefficients[0]
        if degree >= 1:
            factors += tf.reduce_sum(coefficients[1] * z, -1)
        if degree >= 2:
            outer = z[..., :, tf.newaxis] * z[..., tf.newaxis, :]
            factors += tf.reduce_sum(coefficients[2] * outer, [-2, -1])
        if degree >= 3:
            outer = outer[..., tf.newaxis] * z[..., tf.newaxis, tf.newaxis, :]
            factors += tf.reduce_sum(coefficients[3] * outer, [-3, -2, -1])
        return tf.reduce_sum(tf.reduce_prod(factors, axis=-1), axis=-1)

    return evaluate


def network(z, hidden, output):
    """A tiny network on vectors [..., N, D]: tanh(z . hidden) . output."""
    activations = tf.tanh(tf.reduce_sum(z[..., tf.newaxis] * hidden, axis=[-3, -2]))
    return tf.reduce_sum(activations * output, axis=-1)


def network_weights(latents: str, dtype=tf.float64) -> list[tf.Variable]:
    random = np.random.RandomState(11)
    size = NUM_CATEGORIES if latents == "categorical" else 1
    hidden = random.normal(scale=1.5, size=[NUM_VARIABLES, size, 4])
    return [
        tf.Variable(tf.constant(hidden, dtype)),
        tf.Variable(tf.constant(random.normal(size=4), dtype)),
    ]


def as_vectors(z, latents: str):
    """[..., N(, K)] as [..., N, D], D = 1 for Bernoulli latents."""
    return z if latents == "categorical" else z[..., tf.newaxis]


def oracle(objective_fn, logits, latents: str) -> tuple[np.ndarray, np.ndarray]:
    """Value and gradient of E f in NumPy: loops over configurations, gradient of log q by hand."""
    logits = np.asarray(logits, np.float64)
    if latents == "bernoulli":
        pairs = np.stack([np.zeros_like(logits), logits], axis=-1)
        probs = np.exp(pairs) / np.exp(pairs).sum(axis=-1, keepdims=True)
    else:
        probs = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    batch, variables, categories = probs.shape
    value, gradient = np.zeros(batch), np.zeros_like(probs)
    for code in itertools.product(range(categories), repeat=variables):
        one_hot = np.eye(categories)[list(code)]
        z = one_hot if latents == "categorical" else one_hot[:, 1]
        f = np.asarray(objective_fn(tf.constant(z[np.newaxis])), np.float64)[0]
        weight = np.prod([probs[:, n, k] for n, k in enumerate(code)], axis=0)
        value += weight * f
        gradient += weight[:, None, None] * f * (one_hot - probs)
    return value, gradient if latents == "categorical" else gradient[..., 1]


def rounding(estimator):
    """Returns by how much a gradient that is exact may differ from the exact one.

    1e-9 in float64, and 1e-6 with a learned baseline: that is a float32 network, and processors round a
    row of its matrix products by the place of the row in the batch.
    """
    return 1e-6 if estimator.trainable_variables else 1e-9
