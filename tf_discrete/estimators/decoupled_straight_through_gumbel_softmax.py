"""Decoupled straight-through Gumbel-Softmax: one temperature to draw, another to differentiate."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tf_discrete import types
from tf_discrete.distributions import Discrete
from tf_discrete.estimators import backward
from tf_discrete.estimators.gumbel_softmax import StraightThroughGumbelSoftmax
from tf_discrete.estimators.registry import register
from tf_discrete.schedules import ScheduledVariable
from tf_discrete.types import Config, Sample, ScheduleLike, Tensor


@register("decoupled_straight_through_gumbel_softmax")
class DecoupledStraightThroughGumbelSoftmax(StraightThroughGumbelSoftmax):
    """Draws with a forward temperature that sets how much is explored, differentiates with another.

        perturbed = logits + forward_temperature * G,  G Gumbel noise
        D = one_hot(argmax(perturbed)),  which has the distribution softmax(logits / forward_temperature)
        dz/dlogits = d softmax(perturbed / temperature) / dlogits

    The distribution of the codes, `distribution(logits)`, is not softmax(logits): KL, entropy, codes at
    inference and all tests use softmax(logits / forward_temperature). Draw by draw this is
    straight-through Gumbel-Softmax at temperature / forward_temperature for the logits divided by
    forward_temperature: with equal temperatures it is the one at 1, with a forward temperature of 1 the
    plain one. What a forward temperature does to a network that can scale its own logits is therefore to
    start from another scale. (Were D the argmax of (logits + G) / forward_temperature, that temperature
    would have no effect.) The gradient is biased for every objective. It costs one evaluation a sample.

    Args:
        temperature: Positive float or schedule, temperature of the backward relaxation. Default: 1.0.
        forward_temperature: Positive float or schedule, temperature of the sample; above 1 explores more,
            below 1 less.
            Default: 1.25.
        latents: "categorical" or "bernoulli" (logistic noise in place of Gumbel noise).

    Raises:
        ValueError: An argument is out of range, or the estimator does not take these latents.

    Example:
        >>> from tf_discrete import seeds
        >>> estimator = DecoupledStraightThroughGumbelSoftmax(temperature=1.0, forward_temperature=2.0)
        >>> [round(float(p), 4) for p in estimator.distribution(tf.constant([[0.0, 2.0]])).probs[0]]
        [0.2689, 0.7311]

    Reference:
        Shah, Yan, Mozer, Liu. Improving discrete optimisation via decoupled straight-through
        Gumbel-Softmax. 2024. arXiv:2410.13331.
    """

    spec = StraightThroughGumbelSoftmax.spec._replace(
        reference="Shah, Yan, Mozer, Liu 2024, arXiv:2410.13331"
    )

    def __init__(
        self,
        temperature: ScheduleLike = 1.0,
        forward_temperature: ScheduleLike = 1.25,
        latents: str = "categorical",
        **kwargs: Any,
    ):
        super().__init__(temperature=temperature, latents=latents, **kwargs)
        self.forward_temperature = ScheduledVariable(
            forward_temperature, name="forward_temperature", positive=True
        )

    def distribution(self, logits: Tensor) -> Discrete:
        """Returns softmax(logits / forward_temperature)."""
        logits = types.at_least_float32(logits)
        return super().distribution(logits / tf.cast(self.forward_temperature.value, logits.dtype))

    def _sample(self, logits: tf.Tensor, noise: Tensor) -> Sample:
        scaled = tf.cast(self.forward_temperature.value, noise.dtype) * noise
        kind = self.relaxable_kind
        value = kind(logits).relaxed_value(scaled, self.temperature.value)
        distribution = self.distribution(logits)
        code = distribution.code(value)
        return Sample(backward.straight_through(distribution.one_hot(code), value), code)

    def get_config(self) -> Config:
        return {
            **super().get_config(),
            "forward_temperature": self.forward_temperature.get_config()["schedule"],
        }
