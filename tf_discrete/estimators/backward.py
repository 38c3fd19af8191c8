"""Values with a backward pass of their own: the value is one tensor's, the gradient another's."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from tf_discrete import types
from tf_discrete.estimators import sampling
from tf_discrete.types import Tensor, WithGradient


def attach(value: Tensor, logits: Tensor, gradient: Tensor, event_rank: int) -> tf.Tensor:
    """Returns `value`, bit for bit, with d value / d logits = gradient added to its own gradient.

    Args:
        value: float [*B], or [S, *B].
        logits: float [(S, )*B, N(, K)].
        gradient: float, of the shape of `logits`; not differentiated.
        event_rank: 2 for categorical, 1 for Bernoulli logits.
    """

    @tf.custom_gradient
    def attached(value: tf.Tensor, logits: tf.Tensor, gradient: tf.Tensor) -> WithGradient:
        def backward(upstream: tf.Tensor) -> Sequence[tf.Tensor]:
            upstream = tf.convert_to_tensor(upstream)  # The slices that a gather hands back.
            weight = sampling.expand(upstream, event_rank)
            return upstream, tf.cast(weight * gradient, logits.dtype), tf.zeros_like(gradient)

        return tf.identity(value), backward

    return attached(value, logits, tf.stop_gradient(gradient))


def divide_gradient(logits: Tensor, scale: Tensor) -> tf.Tensor:
    """Returns `logits`, bit for bit, with their gradient divided by `scale`.

    What the loss adds to an estimate is brought to the size of that estimate's gradient so.

    Args:
        logits: float, any shape.
        scale: Positive float, see `Estimator.gradient_scale`; not differentiated.

    Example:
        >>> logits = tf.constant([1.0, 3.0])
        >>> with tf.GradientTape() as tape:
        ...     tape.watch(logits)
        ...     value = tf.reduce_sum(divide_gradient(logits, 4.0) ** 2)
        >>> float(value), tape.gradient(value, logits).numpy().tolist()
        (10.0, [0.5, 1.5])
    """
    logits = tf.convert_to_tensor(logits)
    scale = tf.stop_gradient(types.cast(scale, logits.dtype))

    @tf.custom_gradient
    def divided(logits: tf.Tensor) -> WithGradient:
        return tf.identity(logits), lambda upstream: tf.convert_to_tensor(upstream) / scale

    return divided(logits)


@tf.custom_gradient
def scale_gradient(value: Tensor, factor: Tensor) -> WithGradient:
    """Returns `value`, bit for bit, with its gradient times `factor`, which gets none.

    Args:
        value: float, any shape.
        factor: float, of a shape that the value's gradient keeps when multiplied by it.

    Example:
        >>> logits = tf.constant([1.0, 3.0])
        >>> with tf.GradientTape() as tape:
        ...     tape.watch(logits)
        ...     value = tf.reduce_sum(scale_gradient(logits, tf.constant([0.5, 2.0])) ** 2)
        >>> tape.gradient(value, logits).numpy().tolist()
        [1.0, 12.0]
    """

    def backward(upstream: tf.Tensor) -> Sequence[tf.Tensor]:
        return tf.convert_to_tensor(upstream) * factor, tf.zeros_like(factor)

    return tf.identity(value), backward


def straight_through(hard: Tensor, soft: Tensor) -> tf.Tensor:
    """Returns `hard`, bit for bit, with the gradient of `soft`.

    Example:
        >>> logits = tf.Variable([0.0, 1.0])
        >>> with tf.GradientTape() as tape:
        ...     z = straight_through(tf.constant([0.0, 1.0]), tf.nn.softmax(logits))
        ...     second = z[1]
        >>> z.numpy().tolist(), [round(float(g), 4) for g in tape.gradient(second, logits)]
        ([0.0, 1.0], [-0.1966, 0.1966])

    Reference:
        Bengio, Leonard, Courville. Estimating or propagating gradients. 2013. arXiv:1308.3432.
    """
    hard = tf.stop_gradient(tf.cast(hard, tf.convert_to_tensor(soft).dtype))
    return hard + (soft - tf.stop_gradient(soft))
