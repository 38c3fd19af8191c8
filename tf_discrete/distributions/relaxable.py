"""`Relaxable`: the interface of a kind of discrete latents that has a continuous relaxation."""

from __future__ import annotations

import abc

import tensorflow as tf

from tf_discrete.distributions import discrete, kinds
from tf_discrete.types import Seed, Tensor


class Relaxable(discrete.Discrete):
    """A kind whose probabilities are a softmax or sigmoid of its logits, so that it can be relaxed.

    Noise, value and logits have the same shape. A relaxed sample is computed and scored in log space.

    Reference:
        Maddison, Mnih, Teh. The Concrete distribution. 2016. arXiv:1611.00712.
    """

    @staticmethod
    @abc.abstractmethod
    def draw_noise(seed: Seed, shape: Tensor, dtype: tf.DType) -> tf.Tensor:
        """Returns the noise that `harden` and `relax` read, float of a shape."""

    @abc.abstractmethod
    def harden(self, noise: Tensor) -> tf.Tensor:
        """Returns the value that noise makes of the logits; it is a sample."""

    @abc.abstractmethod
    def relax(self, noise: Tensor, temperature: Tensor) -> tf.Tensor:
        """Returns the relaxed sample of the same noise in log space, reparameterised."""

    @staticmethod
    @abc.abstractmethod
    def to_simplex(log_value: Tensor) -> tf.Tensor:
        """Returns the relaxed value of a sample in log space."""

    def relaxed_value(self, noise: Tensor, temperature: Tensor) -> tf.Tensor:
        """Returns `to_simplex` of `relax`, without the sample in log space."""
        return self.to_simplex(self.relax(noise, temperature))

    @abc.abstractmethod
    def relaxed_log_prob(self, log_value: Tensor, temperature: Tensor) -> tf.Tensor:
        """log density of relaxed samples in log space in nats, [...], summed over the variables."""

    @staticmethod
    @abc.abstractmethod
    def draw_conditional_noise(seed: Seed, shape: Tensor, dtype: tf.DType) -> tf.Tensor:
        """Returns the free noise that `condition` reads, float of a shape."""

    @abc.abstractmethod
    def condition(self, noise: Tensor, value: Tensor) -> tf.Tensor:
        """Turns the noise of `draw_conditional_noise` into such as `harden` makes `value` of."""

    def conditional_noise(self, seed: Seed, value: Tensor) -> tf.Tensor:
        """Samples the noise of `draw_noise` given that `harden` makes `value` of it."""
        shape = tf.broadcast_dynamic_shape(tf.shape(self.logits), tf.shape(value))
        return self.condition(self.draw_conditional_noise(seed, shape, self.logits.dtype), value)

    @abc.abstractmethod
    def probs_at(self, logits: Tensor) -> tf.Tensor:
        """Returns the probabilities at other, finite logits; certain where those of `self` are infinite."""

    @staticmethod
    @abc.abstractmethod
    def jacobian_product(probs: Tensor, upstream: Tensor) -> tf.Tensor:
        """The Jacobian of the softmax or sigmoid, at the point where it is `probs`, times a vector."""

    def probs_vjp(self, upstream: Tensor) -> tf.Tensor:
        return self.jacobian_product(tf.stop_gradient(self.probs), upstream)

    @abc.abstractmethod
    def centre(self) -> tf.Tensor:
        """Returns the mean of the uniform distribution over all categories that are not masked."""

    @abc.abstractmethod
    def halfway_logits(self, value: Tensor) -> tf.Tensor:
        """Returns the logits whose probabilities are the mean of `probs` and `value`."""

    @abc.abstractmethod
    def with_lead(self, value: Tensor, lead: float) -> tf.Tensor:
        """Returns the offset of the logits by which `value` leads all others by at least `lead`."""


def get_relaxable(latents: str) -> type[Relaxable]:
    """As `kinds.get`, of a kind that can be relaxed.

    Raises:
        ValueError: No kind has the name, or it has no relaxation.
    """
    cls = kinds.get(latents)
    if not issubclass(cls, Relaxable):
        raise ValueError(
            f"Only {' and '.join(kinds.names(Relaxable))} latents have a relaxation. Choose one of "
            "these, or an estimator and an objective without relaxation. "
            f"Received: latents={latents!r}"
        )
    return cls
