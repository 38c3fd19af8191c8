"""ReinMax-CV: ReinMax with the difference of two relaxed gradients added."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tf_discrete import seeds
from tf_discrete._internal import checks
from tf_discrete.estimators.registry import register
from tf_discrete.estimators.reinmax_rao import ReinMaxRao
from tf_discrete.types import Config, Sample, ScheduleLike, Seed, Tensor, WithGradient


@register("reinmax_cv")
class ReinMaxCV(ReinMaxRao):
    """One-hot sample forward; backward, ReinMax plus the difference of Gumbel-Rao and Gumbel-Softmax.

        D = one_hot(argmax(logits + G_0)),  p = softmax(logits),  l = log((p + D) / 2)
        G_m ~ Gumbel noise given argmax(l + G_m) = D,  m = 1 .. M
        r_m = J(softmax((l + G_m) / temperature)) g / temperature,  m = 0 .. M
        gradient = 2 J((p + D) / 2) g - J(p) g / 2 + scale * (1/M sum_m r_m - r_0),  m = 1 .. M in the sum

    J(p) g = p * (g - p . g), and g is the gradient of the objective at D. The first two terms are ReinMax at
    temperature 1. The article calls the difference a control variate; its mean is not 0, because G_0 is
    noise given argmax(logits + G_0) = D, and the G_m are given argmax(l + G_m) = D, which is more probable.
    The gradient is therefore biased for every objective. With G_0 from the distribution of the G_m the mean
    is that of ReinMax, and the variance is larger for every scale but 0 (docs/estimators.md, Errata). As it
    is the variance is larger, too, on the objectives of the tests. At scale 0 this is ReinMax. One
    evaluation a sample; noise and backward pass take memory and time in proportion to M * N * K for each
    sample.

    The formula is that of the authors' published code at temperature 1. There the temperature divides r_0
    outside of the softmax alone; here it does so in both places, as in the G_m.

    Args:
        temperature: Positive float or schedule, temperature of both relaxations. Default: 1.0.
        scale: Finite number, factor of the difference. Default: 0.7.
        num_conditional: M >= 1, number of noise samples given the one-hot sample. Default: 10.
        latents: "categorical" or "bernoulli".

    Raises:
        ValueError: num_conditional < 1, or a scale that is not a number.

    Example:
        >>> from tf_discrete import seeds
        >>> estimator = ReinMaxCV(scale=0.5)
        >>> logits = tf.zeros([2, 5])
        >>> estimator.sample(logits, estimator.draw_noise(seeds.base(0), logits)).value.shape
        TensorShape([1, 2, 5])

    Reference:
        Wang, Bui. Beyond ReinMax: low-variance gradient estimators for discrete latent variables. 2026.
        arXiv:2603.08257.
    """

    def __init__(
        self,
        temperature: ScheduleLike = 1.0,
        scale: float = 0.7,
        num_conditional: int = 10,
        latents: str = "categorical",
        **kwargs: Any,
    ):
        super().__init__(temperature, num_conditional, latents, **kwargs)
        self.scale = checks.number("scale", scale)

    def _draw(self, seed: Seed, logits: tf.Tensor, num_samples: int | None) -> tf.Tensor:
        """Returns the sample, the noise that made it and M at the halfway logits: [S, *B, 2 + M, ...]."""
        noise = super()._draw(seed, logits, num_samples)
        hard, others = tf.split(noise, [1, self.num_conditional], axis=self._stack_axis)
        own = self._conditional_noise(
            seeds.fold(seed, "own"), logits, tf.squeeze(hard, axis=self._stack_axis), count=1
        )
        return tf.concat([hard, own, others], axis=self._stack_axis)

    def _sample(self, logits: tf.Tensor, noise: Tensor) -> Sample:
        hard, own, others = tf.split(noise, [1, 1, self.num_conditional], axis=self._stack_axis)
        hard = tf.squeeze(hard, axis=self._stack_axis)
        logits = self._tile(logits, hard)
        probs = self.distribution(logits).probs
        own, others = (self._relaxed(logits, hard, part) for part in (own, others))
        jacobian = self.relaxable_kind.jacobian_product

        @tf.custom_gradient
        def corrected(logits: tf.Tensor) -> WithGradient:
            def backward(upstream: tf.Tensor) -> tf.Tensor:
                midpoint = 0.5 * (probs + hard)
                reinmax = 2.0 * jacobian(midpoint, upstream) - 0.5 * jacobian(probs, upstream)
                difference = self._relaxed_product(others, upstream) - self._relaxed_product(
                    own, upstream
                )
                return reinmax + self.scale * difference

            return tf.identity(hard), backward

        return Sample(corrected(logits), self.distribution(logits).code(hard))

    def get_config(self) -> Config:
        return {**super().get_config(), "scale": self.scale}
