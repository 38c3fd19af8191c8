"""The score function estimator (REINFORCE) with any baseline."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tf_discrete.estimators import base, sampling, score
from tf_discrete.estimators.centered import CenteredScoreEstimator
from tf_discrete.estimators.registry import register
from tf_discrete.types import BaselineLike, Estimate


@register("score_function")
class ScoreFunction(CenteredScoreEstimator):
    """Weighs the gradient of log q(z) with the objective at z, less a baseline that z does not reach.

    gradient = mean over s of (f(z_s) - baseline) * d log q(z_s) / d logits, z_s ~ q. Unbiased for every
    objective; one evaluation a sample. Under `reduce=log_mean_exp` the whole bound takes the place of
    f(z_s), and the leave-one-out baseline makes it VIMCO.

    Args:
        latents: Kind of latents, see `tf_discrete.distributions.names()`.
        baseline: "leave_one_out" (the other samples, so at least two are drawn), "none",
            "moving_average" (of past batches), "learned" (a network on the context, or on q where there
            is none), a number (a constant), or an object of `tf_discrete.estimators.baselines`.
            Default: "leave_one_out".
        variance_normalization: divide by the running standard deviation of f(z) - baseline where that
            exceeds 1. The gradient is then unbiased up to this one positive number, `gradient_scale`,
            by which `objectives.elbo` divides the gradient of the KL too. Default: False.
        decay: Float in [0, 1), decay of that running variance for each training step. Default: 0.99.

    Raises:
        ValueError: An argument is out of range, or the estimator does not take these latents.

    Example:
        >>> from tf_discrete import seeds
        >>> estimator = ScoreFunction()
        >>> logits = tf.Variable(tf.zeros([3, 5]))
        >>> noise = estimator.draw_noise(seeds.base(0), logits, num_samples=2)
        >>> with tf.GradientTape() as tape:
        ...     value = estimator.estimate(lambda z: tf.reduce_sum(z[..., 0], -1), logits, noise).value
        >>> tape.gradient(value, logits).shape
        TensorShape([3, 5])

    Reference:
        Williams. Simple statistical gradient-following algorithms. 1992. doi:10.1007/BF00992696.
        Kool, van Hoof, Welling. Buy 4 REINFORCE samples, get a baseline for free! 2019.
        Mnih, Gregor. Neural variational inference and learning in belief networks. 2014.
        arXiv:1402.0030.
    """

    spec = base.Spec(
        exact_for="any",
        relaxed=False,
        noise="discrete",
        evaluations="1",
        min_samples=2,
        reductions=("mean", "log_mean_exp"),
        reference="Williams 1992; Kool, van Hoof, Welling 2019",
    )

    def __init__(
        self,
        latents: str = "categorical",
        baseline: BaselineLike = "leave_one_out",
        variance_normalization: bool = False,
        decay: float = 0.99,
        **kwargs: Any,
    ):
        super().__init__(latents, baseline, variance_normalization, decay, **kwargs)

    def _gradient(
        self, call: score.ScoreCall, z: tf.Tensor, estimate: Estimate
    ) -> score.ScoreGradient:
        credit = self._credit(call, estimate.per_sample)
        scores = self.distribution(call.logits).score(z)
        return score.ScoreGradient(
            sampling.expand(credit.weight, self.event_rank) * scores, credit.loss
        )
