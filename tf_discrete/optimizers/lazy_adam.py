"""`LazyAdam`: Adam that updates only the rows of a table that a batch has read."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from tf_discrete import types
from tf_discrete.optimizers.fused_adam import FusedAdam
from tf_discrete.types import Tensor


@keras.saving.register_keras_serializable("tf_discrete.optimizers")
class LazyAdam(FusedAdam):
    """Adam whose step takes as long as the rows that have a gradient, not as the table.

    A gradient that is `tf.IndexedSlices`, as that of `CodeEmbedding(mode="table")` and of Keras' Embedding,
    updates its own rows and their moments alone, several slices of one row as their sum. All other variables
    are updated as by `FusedAdam`.

    This is not Adam: between two of its gradients the moments of a row do not decay and the row does not
    move, while the bias correction counts all steps. Keras' Adam has a dense update of the whole table, as
    long as it is, and takes the squares of the slices of one row apart from each other.

    Args:
        learning_rate: As `keras.optimizers.Adam`. Default: 0.001.
        **kwargs: The further arguments of `keras.optimizers.Adam`, but for what reads or writes all rows.

    Raises:
        ValueError: amsgrad, weight decay, clipping, gradient accumulation or a moving average of the weights.

    Example:
        >>> table = keras.Variable(tf.zeros([5, 1]))
        >>> optimizer = LazyAdam(learning_rate=0.1)
        >>> slices = tf.IndexedSlices(tf.ones([2, 1]), indices=[3, 1], dense_shape=[5, 1])
        >>> optimizer.apply([slices], [table])
        >>> [round(float(row[0]), 4) for row in table.numpy()]
        [0.0, -0.1, 0.0, -0.1, 0.0]

    Reference:
        Kingma, Ba. Adam: a method for stochastic optimization. 2014. arXiv:1412.6980.
    """

    def __init__(
        self,
        learning_rate: float | keras.optimizers.schedules.LearningRateSchedule = 0.001,
        **kwargs: Any,
    ):
        super().__init__(learning_rate, **{"name": "lazy_adam", **kwargs})
        for name in _REFUSED:
            if getattr(self, name):
                raise ValueError(
                    f"LazyAdam updates the rows that a batch has read, and {name} needs all rows. Leave it "
                    f"out, or take keras.optimizers.Adam. Received: {name}={getattr(self, name)!r}"
                )

    def update_step(self, gradient: Tensor, variable: Any, learning_rate: Tensor) -> None:
        if not isinstance(gradient, tf.IndexedSlices):
            super().update_step(gradient, variable, learning_rate)
            return
        dtype = variable.dtype
        indices, slot = tf.unique(gradient.indices)
        total = tf.math.unsorted_segment_sum(
            tf.cast(gradient.values, dtype), slot, tf.size(indices)
        )
        step = tf.cast(self.iterations + 1, dtype)
        beta_1, beta_2 = (types.cast(beta, dtype) for beta in (self.beta_1, self.beta_2))
        number = self._get_variable_index(variable)
        moments = self._momentums[number].value, self._velocities[number].value
        momentum = beta_1 * tf.gather(moments[0], indices) + (1 - beta_1) * total
        velocity = beta_2 * tf.gather(moments[1], indices) + (1 - beta_2) * tf.square(total)
        for moment, rows in zip(moments, (momentum, velocity), strict=True):
            moment.scatter_update(tf.IndexedSlices(rows, indices))
        rate = tf.cast(learning_rate, dtype) * tf.sqrt(1 - beta_2**step) / (1 - beta_1**step)
        change = rate * momentum / (tf.sqrt(velocity) + types.cast(self.epsilon, dtype))
        target = variable.value if isinstance(variable, keras.Variable) else variable
        target.scatter_sub(tf.IndexedSlices(change, indices))


_REFUSED = (
    "amsgrad",
    "weight_decay",
    "clipnorm",
    "clipvalue",
    "global_clipnorm",
    "gradient_accumulation_steps",
    "use_ema",
)
