"""Directions of embeddings."""

from __future__ import annotations

import tensorflow as tf

from tf_discrete import types
from tf_discrete._internal import checks
from tf_discrete.likelihoods import base
from tf_discrete.likelihoods.registry import register
from tf_discrete.types import Config, Seed, Tensor


@register("cosine_similarity")
class CosineSimilarity(base.Likelihood):
    """Directions of embeddings: log p = concentration * cosine(x, parameters) + constant.

    This is the von Mises-Fisher density up to its normaliser, which depends on the concentration
    alone; bounds are therefore comparable at one concentration only.

    Args:
        concentration: Positive float. Default: 10.0.

    Raises:
        ValueError: The concentration is not positive.

    Example:
        >>> x = tf.constant([[3.0, 4.0]])
        >>> CosineSimilarity(concentration=2.0).log_prob(x, x).numpy().tolist()
        [2.0]
    """

    def __init__(self, concentration: float = 10.0):
        self.concentration = checks.positive("concentration", concentration)

    def log_prob(self, x: Tensor, parameters: Tensor) -> tf.Tensor:
        parameters, x = base.widen(self, parameters, x)
        data_rank = x.shape.rank - 1
        cosine = _normalize(parameters, data_rank) * _normalize(x, data_rank)
        return self.concentration * base.sum_data(cosine, x)

    def mean(self, parameters: Tensor) -> tf.Tensor:
        parameters = types.at_least_float32(parameters)
        return _normalize(parameters, parameters.shape.rank - 1)

    def sample(self, parameters: Tensor, seed: Seed) -> tf.Tensor:
        return self.mean(parameters)

    def get_config(self) -> Config:
        return {"concentration": self.concentration}


def _normalize(values: tf.Tensor, data_rank: int) -> tf.Tensor:
    return tf.math.l2_normalize(values, axis=list(range(-data_rank, 0)))
