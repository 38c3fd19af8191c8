"""`FusedAdam`: Keras' Adam in one pass over memory."""

from __future__ import annotations

import keras
import tensorflow as tf

from tf_discrete import types
from tf_discrete.types import Tensor


@keras.saving.register_keras_serializable("tf_discrete.optimizers")
class FusedAdam(keras.optimizers.Adam):
    """`keras.optimizers.Adam` with one kernel for each variable instead of a dozen.

    On CPU the update of a dense network is bound by memory: Keras reads and writes the weights, their
    gradients and both moments several times over; TensorFlow's own kernel does so once. Arguments,
    variables and checkpoints are those of `keras.optimizers.Adam`, and so are the results, up to
    rounding. Variables with sparse gradients, amsgrad, half-precision variables and `tf.distribute`
    strategies take Keras' own update.

    Args:
        *args: As `keras.optimizers.Adam`.
        **kwargs: As `keras.optimizers.Adam`.

    Example:
        >>> optimizer = FusedAdam(learning_rate=0.5)
        >>> x = keras.Variable([1.0, 2.0])
        >>> optimizer.apply([tf.constant([3.0, -3.0])], [x])
        >>> [round(float(value), 4) for value in x.numpy()]
        [0.5, 2.5]

    Reference:
        Kingma, Ba. Adam: a method for stochastic optimization. 2014. arXiv:1412.6980.
    """

    def _backend_update_step(
        self, grads: list[Tensor], trainable_variables: list[keras.Variable], learning_rate: Tensor
    ) -> None:
        dtypes = {tf.as_dtype(variable.dtype) for variable in trainable_variables}
        if self.amsgrad or not dtypes <= {tf.float32, tf.float64} or tf.distribute.has_strategy():
            super()._backend_update_step(grads, trainable_variables, learning_rate)
            return
        step = tf.convert_to_tensor(self.iterations + 1)
        scalars = {dtype: self._scalars(step, learning_rate, dtype) for dtype in dtypes}
        for gradient, variable in zip(grads, trainable_variables, strict=True):
            if isinstance(gradient, tf.IndexedSlices):
                super()._backend_update_step([gradient], [variable], learning_rate)
                continue
            index, dtype = self._get_variable_index(variable), tf.as_dtype(variable.dtype)
            tf.raw_ops.ResourceApplyAdam(
                var=_handle(variable),
                m=_handle(self._momentums[index]),
                v=_handle(self._velocities[index]),
                grad=tf.cast(gradient, dtype),
                **scalars[dtype],
            )

    def _scalars(self, step: Tensor, learning_rate: Tensor, dtype: tf.DType) -> dict[str, Tensor]:
        """Returns the scalar arguments of the kernel in a dtype."""
        beta_2 = types.cast(self.beta_2, dtype)
        # The kernel computes 1 - beta_2 from the rounded beta_2, in float32 1e-5 off. The velocity of
        # gradients of constant size is then off by a factor that the learning rate can make good.
        exact = 1.0 - types.cast(self.beta_2, tf.float64) ** tf.cast(step, tf.float64)
        rounded = 1.0 - tf.cast(beta_2, tf.float64) ** tf.cast(step, tf.float64)
        return {
            "lr": tf.cast(learning_rate, dtype) * tf.cast(tf.sqrt(rounded / exact), dtype),
            "beta1": types.cast(self.beta_1, dtype),
            "beta2": beta_2,
            "epsilon": types.cast(self.epsilon, dtype),
            "beta1_power": tf.cast(self.beta_1, dtype) ** tf.cast(step, dtype),
            "beta2_power": tf.cast(self.beta_2, dtype) ** tf.cast(step, dtype),
        }


def _handle(variable: keras.Variable) -> tf.Tensor:
    """Returns the resource behind a Keras or a TensorFlow variable."""
    return (variable.value if isinstance(variable, keras.Variable) else variable).handle
