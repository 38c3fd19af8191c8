"""Tiny models of structured prediction, and the exact sums over their latents."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tf_discrete.models import StructuredPrediction

LATENTS = {
    "categorical": {"num_variables": (2, 1), "num_categories": 3},
    "bernoulli": {"num_variables": (2, 3), "num_categories": 2, "latents": "bernoulli"},
}


def make(latents="categorical", spread=0.8, **changes):
    """A tiny model with weights far from their start."""
    model = StructuredPrediction(**{"data_shape": (6,), **LATENTS[latents], **changes})
    random = np.random.RandomState(3)
    for one in [*model.chain.maps, model.head]:
        for variable in one.weights:
            variable.assign(random.normal(scale=spread, size=variable.shape))
    return model


def data(count=4, shape=(6,)):
    return tf.constant(np.random.RandomState(5).uniform(size=[count, *shape]) < 0.4, tf.float32)


def paths(model, x):
    """Of all choices of all layers: log p(z | x) and log p(y | z_L), both [Z, B], differentiable."""
    inputs, outputs = model.parts.split(x)
    log_prior, z = tf.zeros([1, len(inputs)]), inputs[tf.newaxis]
    for depth, layer in enumerate(model.chain.estimators):
        flat = tf.reshape(z, [-1, *z.shape[2:]])
        logits = model.chain.logits(depth, flat)
        logits = tf.reshape(logits, [len(z), len(inputs), *logits.shape[1:]])
        distribution = layer.distribution(logits)
        choices = distribution.enumerate()
        spread = tf.tile(
            choices[:, tf.newaxis, tf.newaxis],
            [1, len(z), len(inputs)] + [1] * distribution.event_rank,
        )
        log_prior = tf.reshape(log_prior + distribution.log_prob(spread), [-1, len(inputs)])
        z = tf.reshape(spread, [-1, len(inputs), *spread.shape[3:]])
    return log_prior, model.likelihood.log_prob(outputs, model.parameters(z)), z


def log_p(model, x):
    """log p(y | x), exactly."""
    log_prior, log_lik, _ = paths(model, x)
    return tf.reduce_logsumexp(log_prior + log_lik, axis=0)
