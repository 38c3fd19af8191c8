"""Categorical latents: N independent variables of K categories, their values one-hot."""

from __future__ import annotations

import math
from collections.abc import Sequence

import tensorflow as tf

from tf_discrete import types
from tf_discrete._internal.softmax import softmax
from tf_discrete.distributions import closed_form, kinds
from tf_discrete.distributions import noise as noise_lib
from tf_discrete.distributions.discrete import Discrete
from tf_discrete.distributions.relaxable import Relaxable
from tf_discrete.distributions.relaxed_density import exp_relaxed_categorical_log_prob
from tf_discrete.types import Seed, Tensor


@kinds.register
class Categorical(Relaxable):
    """N independent categorical variables of K categories.

    Args:
        logits: float [..., N, K]; unnormalised, -inf where masked. Computed in at least float32.

    Example:
        >>> q = Categorical(tf.zeros([2, 3, 4]))
        >>> [round(float(h), 4) for h in q.entropy()]   # 3 ln 4 nats
        [4.1589, 4.1589]
    """

    latents = "categorical"

    def __init__(self, logits: Tensor):
        super().__init__(logits)
        if self.logits.shape.rank is not None and self.logits.shape.rank < 2:
            raise ValueError(
                "Categorical logits must be [..., num_variables, num_categories]. Add the axis of the "
                f"variables. Received: logits.shape={self.logits.shape}"
            )
        if self.logits.shape[-1] is not None and self.logits.shape[-1] < 2:
            raise ValueError(
                "A categorical variable needs at least 2 categories on the last axis. "
                f"Received: logits.shape={self.logits.shape}"
            )

    @classmethod
    def check_logits(cls, shape: Sequence[int | None]) -> None:
        """Refuses logits without an axis for the batch, the variables or at least 2 categories."""
        if len(shape) < 3:
            raise ValueError(
                "Logits of categorical latents must be [batch, ..., num_variables, num_categories]. For one "
                "variable put keras.layers.Reshape((1, num_categories)) before the layer. "
                f"Received: inputs.shape={tuple(shape)}"
            )
        if shape[-1] is not None and shape[-1] < 2:
            raise ValueError(
                "A categorical variable needs at least 2 categories on the last axis. For one logit a "
                f"variable set latents='bernoulli'. Received: inputs.shape={tuple(shape)}"
            )

    def from_digits(self, digits: Tensor) -> tf.Tensor:
        """Converts digits int [..., N] to values, float [..., N, K]."""
        return tf.one_hot(digits, tf.shape(self.logits)[-1], dtype=self.logits.dtype)

    @property
    def category_log_probs(self) -> tf.Tensor:
        """float [..., N, K], normalised, -inf where masked."""
        return tf.nn.log_softmax(self.logits)

    @property
    def category_probs(self) -> tf.Tensor:
        """float [..., N, K], the probability of each category."""
        return softmax(self.logits)

    def mode(self) -> tf.Tensor:
        return self.from_digits(tf.argmax(self.logits, axis=-1, output_type=tf.int32))

    def entropy_per_variable(self) -> tf.Tensor:
        return closed_form.categorical_entropy(self.logits)

    def kl_per_variable(self, other: Discrete) -> tf.Tensor:
        return closed_form.categorical_kl(self.logits, other.logits)

    def score(self, value: Tensor) -> tf.Tensor:
        """d log q(value) / d logits, float [..., N, K]: one-hot value minus probabilities."""
        return tf.cast(value, self.logits.dtype) - self.probs

    def weighted_scores(self, codes: Tensor, weights: Tensor) -> tf.Tensor:
        total = tf.reduce_sum(weights, axis=-1)
        one_hot = tf.one_hot(codes, self.logits.shape[-1], dtype=weights.dtype)
        chosen = tf.reduce_sum(weights[..., tf.newaxis] * one_hot, axis=-2)
        return chosen - total[..., tf.newaxis] * tf.stop_gradient(self.probs)

    @staticmethod
    def draw_noise(seed: Seed, shape: Tensor, dtype: tf.DType) -> tf.Tensor:
        """Standard Gumbel noise."""
        return noise_lib.gumbel(seed, shape, dtype)

    def harden(self, noise: Tensor) -> tf.Tensor:
        return self.from_digits(tf.argmax(self.logits + noise, axis=-1, output_type=tf.int32))

    def relax(self, noise: Tensor, temperature: Tensor) -> tf.Tensor:
        """log z of the relaxed sample that Gumbel noise makes, [..., N, K], reparameterised."""
        return tf.nn.log_softmax(self._perturbed(noise, temperature))

    def relaxed_value(self, noise: Tensor, temperature: Tensor) -> tf.Tensor:
        return softmax(self._perturbed(noise, temperature))

    @staticmethod
    def to_simplex(log_value: Tensor) -> tf.Tensor:
        return tf.exp(log_value)

    def relaxed_log_prob(self, log_value: Tensor, temperature: Tensor) -> tf.Tensor:
        log_prob = exp_relaxed_categorical_log_prob(log_value, self.logits, temperature)
        return tf.reduce_sum(log_prob, axis=-1)

    @staticmethod
    def draw_conditional_noise(seed: Seed, shape: Tensor, dtype: tf.DType) -> tf.Tensor:
        """Standard Gumbel noise."""
        return noise_lib.gumbel(seed, shape, dtype)

    def condition(self, noise: Tensor, value: Tensor) -> tf.Tensor:
        return noise_lib.condition_gumbel(noise, self.logits, value)

    def probs_at(self, logits: Tensor) -> tf.Tensor:
        allowed = tf.math.is_finite(self.logits)
        return softmax(tf.where(allowed, logits, tf.cast(-float("inf"), logits.dtype)))

    @staticmethod
    def jacobian_product(probs: Tensor, upstream: Tensor) -> tf.Tensor:
        inner = tf.reduce_sum(probs * upstream, axis=-1, keepdims=True)
        return probs * (upstream - inner)

    def centre(self) -> tf.Tensor:
        allowed = tf.cast(tf.math.is_finite(self.logits), self.logits.dtype)
        return allowed / tf.reduce_sum(allowed, axis=-1, keepdims=True)

    def halfway_logits(self, value: Tensor) -> tf.Tensor:
        chosen = tf.math.log1p(self.category_probs)
        return tf.where(value > 0.5, chosen, self.category_log_probs) - math.log(2.0)

    def with_lead(self, value: Tensor, lead: float) -> tf.Tensor:
        """Lifts the category of `value` to the highest logit, and lowers the others to `lead` below it."""
        top = tf.reduce_max(self.logits, axis=-1, keepdims=True)
        target = tf.where(value > 0.5, top, tf.minimum(self.logits, top - lead))
        allowed = tf.math.is_finite(self.logits)
        return tf.where(allowed, target - self.logits, tf.zeros_like(self.logits))

    def _perturbed(self, noise: Tensor, temperature: Tensor) -> tf.Tensor:
        return (self.logits + noise) / types.cast(temperature, self.logits.dtype)
