"""ARM: augment, REINFORCE, merge."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from tf_discrete import types
from tf_discrete.distributions import noise as noise_lib
from tf_discrete.estimators import antithetic, backward, base, sampling
from tf_discrete.estimators.registry import register
from tf_discrete.types import Estimate, Reduction, Seed, Tensor


@register("arm")
class ARM(base.ScoreEstimator):
    """Compares two opposite draws made from the same uniform numbers u.

    With z = [u < sigmoid(logits)] and z' = [u > sigmoid(-logits)],
    gradient = (f(z) - f(z')) * (1/2 - u). Unbiased for every objective, nothing to tune. The value is
    the mean of the pair. Two evaluations a sample. Bernoulli latents only; `disarm` has less variance at
    the same cost, and takes categories too.

    Args:
        latents: "bernoulli".

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

    def __init__(self, latents: str = "bernoulli", **kwargs: object):
        super().__init__(latents=latents, **kwargs)

    def draw_noise(self, seed: Seed, logits: Tensor, num_samples: int | None = 1) -> tf.Tensor:
        logits = types.at_least_float32(logits)
        return noise_lib.open_uniform(seed, sampling.noise_shape(logits, num_samples), logits.dtype)

    def estimate(
        self,
        objective_fn: base.ObjectiveFn,
        logits: Tensor,
        noise: Tensor,
        *,
        reduce: Reduction | None = base.mean,
        context: Tensor | None = None,
        control_fn: Callable[..., Tensor] | None = None,
        training: bool = False,
    ) -> Estimate:
        self.check(noise.shape[0], reduce)
        logits = tf.broadcast_to(types.at_least_float32(logits), tf.shape(noise))
        first, second = (tf.stop_gradient(z) for z in antithetic.bits(noise, logits))
        estimate, half = antithetic.evaluate_pair(objective_fn, first, second, 1, reduce)
        gradient = sampling.expand(half, 1) * (1.0 - 2.0 * noise)
        # A certain bit's gradient is 0 in the mean; it is 0 in every draw.
        gradient = tf.where(tf.math.is_finite(logits), gradient, tf.zeros_like(gradient))
        value = backward.attach(estimate.value, logits, gradient, 1)
        return estimate._replace(value=value, pathwise=False)
