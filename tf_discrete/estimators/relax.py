"""RELAX: REBAR with a learned network as control variate."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import keras
import tensorflow as tf

from tf_discrete._internal import checks
from tf_discrete.estimators import sampling, score
from tf_discrete.estimators.rebar import REBAR
from tf_discrete.estimators.registry import register
from tf_discrete.estimators.scalar_network import scalar_network
from tf_discrete.types import BaselineLike, Config, ScheduleLike, Shape, Tensor


@register("relax")
class RELAX(REBAR):
    """Cancels the noise of the score function with a control variate that learns to.

    The gradient of REBAR with c(r) = scale * f(r) + n(r, x), where n is a network that learns from the
    variance of one sample's gradient, as temperature and scale do. Unbiased for every objective, whatever
    the network says; it starts at 0, which is REBAR. Three evaluations a sample; one if the control
    variate is the network alone (`objective_control=False`).

    Args:
        temperature: Positive float or schedule. Default: 0.5.
        scale: Float or schedule. Default: 1.0.
        learn_temperature: Bool, whether a learned positive factor, from 1 on, multiplies it. Default: True.
        learn_scale: Bool, whether a learned factor, from 1 on, multiplies the scale. Default: True.
        relaxation: "concrete" or "modified", see `REBAR`. Default: "concrete".
        hidden_units: Sizes of the tanh layers of n, which reads r and the context (or the probabilities of q
            where there is none). Default: (100,).
        objective_control: Bool, whether c contains scale * f. Default: True.
        latents: "categorical" or "bernoulli".
        baseline: Of f(z) - c(r'), see `ScoreFunction`. Default: "none".
        variance_normalization: See `REBAR`. Default: False.
        decay: Float in [0, 1), decay of the running variance for each training step. Default: 0.99.

    Raises:
        ValueError: An argument is out of range, or the estimator does not take these latents.

    Example:
        >>> from tf_discrete import seeds
        >>> estimator, logits = RELAX(), tf.zeros([3, 5, 4])
        >>> noise = estimator.draw_noise(seeds.base(0), logits)
        >>> estimator.estimate(lambda z: tf.reduce_sum(z[..., 0], -1), logits, noise).value.shape
        TensorShape([3])

    Reference:
        Grathwohl, Choi, Wu, Roeder, Duvenaud. Backpropagation through the void: optimizing control
        variates for black-box gradient estimation. 2017. arXiv:1711.00123.
    """

    spec = REBAR.spec._replace(reference="Grathwohl et al. 2017, arXiv:1711.00123")

    def __init__(
        self,
        temperature: ScheduleLike = 0.5,
        scale: ScheduleLike = 1.0,
        learn_temperature: bool = True,
        learn_scale: bool = True,
        relaxation: str = "concrete",
        hidden_units: Sequence[int] = (100,),
        objective_control: bool = True,
        latents: str = "categorical",
        baseline: BaselineLike = "none",
        variance_normalization: bool = False,
        decay: float = 0.99,
        **kwargs: Any,
    ):
        uses_objective = checks.flag("objective_control", objective_control)
        super().__init__(
            temperature,
            scale,
            learn_temperature,
            checks.flag("learn_scale", learn_scale) and uses_objective,
            relaxation,
            latents,
            baseline,
            variance_normalization,
            decay,
            **kwargs,
        )
        self.hidden_units = checks.sizes("hidden_units", hidden_units, "layer")
        self.objective_control = uses_objective
        self.network = scalar_network(self.hidden_units, final="zeros")
        self.built = False

    @property
    def relaxed_control(self) -> bool:
        return self.objective_control

    def build(self, logits_shape: Shape, context_shape: Shape | None = None) -> None:
        super().build(logits_shape, context_shape)
        if self.network.built:
            return
        size = self.value_size(logits_shape)
        context_size = size if context_shape is None else cast(int, context_shape[-1])
        self.network.build((None, size + context_size))

    def get_build_config(self) -> Config | None:
        if not self.network.built:
            return None
        return {"shapes_dict": dict(self._build_shapes_dict)}

    def get_config(self) -> Config:
        return {
            **super().get_config(),
            "hidden_units": self.hidden_units,
            "objective_control": self.objective_control,
        }

    def _learned(self, control_fn: Callable[..., Tensor] | None) -> Sequence[keras.Variable]:
        network = self.network if control_fn is None else control_fn
        return [*super()._learned(control_fn), *getattr(network, "trainable_variables", ())]

    def _control(self, call: score.ScoreCall) -> Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]:
        objective_control, control_fn = super()._control(call), call.control_fn
        features = sampling.features(self.distribution(call.logits), call.context)
        if control_fn is None:
            self.build(call.logits.shape, features.shape)

        def control(z: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            values = self._network(z, features) if control_fn is None else control_fn(z)
            total = tf.reduce_sum(values)
            if not self.objective_control:
                return values, total
            more, more_total = objective_control(z)
            return more + tf.cast(values, more.dtype), more_total + tf.cast(total, more.dtype)

        return control

    def _network(self, z: tf.Tensor, features: tf.Tensor) -> tf.Tensor:
        flat = tf.cast(self.kind.flatten(z), tf.float32)
        shape = tf.concat([tf.shape(flat)[:-1], tf.shape(features)[-1:]], axis=0)
        inputs = tf.concat([2.0 * flat - 1.0, tf.broadcast_to(features, shape)], axis=-1)
        rows = tf.reshape(inputs, [-1, flat.shape[-1] + features.shape[-1]])
        return tf.reshape(self.network(rows), tf.shape(flat)[:-1])
