"""Slope-annealed straight-through: the codes of logits that grow steeper as training goes on."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tf_discrete import types
from tf_discrete.distributions.discrete import Discrete
from tf_discrete.estimators import backward, base
from tf_discrete.estimators.registry import register
from tf_discrete.estimators.straight_through import StraightThrough
from tf_discrete.schedules import Linear, ScheduledVariable
from tf_discrete.types import Config, Sample, ScheduleLike, Tensor


@register("slope_annealed_straight_through")
class SlopeAnnealedStraightThrough(base.PathwiseEstimator):
    """Draws z from softmax(slope * logits) and differentiates its probabilities, with a growing slope.

        z = D,  D ~ Categorical(softmax(slope * logits))
        dz/dlogits = d softmax(slope * logits) / dlogits      (sigmoid for Bernoulli latents)

    It is straight-through of steeper logits: at slope 1, where the default schedule starts, that is
    `StraightThrough`, draw by draw. As the slope grows the codes become more certain and the function that
    is differentiated comes closer to the argmax. Codes, KL, posterior and export are those of the steeper
    logits, too: were only the backward function steeper, it would move away from the samples. The
    slope is therefore a part of the model, and its files keep it. Exact for objectives that are linear in
    z, at every slope. It costs what straight-through costs, one evaluation a sample.

    Args:
        slope: Positive float or schedule, factor of the logits. Default: from 1 to 5 on a straight line
            over 50 000 steps; the trainers stretch it over the run (`--slope_final`, `--slope_steps`).
        latents: Kind of latents, see `tf_discrete.distributions.names()`. Bernoulli ones have a
            sigmoid in place of the softmax.

    Raises:
        ValueError: An argument is out of range, or the estimator does not take these latents.

    Example:
        >>> from tf_discrete import schedules, seeds
        >>> estimator = SlopeAnnealedStraightThrough(slope=schedules.Linear(1.0, 3.0, steps=10_000))
        >>> logits = tf.zeros([2, 5])
        >>> estimator.sample(logits, estimator.draw_noise(seeds.base(0), logits)).code.shape
        TensorShape([1, 2])

    Reference:
        Chung, Ahn, Bengio. Hierarchical multiscale recurrent neural networks. 2016. arXiv:1609.01704.
        Compared in Jang, Gu, Poole. Categorical reparameterization with Gumbel-Softmax. 2016.
    """

    spec = StraightThrough.spec._replace(reference="Chung, Ahn, Bengio 2016, arXiv:1609.01704")

    def __init__(
        self, slope: ScheduleLike | None = None, latents: str = "categorical", **kwargs: Any
    ):
        super().__init__(latents=latents, **kwargs)
        slope = Linear(1.0, 5.0, steps=50_000) if slope is None else slope
        self.slope = ScheduledVariable(slope, name="slope", positive=True)

    def distribution(self, logits: Tensor) -> Discrete:
        """Returns softmax(slope * logits)."""
        logits = types.at_least_float32(logits)
        return super().distribution(tf.cast(self.slope.value, logits.dtype) * logits)

    def _sample(self, logits: tf.Tensor, noise: Tensor) -> Sample:
        distribution = self.distribution(self._tile(logits, noise))
        return Sample(
            backward.straight_through(noise, distribution.probs), distribution.code(noise)
        )

    def get_config(self) -> Config:
        return {**super().get_config(), "slope": self.slope.get_config()["schedule"]}
