"""Categorical VAEs with few weights, generic ones, and the truth by enumeration."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tf_discrete.models import CategoricalVAE

ARGUMENTS: dict[str, Any] = {
    "data_shape": (4,),
    "num_variables": 2,
    "num_categories": 3,
    "hidden_units": (5,),
}
BERNOULLI = {"latents": "bernoulli", "num_categories": 2}


def make(spread: float = 0.8, **changes: Any) -> CategoricalVAE:
    """A model with weights far from their start, so that nothing is nearly uniform."""
    model = CategoricalVAE(**{**ARGUMENTS, **changes})
    random = np.random.RandomState(3)
    for variable in [*model.encoder.weights, *model.decoder.weights, model.prior.last.logits]:
        if variable.dtype != "int64":
            variable.assign(random.normal(scale=spread, size=variable.shape))
    if not model.prior.last.learned:
        model.prior.last.logits.assign(tf.zeros_like(model.prior.last.logits))
    return model


def data(shape: tuple[int, ...] = (4,), count: int = 6) -> tf.Tensor:
    """Observations of 0 and 1."""
    values = np.random.RandomState(5).uniform(size=[count, *shape]) < 0.4
    return tf.constant(values, tf.float32)


def truth(model: CategoricalVAE, x: tf.Tensor) -> dict[str, np.ndarray]:
    """Over all configurations: log w = log p(x, z) - log q(z | x) [Z, B], q [Z, B] and what follows."""
    posterior, prior = model.posterior(x), model.prior_distribution()
    z = posterior.enumerate()
    spread = tf.repeat(z[:, tf.newaxis], len(x), axis=1)
    log_q = posterior.log_prob(spread)
    log_joint = prior.log_prob(spread) + model.conditional_log_likelihood(x, spread)
    q, log_w = np.exp(log_q.numpy().astype(np.float64)), (log_joint - log_q).numpy()
    log_p = tf.reduce_logsumexp(log_joint, axis=0).numpy()
    relative = np.exp(log_w - log_p)  # w / p(x), whose mean under q is 1.
    return {
        "q": q,
        "log_w": log_w,
        "log_p": log_p,
        "elbo": (q * log_w).sum(0),
        "elbo_variance": (q * log_w**2).sum(0) - (q * log_w).sum(0) ** 2,
        "weight_variance": (q * relative**2).sum(0) - 1,
    }


def compiled(
    model: CategoricalVAE, optimizer: keras.optimizers.Optimizer | None = None, **options: Any
) -> CategoricalVAE:
    """The model, ready for single steps."""
    model.compile(optimizer or keras.optimizers.Adam(0.01), **options)
    model.optimizer.build(model.trainable_variables)
    return model
