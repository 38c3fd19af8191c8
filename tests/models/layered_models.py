"""Categorical VAEs of two stochastic layers with few weights."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tf_discrete.models import CategoricalVAE

LATENTS = {
    "categorical": {"num_variables": (2, 1), "num_categories": 3},
    "bernoulli": {"num_variables": (2, 3), "num_categories": 2, "latents": "bernoulli"},
}


def make(latents="categorical", spread=0.8, **changes):
    """A tiny model with weights far from their start."""
    shared = {"data_shape": (4,), "num_layers": None, "hidden_units": (), "activation": "tanh"}
    model = CategoricalVAE(**{**shared, **LATENTS[latents], **changes})
    random = np.random.RandomState(3)
    networks = [*model.chain.maps, model.decoder, *model.prior.maps]
    for variable in [*(v for one in networks for v in one.weights), model.prior.last.logits]:
        variable.assign(random.normal(scale=spread, size=variable.shape))
    if not model.prior.last.learned:
        model.prior.last.logits.assign(tf.zeros_like(model.prior.last.logits))
    return model
