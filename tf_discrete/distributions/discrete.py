"""The interface of a kind of discrete latents.

A kind is a class: N independent variables of K categories each, with the logits as its parameters.
Everything that depends on the kind is a method of it, so no caller asks which kind it has. Logits are
unnormalised or log-odds; a category that they rule out (a logit of -inf) is never sampled, has
probability 0, and every quantity and its gradient stay finite. The KL is infinite only where the posterior
allows what the prior masks.

To add a kind, write a subclass of `Discrete` in a module of its own, decorate it with `kinds.register`, and
test it. Only `category_log_probs` is needed for values that are one-hot; `score` is worth a closed form.
"""

from __future__ import annotations

import abc
import math

import tensorflow as tf

from tf_discrete import types
from tf_discrete._internal import fusion
from tf_discrete.distributions import inversion, noise
from tf_discrete.distributions.configurations import joint_configurations
from tf_discrete.distributions.discrete_values import DiscreteValues
from tf_discrete.distributions.masked_logs import finite, times_log_prob, x_times_log
from tf_discrete.types import Seed, Tensor


class Discrete(DiscreteValues, abc.ABC):
    """N independent discrete variables, by their logits.

    Unless a subclass says otherwise, a value is one-hot, [..., N, K], and the logits have the same shape. In
    all methods `other` is of the same kind as `self`.

    Args:
        logits: float [..., *logits_shape]. Computed in at least float32.

    Attributes:
        takes_parameters: Bool, whether the name of the kind goes on with parameters, as "tree:8,8" does.
    """

    takes_parameters = False

    def __init__(self, logits: Tensor):
        self.logits = types.floats("logits", logits)

    @classmethod
    def with_parameters(cls, parameters: str) -> type[Discrete]:
        """Returns the kind with the parameters that follow a colon in its name; "" for none."""
        if parameters:
            raise ValueError(
                f"{cls.latents} latents take no parameters. Set latents={cls.latents!r}. "
                f"Received: latents={f'{cls.latents}:{parameters}'!r}"
            )
        return cls

    @classmethod
    def formulas(cls) -> str:
        """Returns the name of the kind whose formulas an estimator uses that has one for each kind."""
        return cls.latents

    # Values and codes.

    def from_digits(self, digits: Tensor) -> tf.Tensor:
        """Converts digits int [..., N] to values, float [..., *value_shape].

        These are the digits of `digits`, the variables that estimators see.
        """
        _, num_categories = self.sizes_of(tuple(self.logits.shape[-self.event_rank :]))
        return tf.one_hot(digits, num_categories, dtype=self.logits.dtype)

    def one_hot(self, code: Tensor) -> tf.Tensor:
        """Converts codes int [..., N] to values, float [..., *value_shape]."""
        return self.from_digits(self.digits(code))

    def code(self, value: Tensor) -> tf.Tensor:
        """Converts values, one-hot or relaxed, to codes, `code_dtype` [..., N]."""
        return tf.argmax(value, axis=-1, output_type=tf.int32)

    # Probabilities.

    @property
    @abc.abstractmethod
    def category_log_probs(self) -> tf.Tensor:
        """log q of each category, float [..., N, K]; -inf where masked."""

    @property
    def category_probs(self) -> tf.Tensor:
        """q of each category, float [..., N, K]."""
        return tf.exp(self.category_log_probs)

    @property
    def code_probs(self) -> tf.Tensor:
        """q of each code of each variable, float [..., N, K]; of trees the only tensor with an axis of K."""
        return self.category_probs

    @property
    def probs(self) -> tf.Tensor:
        """Returns the mean of a value, float [..., *value_shape]."""
        return self.category_probs

    def sample(self, seed: Seed, num_samples: int | Tensor) -> tf.Tensor:
        """Samples values, float [num_samples, ..., *value_shape]: those of `sample_codes`."""
        return self.from_digits(self._sample_digits(seed, num_samples))

    def sample_codes(self, seed: Seed, num_samples: int | Tensor) -> tf.Tensor:
        """Samples codes, `code_dtype` [num_samples, ..., N].

        By inversion; with more than 256 categories, or a number unknown when the graph is built, as the
        largest log-probability plus Gumbel noise.
        """
        return self.join_digits(self._sample_digits(seed, num_samples))

    def _sample_digits(self, seed: Seed, num_samples: int | Tensor) -> tf.Tensor:
        probs = self.category_probs
        if probs.shape[-1] is not None and probs.shape[-1] <= inversion.MAX_CATEGORIES:
            return inversion.sample(probs, seed, num_samples)
        log_probs = self.category_log_probs
        shape = tf.concat([[num_samples], tf.shape(log_probs)], axis=0)
        perturbed = log_probs + noise.gumbel(seed, shape, log_probs.dtype)
        return tf.argmax(perturbed, axis=-1, output_type=tf.int32)

    def mode(self) -> tf.Tensor:
        """Returns the most probable value, float [..., *value_shape]."""
        return self.from_digits(tf.argmax(self.category_log_probs, axis=-1, output_type=tf.int32))

    def log_prob(self, value: Tensor) -> tf.Tensor:
        """log q(value) in nats, [...]."""
        log_probs = self.category_log_probs
        chosen = self.over_categories(tf.cast(value, log_probs.dtype)) > 0.5
        return tf.reduce_sum(tf.where(chosen, log_probs, tf.zeros_like(log_probs)), axis=[-2, -1])

    def code_log_prob(self, codes: Tensor) -> tf.Tensor:
        """log q(codes) in nats, [*A, ...]: `log_prob` of the values of codes int [*A, ..., N].

        Example:
            >>> from tf_discrete.distributions import Categorical
            >>> distribution = Categorical(tf.math.log([[0.2, 0.8]]))
            >>> round(float(distribution.code_log_prob([1])), 4)   # log 0.8
            -0.2231
        """
        digits = tf.convert_to_tensor(self.digits(codes))
        return _sum_at(self.category_log_probs, digits)

    def multilinear_log_prob(self, value: Tensor) -> tf.Tensor:
        """log q(value), [...], continued from the corners linearly in each variable.

        Straight-through estimators read its gradient for the value.

        Example:
            >>> from tf_discrete.distributions import Categorical
            >>> distribution = Categorical(tf.math.log([[0.2, 0.8]]))
            >>> round(float(distribution.multilinear_log_prob([[0.0, 1.0]])), 4)   # log 0.8
            -0.2231
        """
        log_probs = self.category_log_probs
        weights = self.over_categories(tf.cast(value, log_probs.dtype))
        return tf.reduce_sum(times_log_prob(weights, log_probs), axis=[-2, -1])

    def score(self, value: Tensor) -> tf.Tensor:
        """d log q(value) / d logits for each value, [..., *logits_shape]."""
        logits, rank = tf.stop_gradient(self.logits), self.event_rank
        lead = tf.broadcast_dynamic_shape(tf.shape(value)[:-rank], tf.shape(logits)[:-rank])
        logits = tf.broadcast_to(logits, tf.concat([lead, tf.shape(logits)[-rank:]], axis=0))
        with tf.GradientTape() as tape:
            tape.watch(logits)
            log_prob = type(self)(logits).log_prob(value)
        return tape.gradient(log_prob, logits)

    def weighted_scores(self, codes: Tensor, weights: Tensor) -> tf.Tensor:
        """Sums weight * d log q / d logits over codes, of the shape of the logits, without a gradient.

        Args:
            codes: int32 [..., N, M], M categories of each variable.
            weights: float [..., N, M].
        """
        fixed = type(self)(tf.stop_gradient(self.logits))
        total = tf.zeros_like(fixed.logits)
        for member in range(codes.shape[-1]):
            weight = weights[..., member]
            for _ in range(self.event_rank - 1):
                weight = weight[..., tf.newaxis]
            total += weight * fixed.score(fixed.from_digits(codes[..., member]))
        return total

    def probs_vjp(self, upstream: Tensor) -> tf.Tensor:
        """d (upstream . probs) / d logits, of the shape of the logits, without a gradient."""
        logits = tf.stop_gradient(self.logits)
        with tf.GradientTape() as tape:
            tape.watch(logits)
            probs = type(self)(logits).probs
        return tape.gradient(probs, logits, upstream)

    def enumerate(self) -> tf.Tensor:
        """Lists all joint configurations, float [K**N, *value_shape], the last variable fastest.

        Raises:
            ValueError: There are more than `configurations.MAX_CONFIGURATIONS`.
        """
        return self.from_digits(joint_configurations(*self.static_sizes(self.logits)))

    def entropy_per_variable(self) -> tf.Tensor:
        """Entropy of each variable in nats, [..., N]."""
        return -tf.reduce_sum(x_times_log(self.category_probs, self.category_log_probs), axis=-1)

    def kl_per_variable(self, other: Discrete) -> tf.Tensor:
        """Returns KL(self || other) of each variable in nats, [..., N]; +inf where `other` masks too much."""
        log_q, log_p, probs = self.category_log_probs, other.category_log_probs, self.category_probs
        shape = tf.broadcast_dynamic_shape(tf.shape(log_q), tf.shape(log_p))
        log_p = tf.broadcast_to(log_p, shape)
        kl = tf.reduce_sum(x_times_log(probs, finite(log_q) - finite(log_p)), axis=-1)
        outside = (probs > 0) & ~tf.math.is_finite(log_p)
        return tf.where(tf.reduce_any(outside, axis=-1), tf.cast(math.inf, kl.dtype), kl)

    def entropy(self) -> tf.Tensor:
        """Joint entropy in nats, [...]."""
        return tf.reduce_sum(self.entropy_per_variable(), axis=-1)

    def kl_divergence(self, other: Discrete) -> tf.Tensor:
        """Returns KL(self || other), exactly, in nats, [...]: summed over variables, never over the batch."""
        return tf.reduce_sum(self.kl_per_variable(other), axis=-1)


@fusion.part
def _sum_at(log_probs: tf.Tensor, codes: tf.Tensor) -> tf.Tensor:
    """Sum over N of log_probs [..., N, K] at codes [*A, ..., N]."""
    shape = tf.shape(log_probs, tf.int64)
    starts = tf.reshape(tf.range(tf.reduce_prod(shape[:-1])) * shape[-1], shape[:-1])
    places = tf.cast(codes, tf.int64) + starts
    return tf.reduce_sum(tf.gather(tf.reshape(log_probs, [-1]), places), axis=-1)
