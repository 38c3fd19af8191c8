"""REBAR: the score function with its own relaxation as control variate."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from tf_discrete import seeds, types
from tf_discrete._internal import checks
from tf_discrete.distributions import Relaxable
from tf_discrete.estimators import base, reductions, sampling, score
from tf_discrete.estimators.centered import CenteredScoreEstimator
from tf_discrete.estimators.registry import register
from tf_discrete.schedules import ScheduledVariable
from tf_discrete.types import BaselineLike, Config, Estimate, ScheduleLike, Seed, Tensor

_Control = Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]
MAX_SCALE = 1e9
"""Maximum scale of the control variate: the variance grows with its square and must stay finite."""


@register("rebar")
class REBAR(CenteredScoreEstimator):
    """Cancels the noise of the score function with a relaxed sample, and adds back its exact gradient.

    Free noise u makes the one-hot sample z and the relaxed sample r = relax(u, t); conditional noise,
    sampled from all noise that would have made the same z, makes r'. With t the temperature,
    relax(u, t) = softmax((logits + u) / t)                              "concrete"
                  softmax((logits + u) / t + logits * t / (t + 1))       "modified";
    both are z in the limit of low t; in that of high t the first is the uniform vector and the second the
    mean of q, where REBAR is MuProp without its linear term. With c(r) = scale * f(r),
    gradient = (f(z) - c(r') - baseline) * d log q(z) / d logits + d c(r) / d logits - d c(r') / d logits.
    Unbiased for every objective that has a derivative at relaxed values, at every temperature and scale; a
    scale of 0 is the score function.
    Three evaluations a sample, two of them relaxed with a backward pass. In training temperature and
    scale follow the gradient of the variance of one sample's gradient, which costs a second-order pass.
    Noise and memory are linear in the number of categories.

    Args:
        temperature: Positive float or schedule. Default: 0.5.
        scale: Float or schedule. Default: 1.0.
        learn_temperature: Bool, whether a learned positive factor, from 1 on, multiplies it. Default: True.
        learn_scale: Bool, whether a learned factor, from 1 on, multiplies the scale. Default: True.
        relaxation: "concrete" or "modified". Default: "concrete".
        latents: "categorical" or "bernoulli".
        baseline: Of f(z) - c(r'), see `ScoreFunction`. Default: "none".
        variance_normalization: Divide the gradient by the running standard deviation of f(z) - c(r') -
            baseline where that exceeds 1, see `ScoreFunction`. Default: False.
        decay: Float in [0, 1), decay of that running variance for each training step. Default: 0.99.

    Raises:
        ValueError: An argument is out of range, or the estimator does not take these latents.

    Example:
        >>> estimator, logits = REBAR(), tf.zeros([3, 5, 4])
        >>> noise = estimator.draw_noise(seeds.base(0), logits)
        >>> noise.shape  # free and conditional
        TensorShape([1, 3, 5, 4, 2])
        >>> estimator.estimate(lambda z: tf.reduce_sum(z[..., 0], -1), logits, noise).value.shape
        TensorShape([3])

    Reference:
        Tucker, Mnih, Maddison, Lawson, Sohl-Dickstein. REBAR: low-variance, unbiased gradient estimates
        for discrete latent variable models. 2017. arXiv:1703.07370.
    """

    spec = base.Spec(
        exact_for="any",
        relaxed=False,
        noise="continuous",
        evaluations="3",
        min_samples=1,
        reductions=("mean",),
        reference="Tucker et al. 2017, arXiv:1703.07370",
        interface=Relaxable,
        relaxed_control=True,
    )

    def __init__(
        self,
        temperature: ScheduleLike = 0.5,
        scale: ScheduleLike = 1.0,
        learn_temperature: bool = True,
        learn_scale: bool = True,
        relaxation: str = "concrete",
        latents: str = "categorical",
        baseline: BaselineLike = "none",
        variance_normalization: bool = False,
        decay: float = 0.99,
        **kwargs: Any,
    ):
        super().__init__(latents, baseline, variance_normalization, decay, **kwargs)
        self.temperature = ScheduledVariable(temperature, name="temperature", positive=True)
        self.scale = ScheduledVariable(scale, name="scale")
        initial = float(self.scale.schedule(0))
        checks.number("scale", initial, lowest=-MAX_SCALE, highest=MAX_SCALE)
        self.learn_temperature = checks.flag("learn_temperature", learn_temperature)
        self.learn_scale = checks.flag("learn_scale", learn_scale)
        self.relaxation = checks.choice("relaxation", relaxation, ("concrete", "modified"))
        self.log_temperature_factor: keras.Variable | None = None
        self.scale_factor: keras.Variable | None = None
        if learn_temperature:
            self.log_temperature_factor = self.add_weight(
                shape=(), initializer="zeros", name="log_temperature_factor"
            )
        if learn_scale:
            self.scale_factor = self.add_weight(shape=(), initializer="ones", name="scale_factor")

    def _draw(self, seed: Seed, logits: tf.Tensor, num_samples: int | None) -> tf.Tensor:
        shape = sampling.noise_shape(logits, num_samples)
        kind = self.relaxable_kind
        free = kind.draw_noise(seeds.fold(seed, "free"), shape, logits.dtype)
        conditional = kind.draw_conditional_noise(
            seeds.fold(seed, "conditional"), shape, logits.dtype
        )
        return tf.stack([free, conditional], axis=-1)

    @property
    def noise_rank(self) -> int:
        return self.event_rank + 1  # Free and conditional noise are stacked on the last axis.

    def _sample(self, call: score.ScoreCall) -> tf.Tensor:
        return tf.stop_gradient(self.relaxable_kind(call.logits).harden(call.noise[..., 0]))

    def _gradient(
        self, call: score.ScoreCall, z: tf.Tensor, estimate: Estimate
    ) -> score.ScoreGradient:
        control = self._control(call)
        losses: list[tf.Tensor | None] = []

        def gradient() -> tf.Tensor:
            signal, slope = self._signal_and_slope(control, estimate.per_sample, call, z)
            scale = self._scale(signal.dtype)
            residual = self._residual(call, signal)
            losses.append(self._weigh(call, residual).loss)
            # Temperature and scale learn with the baseline as it is.
            centred = signal - tf.stop_gradient(signal - residual)
            scores = self.distribution(tf.stop_gradient(call.logits)).score(z)
            return (sampling.expand(centred, self.event_rank) * scores + slope) / scale

        learned = [v.value for v in self._learned(call.control_fn)] if call.training else []
        if learned:
            one, auxiliary = _linearised_power(gradient, learned, self.event_rank)
        else:
            one, auxiliary = gradient(), None
        if losses[0] is not None:
            auxiliary = losses[0] if auxiliary is None else auxiliary + losses[0]
        return score.ScoreGradient(call.weight * one, auxiliary)

    def get_config(self) -> Config:
        return {
            **super().get_config(),
            "temperature": self.temperature.get_config()["schedule"],
            "scale": self.scale.get_config()["schedule"],
            "learn_temperature": self.learn_temperature,
            "learn_scale": self.learn_scale,
            "relaxation": self.relaxation,
        }

    def _learned(self, control_fn: Callable[..., Tensor] | None) -> Sequence[keras.Variable]:
        """Returns the variables that the variance trains."""
        return [v for v in (self.log_temperature_factor, self.scale_factor) if v is not None]

    def _control(self, call: score.ScoreCall) -> _Control:
        """c as a function of relaxed samples [S, *B, N(, K)]: its values [S, *B], and a sum to differentiate.

        The two differ only where an inner layer has reduced the samples already.
        """

        def control(z: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            evaluation = reductions.evaluate(call.objective_fn, z, self.event_rank)
            values, total = evaluation.value, tf.reduce_sum(evaluation.value)
            if evaluation.reduction is not None:
                values = evaluation.per_sample
                total *= tf.cast(tf.shape(z)[0], total.dtype)
            scale = types.cast(self.scale.value, values.dtype)
            if self.scale_factor is not None:
                scale *= tf.cast(tf.convert_to_tensor(self.scale_factor), values.dtype)
            return scale * values, scale * total

        return control

    def _signal_and_slope(
        self, control: _Control, values: tf.Tensor, call: score.ScoreCall, hard: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """f(z) - c(r') [S, *B], and d (c(r) - c(r')) / d logits; both differentiable in what is learned."""
        logits, free, conditional = (
            tf.stop_gradient(call.logits),
            call.noise[..., 0],
            call.noise[..., 1],
        )
        with tf.GradientTape() as tape:
            tape.watch(logits)
            _, free_total = control(self._relax(logits, free))
            bound = self.relaxable_kind(logits).condition(conditional, hard)
            bound_values, bound_total = control(self._relax(logits, bound))
            difference = free_total - bound_total
        slope = tape.gradient(difference, logits, unconnected_gradients="zero")
        return tf.cast(values, logits.dtype) - tf.cast(bound_values, logits.dtype), slope

    def _relax(self, logits: tf.Tensor, noise: tf.Tensor) -> tf.Tensor:
        temperature = types.cast(self.temperature.value, logits.dtype)
        if self.log_temperature_factor is not None:
            factor = tf.exp(tf.convert_to_tensor(self.log_temperature_factor))
            temperature *= tf.cast(factor, logits.dtype)
        # Masked logits are kept away from the temperature, whose gradient they would make NaN.
        allowed = tf.math.is_finite(logits)
        safe = tf.where(allowed, logits, tf.zeros_like(logits))
        perturbed = (safe + noise) / temperature
        if self.relaxation == "modified":
            perturbed += safe * temperature / (temperature + 1.0)
        return self.relaxable_kind(logits).probs_at(perturbed)


def _linearised_power(
    gradient_fn: Callable[[], tf.Tensor], variables: Sequence[keras.Variable], event_rank: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns a gradient [S, *B, ...], and its squared norm [S, *B], differentiable in the variables alone.

    The estimator is unbiased whatever their values, so the squared norm falls as the variance does. Its
    gradient for the variables is taken here and put in as the slope of a line: what the gradient itself
    depends on (the model's weights, the logits) does not see it.
    """
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(variables)
        gradient = gradient_fn()
        power = tf.reduce_sum(tf.square(gradient), axis=list(range(-event_rank, 0)))
        average = tf.reduce_mean(power)
    slopes = tape.gradient(average, variables, unconnected_gradients="zero")
    line = tf.add_n(
        [
            tf.reduce_sum(tf.stop_gradient(slope) * tf.convert_to_tensor(variable))
            for slope, variable in zip(slopes, variables, strict=True)
        ]
    )
    line = tf.cast(line - tf.stop_gradient(line), power.dtype)
    return gradient, tf.stop_gradient(power) + line
