"""`GumbelGateLSTM`: an LSTM whose input and forget gates are open or closed."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from tf_discrete._internal import checks
from tf_discrete.distributions import Bernoulli
from tf_discrete.layers.stochastic import StochasticLayer
from tf_discrete.types import Config, EstimatorLike, ScheduleLike, Shape, Tensor


@keras.saving.register_keras_serializable("tf_discrete.layers")
class GumbelGateLSTMCell(keras.layers.Layer):
    """One time step of `GumbelGateLSTM`, with its arguments."""

    def __init__(
        self,
        units: int,
        estimator: EstimatorLike = "gumbel_softmax",
        temperature: ScheduleLike | None = None,
        seed: int | None = None,
        forget_bias: float = 1.0,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.units = checks.whole("units", units)
        self.forget_bias = checks.number("forget_bias", forget_bias)
        self.state_size = [self.units, self.units]
        self.output_size = self.units
        self.gates = StochasticLayer(
            estimator,
            temperature,
            Bernoulli.latents,
            seed=seed,
            name="gates",
            dtype=self.dtype_policy,
        )

    def build(self, inputs_shape: Shape) -> None:
        def add(name: str, shape: tuple[int | None, ...], initializer: str) -> Any:
            return self.add_weight(name=name, shape=shape, initializer=initializer)

        self.kernel = add("kernel", (inputs_shape[-1], 4 * self.units), "glorot_uniform")
        self.recurrent_kernel = add("recurrent_kernel", (self.units, 4 * self.units), "orthogonal")
        self.bias = self.add_weight(
            name="bias", shape=(4 * self.units,), initializer=self._initial_bias
        )
        self.gates.build((inputs_shape[0], 2 * self.units))
        self.built = True

    def call(
        self, inputs: Tensor, states: list[Tensor], training: bool = False
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        value, memory, _ = self.step(inputs, states, training)
        return value, [value, memory]

    def step(
        self, inputs: Tensor, states: list[Tensor], training: bool = False
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Returns the output and the memory, [B, units], and the gates that made them, [B, 2 * units]."""
        before, memory = states
        # Keras casts weights in `call` alone.
        kernel, recurrent, bias = (
            tf.cast(weight, inputs.dtype)
            for weight in (self.kernel, self.recurrent_kernel, self.bias)
        )
        sums = tf.matmul(inputs, kernel) + tf.matmul(before, recurrent) + bias
        gates = self.gates(sums[..., : 2 * self.units], training=training)
        enter, keep = tf.split(gates, 2, axis=-1)
        candidate, leave = tf.split(sums[..., 2 * self.units :], 2, axis=-1)
        memory = keep * memory + enter * tf.tanh(candidate)
        return tf.sigmoid(leave) * tf.tanh(memory), memory, gates

    def get_config(self) -> Config:
        return {
            **super().get_config(),
            "units": self.units,
            "estimator": keras.saving.serialize_keras_object(self.gates.estimator),
            "seed": self.gates.seed,
            "forget_bias": self.forget_bias,
        }

    def _initial_bias(self, shape: Shape, dtype: str | None = None) -> tf.Tensor:
        """The bias of the forget gates, and 0 for the others."""
        del shape
        zeros = tf.zeros([self.units], dtype)
        return tf.concat(
            [zeros, tf.fill([self.units], tf.cast(self.forget_bias, zeros.dtype)), zeros, zeros],
            axis=0,
        )


@keras.saving.register_keras_serializable("tf_discrete.layers")
class GumbelGateLSTM(keras.layers.RNN):
    """An LSTM whose input and forget gates are relaxed bits in training, and 0 or 1 at inference.

    A closed forget gate erases its unit and an open one keeps it exactly, so what was read is remembered for
    any number of steps. The output gate stays a sigmoid. In training a gate is a sample of the estimator,
    drawn anew at every time step; at inference it is its most probable value. Gates that are relaxed to the
    end of training, as in the paper, need not survive that rounding. Train with a growing share of rounded
    gates and hardly any noise instead: `SemanticHashing(noise_stddev=0.01,
    discrete_fraction=schedules.Linear(0.0, 1.0, steps=...))`; see `examples/discrete_gates.py`.

    Args:
        units: Int, size of output and memory. Default: 32.
        estimator: Pathwise estimator of Bernoulli latents: name, object, class or config. Default:
            "gumbel_softmax", relaxed gates; "straight_through_gumbel_softmax" trains with gates of 0 and 1.
        temperature: Positive float or schedule, for an estimator given by name. Default: that of the
            estimator.
        seed: Int, base seed of the noise. Default: None, a random one.
        forget_bias: Number, bias of the forget gates before training; positive ones are open. Default: 1.0.
        **kwargs: Those of `keras.layers.RNN`, such as return_sequences, go_backwards and unroll.

    Input shape:
        float [batch, time, features].

    Output shape:
        [batch, units], or [batch, time, units] with return_sequences=True.

    Raises:
        ValueError: units below 1, or an estimator that is not pathwise.

    Example:
        >>> layer = GumbelGateLSTM(4, seed=0)
        >>> layer(tf.ones([2, 5, 3])).shape
        TensorShape([2, 4])
        >>> gates = layer.gate_values(tf.ones([2, 5, 3]))
        >>> gates.shape, bool(tf.reduce_all((gates == 0) | (gates == 1)))
        (TensorShape([2, 5, 2, 4]), True)

    Reference:
        Li et al. Towards binary-valued gates for robust LSTM training. ICML 2018. arXiv:1806.02988.
    """

    def __init__(
        self,
        units: int = 32,
        estimator: EstimatorLike = "gumbel_softmax",
        temperature: ScheduleLike | None = None,
        seed: int | None = None,
        forget_bias: float = 1.0,
        **kwargs: Any,
    ):
        kwargs.pop("zero_output_for_mask", None)
        dtype = kwargs.get("dtype")
        cell = GumbelGateLSTMCell(
            units, estimator, temperature, seed, forget_bias, dtype=dtype, name="cell"
        )
        super().__init__(cell, **kwargs)

    @property
    def seed(self) -> int:
        """Base seed of the noise of the gates."""
        return self.cell.gates.seed

    def gate_values(self, inputs: Tensor) -> tf.Tensor:
        """Computes the gates at inference, 0 or 1.

        Args:
            inputs: float [batch, time, features], with a number of steps that is known.

        Returns:
            float [batch, time, 2, units]: whether each unit reads the input, and whether it keeps its memory;
            with go_backwards=True the last step comes first, as in the output.
        """
        inputs = tf.cast(inputs, self.compute_dtype)
        if not self.built:
            self.build(inputs.shape)
        zeros = tf.zeros([tf.shape(inputs)[0], self.cell.units], self.compute_dtype)
        value, memory, found = zeros, zeros, []
        steps = tf.unstack(inputs, axis=1)
        for one in reversed(steps) if self.go_backwards else steps:
            value, memory, gates = self.cell.step(one, [value, memory])
            found.append(tf.reshape(gates, [-1, 2, self.cell.units]))
        return tf.stack(found, axis=1)

    def get_config(self) -> Config:
        config = super().get_config()
        del config["cell"]
        own = self.cell.get_config()
        return {
            **config,
            **{name: own[name] for name in ("units", "estimator", "seed", "forget_bias")},
        }

    @classmethod
    def from_config(cls, config: Config, custom_objects: Any = None) -> GumbelGateLSTM:
        config = dict(config)
        config["estimator"] = keras.saving.deserialize_keras_object(
            config["estimator"], custom_objects=custom_objects
        )
        return cls(**config)
