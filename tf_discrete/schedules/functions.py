"""Schedules as pure functions of the step; each takes an int or float tensor of any shape."""

from __future__ import annotations

import math

import tensorflow as tf

from tf_discrete.types import Tensor


def exponential(
    step: Tensor, initial: float, rate: float, floor: float, update_period: int = 1
) -> tf.Tensor:
    """max(floor, initial * exp(-rate * t)), where t is the step rounded down to the update period.

    This is the annealing of the Gumbel-Softmax paper. It is computed from the step, never compounded.

    Args:
        step: Step of the optimizer.
        initial: value at step 0.
        rate: per step.
        floor: smallest value.
        update_period: steps between two changes.

    Example:
        >>> [round(float(exponential(t, 1.0, 1e-3, 0.5, 500)), 4) for t in (0, 499, 500, 5000)]
        [1.0, 1.0, 0.6065, 0.5]

    Reference:
        Jang, Gu, Poole. Categorical reparameterization with Gumbel-Softmax. 2016. arXiv:1611.01144.
    """
    step = tf.convert_to_tensor(step)
    held = tf.cast(step - step % update_period, tf.float32)
    return tf.maximum(floor, initial * tf.exp(-rate * held))


def linear(step: Tensor, initial: float, final: float, begin: int, steps: int) -> tf.Tensor:
    """From `initial` to `final` on a straight line over `steps` steps, starting at step `begin`.

    Example:
        >>> [float(linear(t, 0.0, 1.0, 100, 100)) for t in (0, 100, 150, 300)]
        [0.0, 0.0, 0.5, 1.0]
    """
    return initial + (final - initial) * _progress(step, begin, steps)


def cosine(step: Tensor, initial: float, final: float, begin: int, steps: int) -> tf.Tensor:
    """From `initial` to `final` on half a cosine over `steps` steps, starting at step `begin`.

    Example:
        >>> [round(float(cosine(t, 1.0, 0.5, 0, 100)), 4) for t in (0, 50, 100, 200)]
        [1.0, 0.75, 0.5, 0.5]
    """
    return final + (initial - final) * 0.5 * (1.0 + tf.cos(math.pi * _progress(step, begin, steps)))


def _progress(step: Tensor, begin: int, steps: int) -> tf.Tensor:
    return tf.clip_by_value((tf.cast(step, tf.float32) - begin) / steps, 0.0, 1.0)
