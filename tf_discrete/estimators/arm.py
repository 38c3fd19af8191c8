"""ARM: augment, REINFORCE, merge."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tf_discrete.distributions import noise as noise_lib
from tf_discrete.estimators import antithetic, base, sampling
from tf_discrete.estimators.registry import register
from tf_discrete.types import Seed


@register("arm")
class ARM(antithetic.PairEstimator):
    """Compares two opposite samples made from the same uniform numbers u.

    With z = [u < sigmoid(logits)] and z' = [u > sigmoid(-logits)],
    gradient = (f(z) - f(z')) * (1/2 - u). Unbiased for every objective, nothing to tune. The value is
    the mean of the pair. Two evaluations a sample. Bernoulli latents only; `disarm` has less variance at
    the same cost, and takes categories too.

    Args:
        latents: "bernoulli".
        variance_normalization: Of half the difference of the pair, see `ScoreFunction`. Default: False.
        decay: Float in [0, 1), decay of its running variance for each training step. Default: 0.99.

    Raises:
        ValueError: An argument is out of range, or the estimator does not take these latents.

    Example:
        >>> from tf_discrete import seeds
        >>> estimator, logits = ARM(), tf.zeros([3, 5])
        >>> noise = estimator.draw_noise(seeds.base(0), logits)
        >>> estimator.estimate(lambda z: tf.reduce_sum(z, -1) ** 2, logits, noise).value.shape
        TensorShape([3])

    Reference:
        Yin, Zhou. ARM: augment-REINFORCE-merge gradient for stochastic binary networks. 2018.
        arXiv:1807.11143.
    """

    spec = base.Spec(
        exact_for="any",
        relaxed=False,
        noise="continuous",
        evaluations="2",
        min_samples=1,
        reductions=("mean",),
        reference="Yin, Zhou 2018, arXiv:1807.11143",
        draws=2,
        only=("bernoulli",),  # The paper pairs uniform numbers of bits; `arsm` is for categories.
    )

    def __init__(
        self,
        latents: str = "bernoulli",
        variance_normalization: bool = False,
        decay: float = 0.99,
        **kwargs: Any,
    ):
        super().__init__(latents, variance_normalization, decay, **kwargs)

    def _draw(self, seed: Seed, logits: tf.Tensor, num_samples: int | None) -> tf.Tensor:
        return noise_lib.open_uniform(seed, sampling.noise_shape(logits, num_samples), logits.dtype)

    def _pair(self, logits: tf.Tensor, noise: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        first, second = antithetic.bits(noise, logits)
        direction = 1.0 - 2.0 * noise
        # A certain bit's gradient is 0 in the mean; it is 0 in every sample.
        certain = ~tf.math.is_finite(logits)
        return first, second, tf.where(certain, tf.zeros_like(direction), direction)
