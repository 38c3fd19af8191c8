"""The log-likelihood of bits given their logits: value and gradient in one pass, with few logarithms."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from tf_discrete._internal import fusion
from tf_discrete.distributions.closed_form import sum_to
from tf_discrete.types import at_least_float32

Gradient = Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]

_GROUP = 16
"""Number of factors, each at most 2, whose product overflows neither in float32 nor in bfloat16."""


def bernoulli_log_prob(logits: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """Sum over D of x * logits - softplus(logits), in nats.

    The softplus is max(l, 0) + log(1 + exp(-|l|)), and a sum of logarithms is that of products. Logits of 16
    bits are read as such and widened where they are used; their gradient has 16 bits.

    Args:
        logits: float [..., B, D].
        x: [B, D], of the dtype of the logits in at least float32.

    Returns:
        log_prob: at least float32, [..., B].
    """
    fused = fusion.compiles(logits) and logits.shape[-1] is not None

    @tf.custom_gradient
    def log_prob(logits: tf.Tensor, x: tf.Tensor) -> tuple[tf.Tensor, Gradient]:
        def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            # A gather hands back slices of a gradient.
            upstream = tf.convert_to_tensor(upstream)[..., tf.newaxis]
            of_logits = _gradient_of_logits(logits, x, upstream)
            return of_logits, sum_to(at_least_float32(logits) * upstream, tf.shape(x))

        return (_in_one_pass if fused else _by_operations)(logits, x), gradient

    return log_prob(logits, x)


@fusion.training_part
def _gradient_of_logits(logits: tf.Tensor, x: tf.Tensor, upstream: tf.Tensor) -> tf.Tensor:
    gradient = (x - tf.sigmoid(at_least_float32(logits))) * upstream
    return tf.cast(gradient, logits.dtype)


def _by_operations(logits: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    logits = at_least_float32(logits)
    linear = tf.reduce_sum(x * logits - tf.nn.relu(logits), axis=-1)
    return linear - _sum_of_logs(1.0 + tf.exp(-tf.abs(logits)))


def _in_one_pass(logits: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """The value by slices of the pixels: XLA reads each logit once, and sums over few numbers remain."""
    return tf.reduce_sum(_sliced_sum(logits, x), axis=-1)


@fusion.training_part
def _sliced_sum(logits: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """Adds the log-probabilities of pixels that are `width` apart, [..., B, width], as one of a product."""
    size = logits.shape[-1]
    count = next((n for n in range(_GROUP, _GROUP // 2, -1) if size % n == 0), _GROUP)
    width = -(-size // count)
    linear, product = tf.cast(0.0, x.dtype), tf.cast(1.0, x.dtype)
    for start in range(0, size, width):
        one = slice(start, start + width)
        own, factor = _terms(at_least_float32(logits[..., one]), x[..., one])
        if start + width > size:
            own, factor = _padded(own, width, 0.0), _padded(factor, width, 1.0)
        linear, product = linear + own, product * factor
    return linear - tf.math.log(product)


def _padded(values: tf.Tensor, width: int, by: float) -> tf.Tensor:
    ends = [[0, 0]] * (values.shape.rank - 1) + [[0, width - values.shape[-1]]]
    return tf.pad(values, ends, constant_values=by)


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
