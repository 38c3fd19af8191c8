"""Pairs of samples that are each other's opposite: what ARM and DisARM share."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from tf_discrete.estimators import reductions, sampling, score
from tf_discrete.estimators.normalized import NormalizedScoreEstimator
from tf_discrete.types import Estimate, Tensor


class PairEstimator(NormalizedScoreEstimator):
    """A score estimator that weighs the difference of two opposite samples by a direction.

    It takes no baseline: whatever both samples are compared with cancels in their difference.
    """

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
        estimate, (one, other) = evaluate_together(call, (first, second))
        half = 0.5 * (one - other)
        credit = call.weight * half / self._scale(half.dtype)
        self._take_in(call, half)
        gradient = sampling.expand(credit, self.event_rank) * direction
        return self._attach(call, estimate, score.ScoreGradient(gradient))


def evaluate_together(
    call: score.ScoreCall, samples: Sequence[Tensor]
) -> tuple[Estimate, list[tf.Tensor]]:
    """Calls the objective on coupled samples, one after the other, so that inner layers share their noise.

    Args:
        call: of the estimator.
        samples: float [S, *B, N(, K)] each.

    Returns:
        estimate: the mean over the samples, in value, auxiliary and per sample.
        values: the objective at each of them, float [S, *B], in the dtype of the logits; no gradient.
    """
    each = [reductions.evaluate(call.objective_fn, z, call.event_rank) for z in samples]
    share = 1.0 / len(each)
    together = Estimate(
        share * tf.add_n([one.value for one in each]),
        share * tf.add_n([one.auxiliary for one in each]),
        share * tf.add_n([one.per_sample for one in each]),
        all(one.pathwise for one in each),
        each[0].reduction,
    )
    values = [tf.cast(tf.stop_gradient(one.per_sample), call.logits.dtype) for one in each]
    return reductions.reduced(together, call.reduce), values


def bits(uniform: Tensor, logits: Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns two Bernoulli samples from one uniform number u, [u < p] and [1 - u < p], in the dtype of u.

    Logits of +-inf are allowed: then both draws are 1, or both 0.
    """
    uniform = tf.convert_to_tensor(uniform)
    first = uniform < tf.sigmoid(logits)
    second = uniform > tf.sigmoid(-logits)
    return tf.cast(first, uniform.dtype), tf.cast(second, uniform.dtype)
