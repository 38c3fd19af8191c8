"""ARSM: augment, REINFORCE, swap, merge: ARM for categories."""

from __future__ import annotations

import itertools
from typing import Any

import tensorflow as tf

from tf_discrete.distributions import noise as noise_lib
from tf_discrete.estimators import base, reductions, sampling, score
from tf_discrete.estimators.normalized import NormalizedScoreEstimator
from tf_discrete.estimators.registry import register
from tf_discrete.types import Estimate, Seed


@register("arsm")
class ARSM(NormalizedScoreEstimator):
    """Compares the samples that one point of the simplex makes when its coordinates change places.

    With p uniform on the simplex, z = argmin over k of log p_k - logits_k, and z(c, j) the same after p_c
    and p_j have changed places (in every variable at once),
    gradient_c = sum over j of (f(z(c, j)) - mean over m of f(z(m, j))) * (1 / K - p_j).
    Unbiased for every objective, nothing to tune; for K = 2 it is ARM. The value is f(z). It takes
    1 + K (K - 1) / 2 evaluations a sample, all but the first without a backward pass; their samples are found
    from K**3 / 2 numbers a variable, so time and memory grow with K**3: little variance for small K, out of
    reach for large. Categorical latents only; for bits take `arm`.

    Args:
        latents: "categorical".
        variance_normalization: Of f(z(c, j)) less its mean over c, see `ScoreFunction`. Default: False.
        decay: Float in [0, 1), decay of its running variance for each training step. Default: 0.99.

    Raises:
        ValueError: An argument is out of range, or the estimator does not take these latents.

    Example:
        >>> from tf_discrete import seeds
        >>> estimator, logits = ARSM(), tf.zeros([3, 5, 4])
        >>> noise = estimator.draw_noise(seeds.base(0), logits)
        >>> estimator.estimate(lambda z: tf.reduce_sum(z[..., 0], -1), logits, noise).value.shape
        TensorShape([3])

    Reference:
        Yin, Yue, Zhou. ARSM: augment-REINFORCE-swap-merge estimator for gradient backpropagation through
        categorical variables. 2019. arXiv:1905.01413.
    """

    spec = base.Spec(
        exact_for="any",
        relaxed=False,
        noise="continuous",
        evaluations="1 + K(K-1)/2",
        min_samples=1,
        reductions=("mean",),
        reference="Yin, Yue, Zhou 2019, arXiv:1905.01413",
        only=("categorical",),
    )

    def __init__(
        self,
        latents: str = "categorical",
        variance_normalization: bool = False,
        decay: float = 0.99,
        **kwargs: Any,
    ):
        super().__init__(latents, variance_normalization, decay, **kwargs)

    def _draw(self, seed: Seed, logits: tf.Tensor, num_samples: int | None) -> tf.Tensor:
        """Logarithms of points that are uniform on the simplex, float [S, *B, N, K]."""
        shape = sampling.noise_shape(logits, num_samples)
        # Standard exponential variables over their sum.
        return tf.nn.log_softmax(-noise_lib.gumbel(seed, shape, logits.dtype))

    def _sample(self, call: score.ScoreCall) -> tf.Tensor:
        fixed = tf.stop_gradient(call.logits)
        code = tf.argmin(call.noise - fixed, axis=-1, output_type=tf.int32)
        return self.distribution(fixed).from_digits(code)

    def _gradient(
        self, call: score.ScoreCall, z: tf.Tensor, estimate: Estimate
    ) -> score.ScoreGradient:
        fixed, noise = tf.stop_gradient(call.logits), call.noise
        # The samples of all swaps in one call: [P * S, *B, N, K].
        swapped = _swapped(noise, fixed)
        folded = tf.reshape(swapped, tf.concat([[-1], tf.shape(noise)[1:-1]], axis=0))
        z_swapped = self.distribution(fixed).from_digits(folded)
        others = reductions.evaluate(call.objective_fn, z_swapped, self.event_rank).per_sample
        others = tf.reshape(others, tf.concat([[-1], tf.shape(noise)[:-2]], axis=0))
        values = tf.concat([estimate.per_sample[tf.newaxis], others], axis=0)
        categories = fixed.shape[-1]
        table = tf.gather(values, _places(categories))  # [K, K, S, *B]
        table -= tf.reduce_mean(table, axis=0, keepdims=True)
        rank = table.shape.rank
        table = tf.cast(tf.transpose(table, [*range(2, rank), 0, 1]), fixed.dtype)
        gradient = tf.linalg.matmul(1.0 / categories - tf.exp(noise), table, transpose_b=True)
        # A masked category's gradient is 0 in the mean; it is 0 in every sample.
        gradient = tf.where(tf.math.is_finite(fixed), gradient, tf.zeros_like(gradient))
        scale = self._scale(gradient.dtype)
        self._take_in(call, table)
        return score.ScoreGradient(call.weight * gradient / scale)


def _pairs(categories: int) -> list[tuple[int, int]]:
    return list(itertools.combinations(range(categories), 2))


def _swapped(log_point: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Returns the codes that are drawn after each swap, int32 [P, S, *B, N]."""
    categories = logits.shape[-1]
    orders: list[list[int]] = []
    for c, j in _pairs(categories):
        order = list(range(categories))
        order[c], order[j] = j, c
        orders.append(order)
    points = tf.gather(log_point, tf.constant(orders), axis=-1)
    codes = tf.argmin(points - logits[..., tf.newaxis, :], axis=-1, output_type=tf.int32)
    return tf.transpose(codes, [codes.shape.rank - 1, *range(codes.shape.rank - 1)])


def _places(categories: int) -> tf.Tensor:
    """Where the value of the swap (c, j) stands, [K, K]; at 0 that of no swap."""
    places = [[0] * categories for _ in range(categories)]
    for place, (c, j) in enumerate(_pairs(categories), start=1):
        places[c][j] = places[j][c] = place
    return tf.constant(places)
