"""Gumbel-Softmax (Concrete) and its straight-through form."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tf_discrete.distributions import Relaxable
from tf_discrete.estimators import backward, base, sampling
from tf_discrete.estimators.registry import register
from tf_discrete.schedules import ScheduledVariable
from tf_discrete.types import Config, Sample, ScheduleLike, Seed, Tensor

_REFERENCE = "Jang, Gu, Poole 2016, arXiv:1611.01144; Maddison, Mnih, Teh 2016, arXiv:1611.00712"


@register("gumbel_softmax")
class GumbelSoftmax(base.PathwiseEstimator):
    """The relaxation: z = softmax((logits + Gumbel noise) / temperature).

    The objective sees the relaxed z, so value and gradient are those of a relaxed problem; both tend to
    the discrete ones as the temperature falls, while the variance of the gradient grows. For Bernoulli
    latents z = sigmoid((logits + logistic noise) / temperature). The argmax of z has the distribution of
    softmax(logits) at every temperature.

    Args:
        temperature: Positive float or schedule. Default: 1.0.
        latents: "categorical" or "bernoulli".

    Raises:
        ValueError: An argument is out of range, or the estimator does not take these latents.

    Example:
        >>> from tf_discrete import seeds
        >>> estimator = GumbelSoftmax(temperature=0.5)
        >>> logits = tf.zeros([3, 20, 10])
        >>> noise = estimator.draw_noise(seeds.base(0), logits, num_samples=4)
        >>> estimator.sample(logits, noise).value.shape
        TensorShape([4, 3, 20, 10])

    Reference:
        Jang, Gu, Poole. Categorical reparameterization with Gumbel-Softmax. 2016. arXiv:1611.01144.
        Maddison, Mnih, Teh. The Concrete distribution. 2016. arXiv:1611.00712.
    """

    spec = base.Spec(
        exact_for="none",
        relaxed=True,
        noise="continuous",
        evaluations="1",
        min_samples=1,
        reductions=("mean", "log_mean_exp"),
        reference=_REFERENCE,
        density=True,
        interface=Relaxable,
        annealed=True,
    )

    def __init__(
        self, temperature: ScheduleLike = 1.0, latents: str = "categorical", **kwargs: Any
    ):
        super().__init__(latents=latents, **kwargs)
        self.temperature = ScheduledVariable(temperature, name="temperature", positive=True)

    def _draw(self, seed: Seed, logits: tf.Tensor, num_samples: int | None) -> tf.Tensor:
        shape = sampling.noise_shape(logits, num_samples)
        return self.relaxable_kind.draw_noise(seed, shape, logits.dtype)

    def _sample(self, logits: tf.Tensor, noise: Tensor) -> Sample:
        distribution = self.relaxable_kind(logits)
        temperature = self.temperature.value
        # Few objectives read the sample in log space, and a graph leaves out what none reads.
        value = distribution.relaxed_value(noise, temperature)
        return Sample(value, distribution.code(value), distribution.relax(noise, temperature))

    def get_config(self) -> Config:
        return {
            **super().get_config(),
            "temperature": self.temperature.get_config()["schedule"],
        }


@register("straight_through_gumbel_softmax")
class StraightThroughGumbelSoftmax(GumbelSoftmax):
    """One-hot sample forward; backward, the gradient of the Gumbel-Softmax relaxation.

    The objective sees one-hot values, so the value is that of the discrete problem; the gradient is
    biased.

    Args:
        temperature: Positive float or schedule, temperature of the backward relaxation. Default: 1.0.
        latents: "categorical" or "bernoulli".

    Example:
        >>> from tf_discrete import seeds
        >>> estimator = StraightThroughGumbelSoftmax(temperature=0.5)
        >>> logits = tf.zeros([1, 4])
        >>> z = estimator.sample(logits, estimator.draw_noise(seeds.base(0), logits)).value
        >>> float(tf.reduce_max(z)), float(tf.reduce_sum(z))
        (1.0, 1.0)

    Reference:
        Jang, Gu, Poole. Categorical reparameterization with Gumbel-Softmax. 2016. arXiv:1611.01144.
    """

    spec = GumbelSoftmax.spec._replace(
        relaxed=False, density=False, reference="Jang, Gu, Poole 2016, arXiv:1611.01144"
    )

    def _sample(self, logits: tf.Tensor, noise: Tensor) -> Sample:
        soft = super()._sample(logits, noise)
        hard = self.distribution(logits).one_hot(soft.code)
        return Sample(backward.straight_through(hard, soft.value), soft.code, None)
