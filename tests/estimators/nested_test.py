"""Estimators in several layers: every one of them nests, and what cannot is refused by name."""

import numpy as np
import tensorflow as tf

from tf_discrete import estimators, seeds

WEIGHTS = tf.random.stateless_normal([3, 3], [1, 2])


def nested(layers, reduce, num_samples=2):
    """Value and gradient for WEIGHTS of three variables with a linear map between two layers."""
    categorical = layers[0].latents == "categorical"
    first = tf.ones([5, 2, 3] if categorical else [5, 3])
    axes = [-2, -1] if categorical else [-1]

    def logits_fn(before):
        if not before:
            return first
        return before[-1] @ WEIGHTS if categorical else tf.linalg.matvec(WEIGHTS, before[-1])

    for layer in layers:
        layer.build(first.shape)
    with tf.GradientTape() as tape:
        tape.watch(WEIGHTS)
        estimate = estimators.nested_estimate(
            layers,
            logits_fn,
            lambda z, logits: tf.reduce_sum(z[-1] * tf.exp(z[0]) + 0.1 * logits[1], axes),
            seeds.base(0),
            num_samples,
            reduce=reduce,
        )
        total = tf.reduce_sum(estimate.value)
    return estimate, tape.gradient(total, WEIGHTS)


def test_three_layers_draw_from_different_seeds():
    """Equal logits in all layers: with shared noise all would draw the same."""
    layers = [estimators.get("score_function") for _ in range(3)]
    seen = []

    def objective(z, logits):
        seen.extend(z)
        assert [one.shape for one in z] == [[400, 1, 1, 3]] * 3
        return tf.zeros(z[-1].shape[:2])

    estimators.nested_estimate(
        layers,
        lambda before: tf.zeros_like(before[-1]) if before else tf.zeros([1, 1, 3]),
        objective,
        seeds.base(3),
        400,
    )
    for one, other in [(0, 1), (1, 2), (0, 2)]:
        agree = float(tf.reduce_mean(tf.reduce_sum(seen[one] * seen[other], axis=-1)))
        assert abs(agree - 1 / 3) < 5 * np.sqrt(2 / 9 / 400)
