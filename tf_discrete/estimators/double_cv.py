"""Double control variates: the leave-one-out score function with the slopes of the other samples."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tf_discrete._internal import checks
from tf_discrete.estimators import base, reductions, sampling, score
from tf_discrete.estimators.centered import CenteredScoreEstimator
from tf_discrete.estimators.registry import register
from tf_discrete.types import BaselineLike, Config, Estimate

MAX_SCALE = 1e9
"""Maximum scale of the control variate: the variance grows with its square and must stay finite."""


@register("double_cv")
class DoubleCV(CenteredScoreEstimator):
    """Takes from f at each sample the tangent that the other samples' slopes predict, and adds back its mean.

    With m = E_q[z], g_s the mean of df/dz at the samples other than z_s, h_s = g_s . (z_s - m) and
    v_s = f(z_s) - scale * h_s,
    gradient = mean over s of (v_s - mean of other v) * d log q(z_s) / d logits + scale * g_s . dm / d logits.
    The score function with its leave-one-out baseline (scale 0) has one control variate for each sample; this
    one has a second in every term. Unbiased for every objective, at every scale, and at scale 1 without any
    variance where f is linear. At least two samples, one evaluation each with a backward pass, all of
    them at discrete values: unlike `muprop` and `rebar` it never asks f about a relaxed one. In training the
    scale follows the gradient of the variance, in closed form.

    Args:
        latents: Kind of latents, see `tf_discrete.distributions.names()`.
        scale: Float, where the scale starts. Default: 1.0.
        learn_scale: Bool, whether the scale learns. Default: True.
        baseline: Of v_s, see `ScoreFunction`. Default: "leave_one_out".
        variance_normalization: Divide the gradient by the running standard deviation of v_s - baseline
            where that exceeds 1, see `ScoreFunction`. Default: False.
        decay: Float in [0, 1), decay of that running variance for each training step. Default: 0.99.

    Raises:
        ValueError: An argument is out of range, or the estimator does not take these latents.

    Example:
        >>> from tf_discrete import seeds
        >>> estimator, logits = DoubleCV(), tf.zeros([3, 5, 4])
        >>> noise = estimator.draw_noise(seeds.base(0), logits, num_samples=2)
        >>> estimator.estimate(lambda z: tf.reduce_sum(z[..., 0], -1) ** 2, logits, noise).value.shape
        TensorShape([3])

    Reference:
        Titsias, Shi. Double control variates for gradient estimation in discrete latent variable models.
        2021. arXiv:2111.05300.
    """

    spec = base.Spec(
        exact_for="any",
        relaxed=False,
        noise="discrete",
        evaluations="1",
        min_samples=2,
        reductions=("mean",),
        reference="Titsias, Shi 2021, arXiv:2111.05300",
    )

    def __init__(
        self,
        latents: str = "categorical",
        scale: float = 1.0,
        learn_scale: bool = True,
        baseline: BaselineLike = "leave_one_out",
        variance_normalization: bool = False,
        decay: float = 0.99,
        **kwargs: Any,
    ):
        super().__init__(latents, baseline, variance_normalization, decay, **kwargs)
        self.initial_scale = checks.number("scale", scale, lowest=-MAX_SCALE, highest=MAX_SCALE)
        self.learn_scale = checks.flag("learn_scale", learn_scale)
        self.learned_scale = None
        if learn_scale:
            self.learned_scale = self.add_weight(
                shape=(),
                initializer=tf.constant_initializer(self.initial_scale),
                name="learned_scale",
            )

    @property
    def min_samples(self) -> int:
        return max(self.spec.min_samples, super().min_samples)

    @property
    def scale(self) -> tf.Tensor:
        """Returns the scale now, float32 scalar."""
        learned = self.initial_scale if self.learned_scale is None else self.learned_scale
        return tf.convert_to_tensor(learned, tf.float32)

    def _estimate(self, call: score.ScoreCall) -> Estimate:
        call, z = self._tiled(call), tf.convert_to_tensor(call.noise)
        with tf.GradientTape() as tape:
            tape.watch(z)
            evaluation = reductions.evaluate(call.objective_fn, z, self.event_rank)
            total = tf.reduce_sum(evaluation.value)
            if evaluation.reduction is not None:  # An inner layer has averaged over the samples.
                total *= tf.cast(tf.shape(z)[0], total.dtype)
        slope = tf.stop_gradient(tape.gradient(total, z, unconnected_gradients="zero"))
        estimate = reductions.reduced(evaluation, call.reduce)
        return self._attach(call, estimate, self._with_slopes(call, estimate, slope))

    def _with_slopes(
        self, call: score.ScoreCall, estimate: Estimate, slope: tf.Tensor
    ) -> score.ScoreGradient:
        """The gradient, from df/dz at each sample, [S, *B, *value_shape]."""
        logits = tf.stop_gradient(call.logits)
        distribution, dtype = self.distribution(logits), logits.dtype
        slope = tf.cast(slope, dtype)
        others = (tf.reduce_sum(slope, axis=0, keepdims=True) - slope) / tf.cast(
            tf.shape(slope)[0] - 1, dtype
        )
        z = tf.cast(call.noise, dtype)
        event = list(range(-self.event_rank, 0))
        control = tf.reduce_sum(others * (z - distribution.probs), axis=event)
        values = tf.cast(estimate.per_sample, dtype)
        # The baseline is linear in the values, so that at any scale the residual is between these two.
        plain, controlled = self._residual(call, values), self._residual(call, values - control)
        scale, normalizer = tf.cast(self.scale, dtype), self._scale(dtype)
        fixed = tf.stop_gradient(scale)
        credit = self._weigh(call, plain + fixed * (controlled - plain))
        scores, through_mean = distribution.score(z), distribution.probs_vjp(others)
        weight = call.weight / normalizer
        gradient = sampling.expand(credit.weight, self.event_rank) * scores
        gradient += fixed * weight * through_mean
        if self.learned_scale is None or not call.training:
            return score.ScoreGradient(gradient, credit.loss)
        change = sampling.expand(weight * (controlled - plain), self.event_rank) * scores
        change = tf.stop_gradient(change + weight * through_mean)
        # The gradient is linear in the scale, and its square has the gradient of the variance.
        line = tf.stop_gradient(gradient) + (scale - fixed) * change
        shared = call.given.shape.rank < call.logits.shape.rank
        if shared:  # The samples have one gradient, the sum of theirs.
            line = tf.reduce_sum(line, axis=0, keepdims=True)
        power = tf.reduce_sum(tf.square(line), axis=event)
        auxiliary = tf.broadcast_to(power, tf.shape(values))
        if credit.loss is not None:
            auxiliary += credit.loss
        return score.ScoreGradient(gradient, auxiliary)

    def get_config(self) -> Config:
        return {
            **super().get_config(),
            "scale": self.initial_scale,
            "learn_scale": self.learn_scale,
        }
