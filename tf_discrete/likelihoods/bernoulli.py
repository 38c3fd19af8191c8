"""Independent pixels in {0, 1}."""

from __future__ import annotations

import math

import tensorflow as tf

from tf_discrete import types
from tf_discrete._internal.binary_cross_entropy import bernoulli_log_prob
from tf_discrete.likelihoods import base
from tf_discrete.likelihoods.registry import register
from tf_discrete.types import Seed, Tensor


@register("bernoulli")
class Bernoulli(base.Likelihood):
    """Independent pixels in {0, 1}; the parameters are logits.

    Pixels in between are taken as expectations of bits (binary cross-entropy), as much of the
    literature does; then the bound is not that of a density.

    Example:
        >>> x = tf.ones([2, 28, 28, 1])
        >>> Bernoulli().log_prob(x, tf.zeros([5, 2, 28, 28, 1])).shape   # 5 samples
        TensorShape([5, 2])
    """

    support = (0.0, 1.0)
    density = False

    def log_prob(self, x: Tensor, parameters: Tensor) -> tf.Tensor:
        wide, x = base.widen(self, parameters, x)
        given = tf.convert_to_tensor(parameters)
        # Floats of 16 bits are widened where they are read.
        logits = given if given.dtype.is_floating else wide
        size = math.prod(x.shape[1:]) if x.shape[1:].is_fully_defined() else -1
        lead = tf.shape(logits)[: 1 + logits.shape.rank - x.shape.rank]
        flat = tf.reshape(logits, tf.concat([lead, [size]], axis=0))
        return bernoulli_log_prob(flat, tf.reshape(x, [tf.shape(x)[0], size]))

    def mean(self, parameters: Tensor) -> tf.Tensor:
        return tf.sigmoid(types.at_least_float32(parameters))

    def sample(self, parameters: Tensor, seed: Seed) -> tf.Tensor:
        probs = self.mean(parameters)
        uniform = tf.random.stateless_uniform(tf.shape(probs), seed, dtype=probs.dtype)
        return tf.cast(uniform < probs, probs.dtype)
