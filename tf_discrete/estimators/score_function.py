"""The score function estimator (REINFORCE) with a leave-one-out baseline."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tf_discrete import types
from tf_discrete.estimators import base, baselines
from tf_discrete.estimators.registry import register
from tf_discrete.types import Estimate, Reduction, Seed, Tensor


@register("score_function")
class ScoreFunction(base.ScoreEstimator):
    """Weighs the gradient of log q(z) with the objective at z, less a baseline that z does not reach.

    Unbiased for every objective. The baseline of a sample is made of the other samples, so at least two
    are drawn. With `reduce=log_mean_exp` this estimator is VIMCO.

    Args:
        latents: "categorical" or "bernoulli".

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
        Mnih, Rezende. Variational inference for Monte Carlo objectives. 2016. arXiv:1602.06725.
    """

    spec = base.Spec(
        supports=("categorical", "bernoulli"),
        exact_for="any",
        relaxed=False,
        noise="discrete",
        evaluations="1",
        min_samples=2,
        reductions=("mean", "log_mean_exp"),
        reference="Williams 1992; Kool, van Hoof, Welling 2019; Mnih, Rezende 2016, arXiv:1602.06725",
    )

    def draw_noise(self, seed: Seed, logits: Tensor, num_samples: int | None = 1) -> tf.Tensor:
        self.check(num_samples, None)
        return base.draw_codes(self.law(logits), seed, num_samples)

    def estimate(
        self,
        objective_fn: base.ObjectiveFn,
        logits: Tensor,
        noise: Tensor,
        *,
        reduce: Reduction | None = base.mean,
        context: Tensor | None = None,
        control_fn: Callable[..., Tensor] | None = None,
    ) -> Estimate:
        self.check(noise.shape[0], reduce)
        logits = tf.broadcast_to(types.at_least_float32(logits), tf.shape(noise))
        evaluation = base.evaluate(objective_fn, noise, self.event_rank)
        estimate = base.reduced(evaluation, reduce)
        credit = baselines.leave_one_out(estimate.per_sample, reduce)
        gradient = _expand(credit, self.event_rank) * self.law(logits).score(noise)
        value = base.attach(estimate.value, logits, gradient, self.event_rank)
        return estimate._replace(value=value, pathwise=False)


def _expand(values: tf.Tensor, axes: int) -> Any:
    for _ in range(axes):
        values = values[..., tf.newaxis]
    return values
