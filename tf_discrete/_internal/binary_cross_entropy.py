"""The log-likelihood of bits given their logits: value and gradient in one pass, with few logarithms."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from tf_discrete._internal import fusion
from tf_discrete.distributions.closed_form import sum_to

Gradient = Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]

_GROUP = 16
"""Number of factors, each at most 2, whose product overflows in no dtype."""


def bernoulli_log_prob(logits: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """Sum over D of x * logits - softplus(logits), in nats.

    The softplus is max(l, 0) + log(1 + exp(-|l|)), and a sum of logarithms is that of products.

    Args:
        logits: float [..., B, D].
        x: of the same dtype, [B, D].

    Returns:
        log_prob: [..., B].
    """
    if fusion.is_enabled() and logits.shape[-1] is not None:
        return _in_one_pass(logits, x)

    @tf.custom_gradient
    def log_prob(logits: tf.Tensor, x: tf.Tensor) -> tuple[tf.Tensor, Gradient]:
        linear = tf.reduce_sum(x * logits - tf.nn.relu(logits), axis=-1)
        value = linear - _sum_of_logs(1.0 + tf.exp(-tf.abs(logits)))

        def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            # A gather hands back slices of a gradient.
            upstream = tf.convert_to_tensor(upstream)[..., tf.newaxis]
            of_logits = (x - tf.sigmoid(logits)) * upstream
            return of_logits, sum_to(logits * upstream, tf.shape(x))

        return value, gradient

    return log_prob(logits, x)


@fusion.part
def _in_one_pass(logits: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """The value alone, by slices of the pixels whose factors are multiplied: XLA reads each logit once."""
    size = logits.shape[-1]
    width = size // _GROUP
    linear, product = tf.cast(0.0, logits.dtype), tf.cast(1.0, logits.dtype)
    for start in range(0, width * _GROUP, max(width, 1)):
        part = slice(start, start + width)
        own, factor = _terms(logits[..., part], x[..., part])
        linear, product = linear + own, product * factor
    log_prob = tf.reduce_sum(linear - tf.math.log(product), axis=-1) if width else linear
    if size % _GROUP:
        rest = slice(width * _GROUP, size)
        own, factor = _terms(logits[..., rest], x[..., rest])
        log_prob += tf.reduce_sum(own - tf.math.log(factor), axis=-1)
    return log_prob


def _terms(logits: tf.Tensor, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns x * logits - max(logits, 0), and the factor whose logarithm is the rest of the softplus."""
    size = tf.abs(logits)
    return (x - 0.5) * logits - 0.5 * size, 1.0 + tf.exp(-size)


def _sum_of_logs(x: tf.Tensor) -> tf.Tensor:
    """Sum of log x over the last axis, of x between 1 and 2."""
    size = x.shape[-1]
    group = 1 if size is None else max(n for n in range(1, _GROUP + 1) if size % n == 0)
    if size is not None and group < _GROUP / 4:
        ends = [[0, 0]] * (x.shape.rank - 1) + [[0, -size % _GROUP]]
        x, group = tf.pad(x, ends, constant_values=1.0), _GROUP
    if group > 1:
        shape = tf.concat([tf.shape(x)[:-1], [group, x.shape[-1] // group]], axis=0)
        x = tf.reduce_prod(tf.reshape(x, shape), axis=-2)
    return tf.reduce_sum(tf.math.log(x), axis=-1)
