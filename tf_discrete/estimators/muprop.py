"""MuProp: the score function with a first-order Taylor baseline and its correction."""

from __future__ import annotations

import dataclasses
from typing import Any

import tensorflow as tf

from tf_discrete import types
from tf_discrete.estimators import base, sampling, score
from tf_discrete.estimators.centered import CenteredScoreEstimator
from tf_discrete.estimators.registry import register
from tf_discrete.types import BaselineLike, Estimate


@register("muprop")
class MuProp(CenteredScoreEstimator):
    """Subtracts the tangent of f at the mean of q and a baseline, and adds the tangent's exact expectation.

    With m = E_q[z] (the probabilities) and h(z) = f(m) + f'(m) . (z - m),
    gradient = (f(z) - h(z) - baseline) * d log q(z) / d logits + f'(m) . d m / d logits. Unbiased for
    every objective, and without any variance where f is linear. Where f is not, f(z) - h(z) has a mean
    far from 0, and without a baseline that mean is noise. Two evaluations a sample, one of them at the
    relaxed point m, with a backward pass. In a stack of layers that one is a mean-field pass: each layer
    below takes the mean of its distribution, so that h has no noise of its own.

    Args:
        latents: Kind of latents, see `tf_discrete.distributions.names()`.
        baseline: Of f(z) - h(z), see `ScoreFunction`. Default: "moving_average".
        variance_normalization: Divide the gradient by the running standard deviation of f(z) - h(z) -
            baseline where that exceeds 1, see `ScoreFunction`. Default: False.
        decay: Float in [0, 1), decay of that running variance for each training step. Default: 0.99.

    Raises:
        ValueError: An argument is out of range, or the estimator does not take these latents.

    Example:
        >>> from tf_discrete import seeds
        >>> estimator, logits = MuProp(), tf.zeros([3, 5, 4])
        >>> noise = estimator.draw_noise(seeds.base(0), logits)
        >>> estimator.estimate(lambda z: tf.reduce_sum(z[..., 0], -1), logits, noise).value.shape
        TensorShape([3])

    Reference:
        Gu, Levine, Sutskever, Mnih. MuProp: unbiased backpropagation for stochastic neural networks.
        2015. arXiv:1511.05176.
    """

    spec = base.Spec(
        exact_for="any",
        relaxed=False,
        noise="discrete",
        evaluations="2",
        min_samples=1,
        reductions=("mean",),
        reference="Gu, Levine, Sutskever, Mnih 2015, arXiv:1511.05176",
    )

    mean_field_control = True

    def __init__(
        self,
        latents: str = "categorical",
        baseline: BaselineLike = "moving_average",
        variance_normalization: bool = False,
        decay: float = 0.99,
        **kwargs: Any,
    ):
        super().__init__(latents, baseline, variance_normalization, decay, **kwargs)

    def _gradient(
        self, call: score.ScoreCall, z: tf.Tensor, estimate: Estimate
    ) -> score.ScoreGradient:
        distribution = self.distribution(call.logits)
        of_control = dataclasses.replace(call, objective_fn=call.control_fn or call.objective_fn)
        mean = tf.stop_gradient(distribution.probs)
        # As many copies of the mean as samples, for an inner layer draws its noise by their number.
        with tf.GradientTape() as tape:
            tape.watch(mean)
            control = of_control.evaluate(mean)
            total = tf.reduce_sum(control.value)
        # Of the reduced value, so with the weight of a sample; the control of each sample is without it.
        slope = tf.convert_to_tensor(tape.gradient(total, mean, unconnected_gradients="zero"))
        event = list(range(-self.event_rank, 0))
        tangent = tf.reduce_sum(slope * (z - mean), axis=event) / call.weight
        difference = tf.cast(estimate.per_sample - control.per_sample, call.logits.dtype)
        scale = types.cast(self.gradient_scale, call.logits.dtype)
        credit = self._credit(call, difference - tangent)
        by_score = sampling.expand(credit.weight, self.event_rank) * distribution.score(z)
        return score.ScoreGradient(by_score + distribution.probs_vjp(slope) / scale, credit.loss)
