"""Gapped straight-through: the backward logits are moved until they agree with the sample."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tf_discrete._internal import checks
from tf_discrete.distributions import Relaxable
from tf_discrete.estimators import backward
from tf_discrete.estimators.registry import register
from tf_discrete.estimators.straight_through import StraightThrough
from tf_discrete.types import Config, Sample, ScheduleLike, Tensor


@register("gapped_straight_through")
class GappedStraightThrough(StraightThrough):
    """One-hot sample forward; backward, a softmax whose logits favour the sampled category by a gap.

        D ~ Categorical(softmax(logits)),  top = max_k logits_k
        moved_k = top                        where D_k = 1
                  min(logits_k, top - gap)   elsewhere
        dz/dlogits = d softmax((logits + m) / temperature) / dlogits,  m = moved - logits held constant

    The moves m keep two properties of straight-through Gumbel-Softmax, that the backward softmax has its
    mode at the sample and sets it apart, without its noise, so the variance is smaller. For a Bernoulli
    logit l and the sign s of the drawn bit the moved logit is s max(s l, gap). The gradient is biased for
    every objective. Where the sample is the mode and ahead by the gap already, this is straight-through;
    as the gap grows the gradient vanishes. It costs one evaluation a sample.

    Args:
        temperature: Positive float or schedule, temperature of the backward softmax. Default: 1.0.
        gap: smallest lead of the drawn category over all others in the backward pass, in logits, >= 0.
            Default: 1.0.
        latents: "categorical" or "bernoulli".

    Raises:
        ValueError: a gap that is negative or not a number.

    Example:
        >>> from tf_discrete import seeds
        >>> estimator = GappedStraightThrough(temperature=0.7, gap=1.0)
        >>> logits = tf.zeros([2, 5])
        >>> estimator.sample(logits, estimator.draw_noise(seeds.base(0), logits)).value.shape
        TensorShape([1, 2, 5])

    Reference:
        Fan, Chi, Rudnicky, Ramadge. Training discrete deep generative models via gapped straight-through
        estimator. 2022. arXiv:2206.07235.
    """

    spec = StraightThrough.spec._replace(
        exact_for="none",
        reference="Fan, Chi, Rudnicky, Ramadge 2022, arXiv:2206.07235",
        interface=Relaxable,
    )

    def __init__(
        self,
        temperature: ScheduleLike = 1.0,
        gap: float = 1.0,
        latents: str = "categorical",
        **kwargs: Any,
    ):
        super().__init__(temperature=temperature, latents=latents, **kwargs)
        self.gap = checks.number("gap", gap, lowest=0.0)

    def _sample(self, logits: tf.Tensor, noise: Tensor) -> Sample:
        logits = self._tile(logits, noise)
        moves = self.relaxable_kind(logits).with_lead(noise, self.gap)
        moved = logits + tf.stop_gradient(moves)
        soft = self.distribution(moved / tf.cast(self.temperature.value, logits.dtype)).probs
        return Sample(backward.straight_through(noise, soft), self.distribution(logits).code(noise))

    def get_config(self) -> Config:
        return {**super().get_config(), "gap": self.gap}
