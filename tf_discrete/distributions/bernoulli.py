"""Bernoulli latents: N independent bits, one logit each."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from tf_discrete import types
from tf_discrete._internal import fusion
from tf_discrete.distributions import closed_form, inversion, kinds
from tf_discrete.distributions import noise as noise_lib
from tf_discrete.distributions.discrete import Discrete
from tf_discrete.distributions.discrete_values import Axes
from tf_discrete.distributions.masked_logs import times_log_prob
from tf_discrete.distributions.relaxable import Relaxable
from tf_discrete.distributions.relaxed_density import relaxed_bernoulli_logit_log_prob
from tf_discrete.types import Seed, Tensor


@kinds.register
class Bernoulli(Relaxable):
    """N independent binary variables, values 0 and 1.

    Args:
        logits: float [..., N], log-odds of a 1. Computed in at least float32.

    Example:
        >>> q = Bernoulli(tf.zeros([5, 8]))
        >>> round(float(q.kl_divergence(Bernoulli(tf.zeros([8])))[0]), 6)
        0.0
    """

    latents = "bernoulli"
    event_rank = 1
    code_meaning = "bit"

    def __init__(self, logits: Tensor):
        super().__init__(logits)
        if self.logits.shape.rank == 0:
            raise ValueError(
                "Bernoulli logits must be [..., num_variables]. Add the axis of the variables. "
                f"Received: logits.shape={self.logits.shape}"
            )

    @classmethod
    def value_shape(cls, num_variables: int | None, num_categories: int | None) -> Axes:
        return (num_variables,)

    @classmethod
    def sizes_of(cls, logits_shape: Sequence[int | None]) -> tuple[int | None, int | None]:
        (num_variables,) = logits_shape
        return num_variables, 2

    @classmethod
    def check_sizes(cls, num_variables: object, num_categories: object) -> tuple[int, int]:
        sizes = super().check_sizes(num_variables, num_categories)
        if sizes[1] != 2:
            raise ValueError(
                "Bernoulli latents have 2 categories. Set num_categories=2. "
                f"Received: num_categories={num_categories}"
            )
        return sizes

    @classmethod
    def check_logits(cls, shape: Sequence[int | None]) -> None:
        """Refuses logits without an axis for the batch or the variables."""
        if len(shape) < 2:
            raise ValueError(
                "Logits of Bernoulli latents must be [batch, ..., num_variables]. Add the axis that is "
                f"missing. Received: inputs.shape={tuple(shape)}"
            )

    def from_digits(self, digits: Tensor) -> tf.Tensor:
        """Converts bits, int or bool [..., N], to values, float [..., N]."""
        return tf.cast(digits, self.logits.dtype)

    def code(self, value: Tensor) -> tf.Tensor:
        """Converts values, bits or relaxed, to codes, int32 [..., N]."""
        return tf.cast(value > 0.5, tf.int32)

    @classmethod
    def over_categories(cls, value: Tensor) -> tf.Tensor:
        return tf.stack([1.0 - value, value], axis=-1)

    @classmethod
    def from_categories(cls, value: Tensor) -> tf.Tensor:
        return tf.convert_to_tensor(value)[..., 1]

    @classmethod
    def flatten(cls, value: Tensor) -> tf.Tensor:
        return tf.convert_to_tensor(value)

    @property
    def category_log_probs(self) -> tf.Tensor:
        """float [..., N, 2], of a 0 and of a 1."""
        return tf.stack(
            [tf.math.log_sigmoid(-self.logits), tf.math.log_sigmoid(self.logits)], axis=-1
        )

    @property
    def probs(self) -> tf.Tensor:
        """float [..., N], the probability of a 1."""
        return tf.math.sigmoid(self.logits)

    def mode(self) -> tf.Tensor:
        return self.from_digits(self.logits > 0)

    def log_prob(self, value: Tensor) -> tf.Tensor:
        sign = 2.0 * tf.cast(value, self.logits.dtype) - 1.0
        return -tf.reduce_sum(tf.math.softplus(-sign * self.logits), axis=-1)

    def code_log_prob(self, codes: Tensor) -> tf.Tensor:
        one, zero = tf.math.log_sigmoid(self.logits), tf.math.log_sigmoid(-self.logits)
        return _sum_of_either(tf.convert_to_tensor(codes), one, zero)

    def _sample_digits(self, seed: Seed, num_samples: int | Tensor) -> tf.Tensor:
        return inversion.sample_bits(tf.sigmoid(-self.logits), seed, num_samples)

    def multilinear_log_prob(self, value: Tensor) -> tf.Tensor:
        value = tf.cast(value, self.logits.dtype)
        one = times_log_prob(value, tf.math.log_sigmoid(self.logits))
        zero = times_log_prob(1.0 - value, tf.math.log_sigmoid(-self.logits))
        return tf.reduce_sum(one + zero, axis=-1)

    def entropy_per_variable(self) -> tf.Tensor:
        return closed_form.bernoulli_entropy(self.logits)

    def kl_per_variable(self, other: Discrete) -> tf.Tensor:
        return closed_form.bernoulli_kl(self.logits, other.logits)

    def score(self, value: Tensor) -> tf.Tensor:
        """d log q(value) / d logits, float [..., N]: value minus probability."""
        return tf.cast(value, self.logits.dtype) - self.probs

    def weighted_scores(self, codes: Tensor, weights: Tensor) -> tf.Tensor:
        total = tf.reduce_sum(weights, axis=-1)
        chosen = tf.reduce_sum(weights * tf.cast(codes, weights.dtype), axis=-1)
        return chosen - total * tf.stop_gradient(self.probs)

    @staticmethod
    def draw_noise(seed: Seed, shape: Tensor, dtype: tf.DType) -> tf.Tensor:
        """Standard logistic noise."""
        return noise_lib.logistic(seed, shape, dtype)

    def harden(self, noise: Tensor) -> tf.Tensor:
        return self.from_digits(self.logits + noise > 0)

    def relax(self, noise: Tensor, temperature: Tensor) -> tf.Tensor:
        """logit(z) of the relaxed sample that logistic noise makes, [..., N], reparameterised."""
        return (self.logits + noise) / types.cast(temperature, self.logits.dtype)

    @staticmethod
    def to_simplex(log_value: Tensor) -> tf.Tensor:
        return tf.sigmoid(log_value)

    def relaxed_log_prob(self, log_value: Tensor, temperature: Tensor) -> tf.Tensor:
        log_prob = relaxed_bernoulli_logit_log_prob(log_value, self.logits, temperature)
        return tf.reduce_sum(log_prob, axis=-1)

    @staticmethod
    def draw_conditional_noise(seed: Seed, shape: Tensor, dtype: tf.DType) -> tf.Tensor:
        """Uniform noise in (0, 1)."""
        return noise_lib.open_uniform(seed, shape, dtype)

    def condition(self, noise: Tensor, value: Tensor) -> tf.Tensor:
        return noise_lib.condition_logistic(noise, self.logits, value)

    def probs_at(self, logits: Tensor) -> tf.Tensor:
        certain = tf.cast(self.logits > 0, self.logits.dtype)
        return tf.where(tf.math.is_finite(self.logits), tf.sigmoid(logits), certain)

    @staticmethod
    def jacobian_product(probs: Tensor, upstream: Tensor) -> tf.Tensor:
        return probs * (1.0 - probs) * upstream

    def centre(self) -> tf.Tensor:
        return tf.fill(tf.shape(self.logits), tf.cast(0.5, self.logits.dtype))

    def halfway_logits(self, value: Tensor) -> tf.Tensor:
        one = tf.math.log1p(self.probs) - tf.math.log_sigmoid(-self.logits)
        zero = tf.math.log_sigmoid(self.logits) - tf.math.log1p(tf.sigmoid(-self.logits))
        return tf.where(value > 0.5, one, zero)

    def with_lead(self, value: Tensor, lead: float) -> tf.Tensor:
        """Moves the logit to the side of `value`, and there to at least `lead` from 0."""
        sign = 2.0 * value - 1.0
        target = sign * tf.maximum(sign * self.logits, lead)
        certain = ~tf.math.is_finite(self.logits)
        return tf.where(certain, tf.zeros_like(self.logits), target - self.logits)


@fusion.part
def _sum_of_either(bits: tf.Tensor, one: tf.Tensor, zero: tf.Tensor) -> tf.Tensor:
    """Sum over N of one [..., N] where a bit of [*A, ..., N] is 1, else of zero."""
    return tf.reduce_sum(tf.where(bits > 0, one, zero), axis=-1)
