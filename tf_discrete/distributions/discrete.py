"""Factored discrete distributions: N independent categorical or Bernoulli variables, exactly.

Logits of the categorical are [..., N, K] (unnormalised), of the Bernoulli [..., N] (log-odds). A
category is masked by a logit of -inf: it is never drawn, has probability 0, and every quantity and its
gradient stay finite. The KL is infinite only where the posterior allows what the prior masks.
"""

from __future__ import annotations

import abc
import itertools
import math
from typing import Any

import tensorflow as tf

from tf_discrete import types
from tf_discrete.distributions import noise
from tf_discrete.types import Seed, Tensor

MAX_CONFIGURATIONS = 65536
"""`enumerate` refuses to list more joint configurations than this."""


class Discrete(abc.ABC):
    """What the two factored distributions share; `other` is always of the same kind as `self`."""

    event_rank: int
    latents: str
    logits: tf.Tensor

    @abc.abstractmethod
    def __init__(self, logits: Tensor): ...

    @property
    @abc.abstractmethod
    def probs(self) -> tf.Tensor:
        """float, of the shape of the logits."""

    @abc.abstractmethod
    def sample(self, seed: Seed, num_samples: int | Tensor) -> tf.Tensor:
        """Draws as values, float [num_samples, ..., N(, K)]."""

    @abc.abstractmethod
    def mode(self) -> tf.Tensor:
        """The most probable value, float [..., N(, K)]."""

    @abc.abstractmethod
    def one_hot(self, code: Tensor) -> tf.Tensor:
        """int [..., N] codes as float [..., N(, K)] values."""

    @abc.abstractmethod
    def code(self, value: Tensor) -> tf.Tensor:
        """float [..., N(, K)] values as int32 [..., N] codes."""

    @abc.abstractmethod
    def log_prob(self, value: Tensor) -> tf.Tensor:
        """log q(value) in nats, [...]."""

    @abc.abstractmethod
    def score(self, value: Tensor) -> tf.Tensor:
        """d log q(value) / d logits, of the shape of `value`."""

    @abc.abstractmethod
    def enumerate(self) -> tf.Tensor:
        """All joint configurations, float [C, N(, K)]."""

    @abc.abstractmethod
    def entropy_per_variable(self) -> tf.Tensor:
        """Entropy of each variable in nats, [..., N]."""

    @abc.abstractmethod
    def kl_per_variable(self, other: Any) -> tf.Tensor:
        """KL(self || other) of each variable in nats, [..., N]."""

    def entropy(self) -> tf.Tensor:
        """Joint entropy in nats, [...]."""
        return tf.reduce_sum(self.entropy_per_variable(), axis=-1)

    def kl_divergence(self, other: Any) -> tf.Tensor:
        """KL(self || other), exactly, in nats, [...]: summed over variables, never over the batch."""
        return tf.reduce_sum(self.kl_per_variable(other), axis=-1)


