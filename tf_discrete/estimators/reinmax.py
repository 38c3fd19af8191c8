"""ReinMax: straight-through of second order."""

from __future__ import annotations

import tensorflow as tf

from tf_discrete.distributions import Relaxable
from tf_discrete.estimators.registry import register
from tf_discrete.estimators.straight_through import StraightThrough
from tf_discrete.types import Sample, Tensor, WithGradient


@register("reinmax")
class ReinMax(StraightThrough):
    """One-hot sample forward; backward, Heun's second-order rule between the sample and its mean.

    With D the sample, p0 = softmax(logits), p1 = (softmax(logits / temperature) + D) / 2 and J(p) the
    Jacobian of the softmax at probabilities p, the gradient is 2 J(p1) g - J(p0) g / 2. At temperature
    1 its expectation is exact for objectives that are quadratic in z.

    Args:
        temperature: Positive float or schedule, at least 1 in the paper. Default: 1.0.
        latents: "categorical" or "bernoulli".

    Raises:
        ValueError: An argument is out of range, or the estimator does not take these latents.

    Example:
        >>> from tf_discrete import seeds
        >>> estimator = ReinMax()
        >>> logits = tf.zeros([2, 5])
        >>> estimator.sample(logits, estimator.draw_noise(seeds.base(0), logits)).value.shape
        TensorShape([1, 2, 5])

    Reference:
        Liu, Dong, Liu, Yu, Gao. Bridging discrete and backpropagation: straight-through and beyond.
        2023. arXiv:2304.08612.
    """

    spec = StraightThrough.spec._replace(
        exact_for="quadratic",
        reference="Liu, Dong, Liu, Yu, Gao 2023, arXiv:2304.08612",
        interface=Relaxable,
    )

    def _sample(self, logits: tf.Tensor, noise: Tensor) -> Sample:
        logits = self._tile(logits, noise)
        temperature = tf.cast(self.temperature.value, logits.dtype)
        probs = self.distribution(logits).probs
        midpoint = 0.5 * (self.distribution(logits / temperature).probs + noise)
        jacobian = self.relaxable_kind.jacobian_product

        @tf.custom_gradient
        def second_order(logits: tf.Tensor) -> WithGradient:
            def backward(upstream: tf.Tensor) -> tf.Tensor:
                return 2.0 * jacobian(midpoint, upstream) - 0.5 * jacobian(probs, upstream)

            return tf.identity(noise), backward

        return Sample(second_order(logits), self.distribution(logits).code(noise))
