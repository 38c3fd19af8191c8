"""`RectifiedAdam`: Adam that takes no adaptive steps until it has seen enough gradients."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from tf_discrete import types
from tf_discrete.types import Tensor

_ENOUGH = 5.0
"""Gradients that the second moment must be worth, above the 4 where its variance is finite."""


@keras.saving.register_keras_serializable("tf_discrete.optimizers")
class RectifiedAdam(keras.optimizers.Adam):
    """RAdam: Adam whose step size is scaled by how well the second moment of the gradients is known.

    After t steps the average of squared gradients is worth rho_t = rho_inf - 2 t b^t / (1 - b^t) of them,
    where b is beta_2 and rho_inf = 2 / (1 - b) - 1. Up to rho_t = 5, five steps with the default beta_2, the
    step is the learning rate times the mean gradient, not divided by its size. From then on the learning
    rate of Adam is multiplied by

        r_t = sqrt((rho_t - 4) (rho_t - 2) rho_inf / ((rho_inf - 4) (rho_inf - 2) rho_t)),

    which grows to 1. Checkpoints hold what those of `keras.optimizers.Adam` hold.

    Args:
        learning_rate: As `keras.optimizers.Adam`. Default: 0.001.
        **kwargs: The further arguments of `keras.optimizers.Adam`, but for amsgrad.

    Raises:
        ValueError: amsgrad, or a beta_2 so small that no second moment is ever well known.

    Example:
        >>> optimizer = RectifiedAdam(learning_rate=0.5)
        >>> x = keras.Variable([1.0, 2.0])
        >>> optimizer.apply([tf.constant([3.0, -3.0])], [x])
        >>> [round(float(value), 4) for value in x.numpy()]
        [-0.5, 3.5]

    Reference:
        Liu, Jiang, He, Chen, Liu, Gao, Han. On the variance of the adaptive learning rate and beyond. 2019.
        arXiv:1908.03265.
    """

    def __init__(
        self,
        learning_rate: float | keras.optimizers.schedules.LearningRateSchedule = 0.001,
        **kwargs: Any,
    ):
        super().__init__(learning_rate, **{"name": "rectified_adam", **kwargs})
        if self.amsgrad:
            raise ValueError(
                "RectifiedAdam has no rule for amsgrad. Leave it out, or take keras.optimizers.Adam. "
                f"Received: amsgrad={self.amsgrad!r}"
            )
        if _most_known(self.beta_2) <= _ENOUGH:
            raise ValueError(
                "beta_2 must be above 2/3, or no step is ever adaptive. Take a larger one. "
                f"Received: beta_2={self.beta_2!r}"
            )

    def update_step(self, gradient: Tensor, variable: Any, learning_rate: Tensor) -> None:
        index = self._get_variable_index(variable)
        momentum, velocity = self._momentums[index], self._velocities[index]
        dtype = tf.as_dtype(variable.dtype)
        gradient = tf.cast(tf.convert_to_tensor(gradient), dtype)
        self.assign_add(momentum, (gradient - momentum) * types.cast(1 - self.beta_1, dtype))
        self.assign_add(
            velocity, (tf.square(gradient) - velocity) * types.cast(1 - self.beta_2, dtype)
        )
        step = tf.cast(self.iterations + 1, tf.float64)
        beta_1, beta_2 = (types.cast(beta, tf.float64) for beta in (self.beta_1, self.beta_2))
        rate = tf.cast(learning_rate, tf.float64) / (1 - beta_1**step)
        most = _most_known(self.beta_2)
        known = most - 2 * step * beta_2**step / (1 - beta_2**step)
        enough = known > _ENOUGH
        known = tf.where(enough, known, most)  # Or the root below has none.
        ratio = (known - 4) * (known - 2) * most / ((most - 4) * (most - 2) * known)
        adaptive = tf.cast(rate * tf.sqrt(ratio * (1 - beta_2**step)), dtype)
        size = tf.sqrt(tf.convert_to_tensor(velocity)) + types.cast(self.epsilon, dtype)
        self.assign_sub(
            variable,
            tf.convert_to_tensor(momentum)
            * tf.where(enough, adaptive / size, tf.cast(rate, dtype)),
        )


def _most_known(beta_2: float) -> float:
    """Returns how many gradients an average with a decay is worth in the end."""
    return 2 / (1 - beta_2) - 1
