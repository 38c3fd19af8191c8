"""Pairs of samples that are each other's opposite: what ARM and DisARM share."""

from __future__ import annotations

import tensorflow as tf

from tf_discrete.estimators import reductions, sampling, score
from tf_discrete.types import Estimate, Reduction, Tensor


class PairEstimator(score.ScoreEstimator):
    """A score estimator that weighs the difference of two opposite samples by a direction."""

    def _pair(self, logits: tf.Tensor, noise: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Returns two values, and the gradient of each unit of half their difference, all [S, *B, N(, K)].

        Args:
            logits: float [S, *B, N(, K)], without a gradient.
            noise: Noise of `draw_noise`.
        """
        raise NotImplementedError

    def _estimate(self, call: score.ScoreCall) -> Estimate:
        call = self._tiled(call)
        first, second, direction = self._pair(tf.stop_gradient(call.logits), call.noise)
        estimate, half = evaluate_pair(
            call.objective_fn, first, second, self.event_rank, call.reduce
        )
        gradient = sampling.expand(half, self.event_rank) * direction
        return self._attach(call, estimate, score.ScoreGradient(gradient))


def evaluate_pair(
    objective_fn: reductions.ObjectiveFn,
    first: Tensor,
    second: Tensor,
    event_rank: int,
    reduce: Reduction | None,
) -> tuple[Estimate, tf.Tensor]:
    """Calls the objective on both draws, one after the other, so that inner layers share their noise.

    Args:
        objective_fn: see `Estimator.estimate`.
        first, second: float [S, *B, N(, K)].
        event_rank: 2 for categorical, 1 for Bernoulli latents.
        reduce: see `Estimator.estimate`.

    Returns:
        estimate: the mean of the pair, in value, auxiliary and per sample.
        half_difference: (f(first) - f(second)) / 2, float [S, *B], times 1 / S under `mean`; no gradient.
    """
    one, two = (reductions.evaluate(objective_fn, z, event_rank) for z in (first, second))
    both = Estimate(
        0.5 * (one.value + two.value),
        0.5 * (one.auxiliary + two.auxiliary),
        0.5 * (one.per_sample + two.per_sample),
        one.pathwise and two.pathwise,
        one.reduction,
    )
    half = 0.5 * (one.per_sample - two.per_sample)
    weight = sampling.sample_weight(first, reduce, half.dtype)
    return reductions.reduced(both, reduce), tf.stop_gradient(weight * half)


def bits(uniform: Tensor, logits: Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns two Bernoulli samples from one uniform number u, [u < p] and [1 - u < p], in the dtype of u.

    Logits of +-inf are allowed: then both draws are 1, or both 0.
    """
    uniform = tf.convert_to_tensor(uniform)
    first = uniform < tf.sigmoid(logits)
    second = uniform > tf.sigmoid(-logits)
    return tf.cast(first, uniform.dtype), tf.cast(second, uniform.dtype)
