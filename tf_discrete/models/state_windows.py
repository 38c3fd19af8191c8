"""`StateWindows`: the distributions of observations in a row and of their states."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import tensorflow as tf

from tf_discrete.distributions import Bernoulli, Discrete
from tf_discrete.types import Tensor


class Windows(NamedTuple):
    """Observations in a row, and what was done between them.

    Attributes:
        image: float [B, T, *data_shape].
        action: int32 [B, T - 1]; action t leads from observation t to t + 1.
    """

    image: Tensor
    action: Tensor


class StateWindows:
    """q(z | x), p(z | a) and p(x | z) of windows of T observations, whose states are N bits each.

    The states of a window are one vector [..., T * N]: to an estimator they are T * N independent bits.
    A plain object: the model tracks what it is made of.

    Args:
        shape: T, N and the shape of an observation, (T, N, *data_shape).
        logits: Function from observations [R, *data_shape] and the mode to logits of their bits, [R, N].
        transition: Function from states [*A, T - 1, N], actions and the mode to the distribution of the next
            states.
        prior: Function without arguments to the distribution of a first state, [N].
        log_likelihood: Function from observations [R, *data_shape], states [S, R, N] and the mode to nats,
            [S, R].
    """

    def __init__(
        self,
        shape: Sequence[int],
        logits: Callable[[Tensor, bool], tf.Tensor],
        transition: Callable[[Tensor, Tensor, bool], Discrete],
        prior: Callable[[], Discrete],
        log_likelihood: Callable[[Tensor, Tensor, bool], tf.Tensor],
    ):
        self.window, self.num_bits, *self.data_shape = shape
        self._logits, self._transition = logits, transition
        self._prior, self._log_likelihood = prior, log_likelihood

    def logits(self, image: Tensor, training: bool = False) -> tf.Tensor:
        """Logits of the states of windows, [B, T * N]."""
        rows = tf.reshape(image, [-1, *self.data_shape])
        return tf.reshape(self._logits(rows, training), [-1, self.window * self.num_bits])

    def prior(self, z: Tensor, action: Tensor, training: bool = False) -> Bernoulli:
        """p(z_1) and p(z_t | z_{t-1}, a_{t-1}) of states [S, B, T * N], with logits of the same shape."""
        shape = tf.concat([tf.shape(z)[:-1], [self.window, self.num_bits]], axis=0)
        states = tf.reshape(z, shape)
        after = self._transition(states[..., :-1, :], action, training).logits
        first = tf.cast(self._prior().logits, after.dtype)
        first = tf.broadcast_to(first, tf.shape(states[..., :1, :]))
        return Bernoulli(tf.reshape(tf.concat([first, after], axis=-2), tf.shape(z)))

    def log_likelihood(self, image: Tensor, z: Tensor, training: bool = False) -> tf.Tensor:
        """sum_t log p(x_t | z_t) in nats, [S, B], of states [S, B, T * N]."""
        rows = tf.reshape(image, [-1, *self.data_shape])
        states = tf.reshape(z, [tf.shape(z)[0], -1, self.num_bits])
        found = self._log_likelihood(rows, states, training)
        return tf.reduce_sum(tf.reshape(found, [tf.shape(z)[0], -1, self.window]), axis=-1)