class Categorical(Discrete):
    """N independent categorical variables of K categories.

    Args:
        logits: float [..., N, K]; unnormalised, -inf where masked. Computed in at least float32.

    Example:
        >>> q = Categorical(tf.zeros([2, 3, 4]))
        >>> [round(float(h), 4) for h in q.entropy()]   # 3 ln 4 nats
        [4.1589, 4.1589]
    """

    event_rank = 2
    latents = "categorical"

    def __init__(self, logits: Tensor):
        self.logits = types.floats("logits", logits)
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

    @property
    def log_probs(self) -> tf.Tensor:
        """float [..., N, K], normalised, -inf where masked."""
        return tf.nn.log_softmax(self.logits)

    @property
    def probs(self) -> tf.Tensor:
        """float [..., N, K], the probability of each category."""
        return tf.nn.softmax(self.logits)

    def sample(self, seed: Seed, num_samples: int) -> tf.Tensor:
        """One-hot draws, float [num_samples, ..., N, K], by the Gumbel-max rule."""
        shape = tf.concat([[num_samples], tf.shape(self.logits)], axis=0)
        gumbel = noise.gumbel(seed, shape, self.logits.dtype)
        return self.one_hot(tf.argmax(self.logits + gumbel, axis=-1, output_type=tf.int32))

    def mode(self) -> tf.Tensor:
        """One-hot of the most probable category, float [..., N, K]."""
        return self.one_hot(tf.argmax(self.logits, axis=-1, output_type=tf.int32))

    def one_hot(self, code: Tensor) -> tf.Tensor:
        """int [..., N] codes as float [..., N, K]."""
        return tf.one_hot(code, tf.shape(self.logits)[-1], dtype=self.logits.dtype)

    def code(self, value: Tensor) -> tf.Tensor:
        """float [..., N, K] values (one-hot or relaxed) as int32 [..., N] codes."""
        return tf.argmax(value, axis=-1, output_type=tf.int32)

    def log_prob(self, value: Tensor) -> tf.Tensor:
        """log q(value) in nats, [...], for one-hot values [..., N, K]."""
        value = tf.cast(value, self.logits.dtype)
        chosen = tf.where(value > 0.5, self.log_probs, tf.zeros_like(self.log_probs))
        return tf.reduce_sum(chosen, axis=[-2, -1])

    def entropy_per_variable(self) -> tf.Tensor:
        """Entropy of each variable in nats, [..., N]."""
        return -tf.reduce_sum(_x_times_log(self.probs, self.log_probs), axis=-1)

    def kl_per_variable(self, other: Any) -> tf.Tensor:
        """KL(self || other) of each variable in nats, [..., N]; +inf where `other` masks too much."""
        log_p = tf.broadcast_to(
            other.log_probs,
            tf.broadcast_dynamic_shape(tf.shape(self.logits), tf.shape(other.logits)),
        )
        log_ratio = _finite(self.log_probs) - _finite(log_p)
        kl = tf.reduce_sum(_x_times_log(self.probs, log_ratio), axis=-1)
        outside = (self.probs > 0) & ~tf.math.is_finite(log_p)
        return tf.where(tf.reduce_any(outside, axis=-1), tf.cast(math.inf, kl.dtype), kl)

    def score(self, value: Tensor) -> tf.Tensor:
        """d log q(value) / d logits, float [..., N, K]: one-hot value minus probabilities."""
        return tf.cast(value, self.logits.dtype) - self.probs

    def enumerate(self) -> tf.Tensor:
        """All joint configurations as one-hots, float [K**N, N, K].

        Raises:
            ValueError: for more than `MAX_CONFIGURATIONS` of them.
        """
        variables, categories = static_shape(self.logits, 2)
        codes = _configurations(variables, categories)
        return tf.one_hot(codes, categories, dtype=self.logits.dtype)


