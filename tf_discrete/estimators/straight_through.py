"""Straight-through: a one-hot sample forward, the gradient of softmax(logits) backward."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tf_discrete.estimators import backward, base
from tf_discrete.estimators.registry import register
from tf_discrete.schedules import ScheduledVariable
from tf_discrete.types import Config, Sample, ScheduleLike, Tensor


@register("straight_through")
class StraightThrough(base.PathwiseEstimator):
    """Draws z from softmax(logits) and differentiates as if z were softmax(logits / temperature).

    At temperature 1 the expected gradient is exact for objectives that are linear in z, and a
    first-order approximation otherwise. Nothing is relaxed.

    Args:
        temperature: Positive float or schedule, temperature of the backward softmax. Default: 1.0.
        latents: Kind of latents, see `tf_discrete.distributions.names()`. Bernoulli ones have a
            sigmoid in place of the softmax.

    Raises:
        ValueError: An argument is out of range, or the estimator does not take these latents.

    Example:
        >>> from tf_discrete import seeds
        >>> estimator = StraightThrough()
        >>> logits = tf.zeros([2, 5])
        >>> estimator.sample(logits, estimator.draw_noise(seeds.base(0), logits)).code.shape
        TensorShape([1, 2])

    Reference:
        Bengio, Leonard, Courville. Estimating or propagating gradients through stochastic neurons for
        conditional computation. 2013. arXiv:1308.3432.
    """

    spec = base.Spec(
        exact_for="linear",
        relaxed=False,
        noise="discrete",
        evaluations="1",
        min_samples=1,
        reductions=("mean", "log_mean_exp"),
        reference="Bengio, Leonard, Courville 2013, arXiv:1308.3432",
        exact_temperatures="default",
    )

    def __init__(
        self, temperature: ScheduleLike = 1.0, latents: str = "categorical", **kwargs: Any
    ):
        super().__init__(latents=latents, **kwargs)
        self.temperature = ScheduledVariable(temperature, name="temperature", positive=True)

    def _sample(self, logits: tf.Tensor, noise: Tensor) -> Sample:
        logits = self._tile(logits, noise)
        soft = self.distribution(logits / tf.cast(self.temperature.value, logits.dtype)).probs
        return Sample(backward.straight_through(noise, soft), self.distribution(logits).code(noise))

    def get_config(self) -> Config:
        return {
            **super().get_config(),
            "temperature": self.temperature.get_config()["schedule"],
        }
