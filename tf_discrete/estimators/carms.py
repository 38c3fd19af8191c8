"""CARMS: the leave-one-out score function with samples that avoid one another."""

from __future__ import annotations

import itertools
from typing import Any

import tensorflow as tf

from tf_discrete._internal import checks
from tf_discrete.distributions import noise as noise_lib
from tf_discrete.estimators import antithetic, base, copulas, sampling, score
from tf_discrete.estimators.normalized import NormalizedScoreEstimator
from tf_discrete.estimators.registry import register
from tf_discrete.types import Config, Estimate, Seed


@register("carms")
class CARMS(NormalizedScoreEstimator):
    """Compares M samples that are opposite to one another, each pair by what its categories tell.

    Every variable is sampled M times by breaking a stick, the least probable category first, with uniform
    numbers that cannot all be small together: a Dirichlet copula. Each sample z_m has the distribution q,
    and two of them rarely agree. With r_n(i, j) = q_n(i) q_n(j) / P(z_l = i, z_m = j in variable n), the
    weight that makes two coupled samples two independent ones, but 0 where i = j,
    gradient_n = mean over pairs l, m of r_n (f(z_l) - f(z_m)) (s_n(z_l) - s_n(z_m)) / 2,  s the score.

    Unbiased for every objective, nothing to tune but M. For M = 2 and two categories it is DisARM, for
    large M the score function with its leave-one-out baseline, where the pairs that agree in a variable,
    whose part has the mean 0, are left out. A baseline would cancel in the differences. The value is the
    mean over the M samples. M evaluations a sample; noise and memory are linear in the number of categories.

    Args:
        latents: Kind of latents, see `tf_discrete.distributions.names()`.
        num_coupled: M, at least 2. Default: 4.
        variance_normalization: Of f(z_m) less the mean over the others, see `ScoreFunction`. Default: False.
        decay: Float in [0, 1), decay of its running variance for each training step. Default: 0.99.

    Raises:
        ValueError: An argument is out of range, or the estimator does not take these latents.

    Example:
        >>> from tf_discrete import seeds
        >>> estimator, logits = CARMS(), tf.zeros([3, 5, 4])
        >>> noise = estimator.draw_noise(seeds.base(0), logits)
        >>> noise.shape  # a number for each stick of each of M samples
        TensorShape([1, 3, 5, 3, 4])
        >>> estimator.estimate(lambda z: tf.reduce_sum(z[..., 0], -1), logits, noise).value.shape
        TensorShape([3])

    Reference:
        Dimitriev, Zhou. CARMS: categorical-antithetic-REINFORCE multi-sample gradient estimator. 2021.
        arXiv:2110.14002.
    """

    spec = base.Spec(
        exact_for="any",
        relaxed=False,
        noise="continuous",
        evaluations="4; in general num_coupled",
        min_samples=1,
        reductions=("mean",),
        reference="Dimitriev, Zhou 2021, arXiv:2110.14002",
        draws=4,
    )

    def __init__(
        self,
        latents: str = "categorical",
        num_coupled: int = 4,
        variance_normalization: bool = False,
        decay: float = 0.99,
        **kwargs: Any,
    ):
        super().__init__(latents, variance_normalization, decay, **kwargs)
        self.num_coupled = checks.whole("num_coupled", num_coupled, lowest=2)

    @property
    def noise_rank(self) -> int:
        return 3  # Variables, sticks, and the coupled samples.

    def _draw(self, seed: Seed, logits: tf.Tensor, num_samples: int | None) -> tf.Tensor:
        log_probs = self.distribution(logits).category_log_probs
        shape = sampling.noise_shape(log_probs, num_samples)
        sticks = [log_probs.shape[-1] - 1, self.num_coupled]
        return noise_lib.open_uniform(seed, tf.concat([shape[:-1], sticks], axis=0), logits.dtype)

    def _estimate(self, call: score.ScoreCall) -> Estimate:
        call = self._tiled(call)
        distribution = self.distribution(tf.stop_gradient(call.logits))
        order, probs = copulas.sticks(distribution.category_log_probs)
        places = copulas.draw(call.noise, probs)
        codes = tf.gather(order, places, batch_dims=order.shape.rank - 1)
        samples = [
            tf.stop_gradient(distribution.from_digits(codes[..., m]))
            for m in range(self.num_coupled)
        ]
        estimate, values = antithetic.evaluate_together(call, samples)
        scale = self._scale(call.logits.dtype)
        ratios = copulas.independence_ratios(probs, self.num_coupled)
        weights = _pair_weights(places, ratios, values) * call.weight / scale
        mean = tf.add_n(values) / self.num_coupled
        # f less the mean over the other samples.
        self._take_in(call, (tf.stack(values) - mean) * self.num_coupled / (self.num_coupled - 1))
        gradient = distribution.weighted_scores(codes, weights)
        return self._attach(call, estimate, score.ScoreGradient(gradient))

    def get_config(self) -> Config:
        return {**super().get_config(), "num_coupled": self.num_coupled}


def _pair_weights(places: tf.Tensor, ratios: tf.Tensor, values: list[tf.Tensor]) -> tf.Tensor:
    """Factors of the score of each variable of each sample, float [S, *B, N, M].

    Args:
        places: int32 [S, *B, N, M], the stick that each sample has taken.
        ratios: float [S, *B, N, K - 1], see `copulas.independence_ratios`.
        values: M times float [S, *B].
    """
    count = len(values)
    weights = [tf.zeros_like(ratios[..., 0])] * count
    for one, other in itertools.combinations(range(count), 2):
        ratio = copulas.at_earlier(ratios, places[..., one], places[..., other])
        half = ratio * sampling.expand(values[one] - values[other], 1) / (count * (count - 1))
        weights[one] += half
        weights[other] -= half
    return tf.stack(weights, axis=-1)