class Bernoulli(Discrete):
    """N independent binary variables, values 0 and 1.

    Args:
        logits: float [..., N], log-odds of a 1. Computed in at least float32.

    Example:
        >>> q = Bernoulli(tf.zeros([5, 8]))
        >>> round(float(q.kl_divergence(Bernoulli(tf.zeros([8])))[0]), 6)
        0.0
    """

    event_rank = 1
    latents = "bernoulli"

    def __init__(self, logits: Tensor):
        self.logits = types.floats("logits", logits)
        if self.logits.shape.rank == 0:
            raise ValueError(
                "Bernoulli logits must be [..., num_variables]. Add the axis of the variables. "
                f"Received: logits.shape={self.logits.shape}"
            )

    @property
    def probs(self) -> tf.Tensor:
        """float [..., N], the probability of a 1."""
        return tf.math.sigmoid(self.logits)

    def sample(self, seed: Seed, num_samples: int) -> tf.Tensor:
        """Draws of 0 and 1, float [num_samples, ..., N]."""
        shape = tf.concat([[num_samples], tf.shape(self.logits)], axis=0)
        return self.one_hot(self.logits + noise.logistic(seed, shape, self.logits.dtype) > 0)

    def mode(self) -> tf.Tensor:
        """The more probable value, float [..., N]."""
        return self.one_hot(self.logits > 0)

    def one_hot(self, code: Tensor) -> tf.Tensor:
        """int or bool [..., N] codes as float [..., N]; the name is that of `Categorical`."""
        return tf.cast(code, self.logits.dtype)

    def code(self, value: Tensor) -> tf.Tensor:
        """float [..., N] values (bits or relaxed) as int32 [..., N] codes."""
        return tf.cast(value > 0.5, tf.int32)

    def log_prob(self, value: Tensor) -> tf.Tensor:
        """log q(value) in nats, [...], for values of 0 and 1, [..., N]."""
        sign = 2.0 * tf.cast(value, self.logits.dtype) - 1.0
        return -tf.reduce_sum(tf.math.softplus(-sign * self.logits), axis=-1)

    def entropy_per_variable(self) -> tf.Tensor:
        """Entropy of each variable in nats, [..., N]."""
        both = tf.stack([self.logits, -self.logits])
        return -tf.reduce_sum(_x_times_log(tf.sigmoid(both), tf.math.log_sigmoid(both)), axis=0)

    def kl_per_variable(self, other: Any) -> tf.Tensor:
        """KL(self || other) of each variable in nats, [..., N]; +inf where `other` rules a value out."""
        kl = tf.zeros([], self.logits.dtype)
        for sign in (1.0, -1.0):
            q, p = sign * self.logits, sign * other.logits
            log_q, log_p = tf.math.log_sigmoid(q), tf.math.log_sigmoid(p)
            part = _x_times_log(tf.sigmoid(q), _finite(log_q) - _finite(log_p))
            outside = (tf.sigmoid(q) > 0) & ~tf.math.is_finite(log_p)
            kl += tf.where(outside, tf.cast(math.inf, kl.dtype), part)
        return kl

    def score(self, value: Tensor) -> tf.Tensor:
        """d log q(value) / d logits, float [..., N]: value minus probability."""
        return tf.cast(value, self.logits.dtype) - self.probs

    def enumerate(self) -> tf.Tensor:
        """All joint configurations of bits, float [2**N, N].

        Raises:
            ValueError: for more than `MAX_CONFIGURATIONS` of them.
        """
        (variables,) = static_shape(self.logits, 1)
        return tf.cast(_configurations(variables, 2), self.logits.dtype)


LATENTS: dict[str, type[Discrete]] = {"categorical": Categorical, "bernoulli": Bernoulli}


def get(latents: str) -> type[Discrete]:
    """The class of a kind of latents, "categorical" or "bernoulli"."""
    if not isinstance(latents, str) or latents not in LATENTS:
        raise ValueError(f"latents must be one of {sorted(LATENTS)}. Received: latents={latents!r}")
    return LATENTS[latents]


def latent_shape(latents: str, num_variables: int, num_categories: int) -> tuple[int, ...]:
    """The shape of one configuration: (N, K), or (N,) for Bernoulli latents."""
    return (num_variables,) if get(latents).event_rank == 1 else (num_variables, num_categories)


def _configurations(variables: int, categories: int) -> tf.Tensor:
    count = categories**variables
    if count > MAX_CONFIGURATIONS:
        raise ValueError(
            f"At most {MAX_CONFIGURATIONS} joint configurations are enumerated. Use fewer variables or "
            f"categories, or an estimator that samples. Received: num_variables={variables}, "
            f"num_categories={categories}, which makes {count}"
        )
    return tf.constant(list(itertools.product(range(categories), repeat=variables)), tf.int32)


def static_shape(logits: tf.Tensor, event_rank: int) -> tuple[int, ...]:
    """The number of variables, and of categories where the logits have an axis for them."""
    shape = tuple(logits.shape[-event_rank:])
    if None in shape:
        raise ValueError(
            "Enumeration needs the number of variables and categories when the graph is built. "
            f"Received: logits.shape={logits.shape}"
        )
    return shape


def _finite(x: tf.Tensor) -> tf.Tensor:
    return tf.where(tf.math.is_finite(x), x, tf.zeros_like(x))


def _x_times_log(x: tf.Tensor, log: tf.Tensor) -> tf.Tensor:
    """x * log with 0 * (-inf) = 0, in value and gradient."""
    return tf.where(x > 0, x * _finite(log), tf.zeros_like(x))
