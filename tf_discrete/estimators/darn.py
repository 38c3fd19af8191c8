"""DARN: the score function with a first-order Taylor baseline, its correction left out."""

from __future__ import annotations

import tensorflow as tf

from tf_discrete.distributions import Relaxable
from tf_discrete.estimators import base
from tf_discrete.estimators.registry import register
from tf_discrete.types import Sample, Tensor, WithGradient


@register("darn")
class DARN(base.PathwiseEstimator):
    """Guesses f at a fixed centre from its slope at the sample, and weighs the score by the difference.

    gradient = f'(z) . (z - c) * d log q(z) / d logits, with c = 1/2 for a Bernoulli variable and the
    uniform distribution over the (unmasked) categories for a categorical one: the score function with the
    baseline f(z) + f'(z) . (c - z), without the correction that would make it unbiased. Exact for
    objectives linear in z, for Bernoulli variables also quadratic; for two categories it is ReinMax at
    temperature 1. The gradient is linear in f'(z), so this is a pathwise estimator that a layer can
    hold. One evaluation a sample.

    Args:
        latents: "categorical" or "bernoulli".

    Raises:
        ValueError: An argument is out of range, or the estimator does not take these latents.

    Example:
        >>> from tf_discrete import seeds
        >>> estimator = DARN()
        >>> logits = tf.zeros([2, 5])
        >>> estimator.sample(logits, estimator.draw_noise(seeds.base(0), logits)).value.shape
        TensorShape([1, 2, 5])

    Reference:
        Gregor, Danihelka, Mnih, Blundell, Wierstra. Deep autoregressive networks. 2013. arXiv:1310.8499.
        Jang, Gu, Poole. Categorical reparameterization with Gumbel-Softmax. 2016. arXiv:1611.01144.
    """

    spec = base.Spec(
        exact_for="linear",
        relaxed=False,
        noise="discrete",
        evaluations="1",
        min_samples=1,
        reductions=("mean", "log_mean_exp"),
        reference="Gregor et al. 2013, arXiv:1310.8499",
        exact_for_kind={"bernoulli": "quadratic"},
        interface=Relaxable,
    )

    def _sample(self, logits: tf.Tensor, noise: Tensor) -> Sample:
        logits = self._tile(logits, noise)
        kind, distribution = self.relaxable_kind(logits), self.distribution(logits)
        from_centre, score = noise - kind.centre(), distribution.score(noise)
        own_axes = list(range(1 - self.event_rank, 0))  # Of one variable: its categories, or none.

        @tf.custom_gradient
        def draw(logits: tf.Tensor) -> WithGradient:
            def backward(upstream: tf.Tensor) -> tf.Tensor:
                difference = tf.reduce_sum(upstream * from_centre, axis=own_axes, keepdims=True)
                return difference * score

            return tf.identity(noise), backward

        return Sample(draw(logits), distribution.code(noise))
