"""Hard concrete: a binary Concrete variable, stretched beyond [0, 1] and cut off there."""

from __future__ import annotations

import math
from typing import Any

import tensorflow as tf

from tf_discrete import types
from tf_discrete._internal import checks
from tf_discrete.distributions.gates import Gates
from tf_discrete.estimators.gumbel_softmax import GumbelSoftmax
from tf_discrete.estimators.registry import register
from tf_discrete.types import Config, Sample, ScheduleLike, Tensor


@register("hard_concrete")
class HardConcrete(GumbelSoftmax):
    """Gates that are exactly 0 or exactly 1 with positive probability, and in between otherwise.

        s = sigmoid((logit + L) / temperature),  L standard logistic noise
        z = clip(lower + (upper - lower) * s, 0, 1)
        P(z != 0) = sigmoid(logit - temperature * log(-lower / upper))

    The code of a gate is 1 where it is on, z != 0. Its distribution, by the third line, is not
    sigmoid(logit): `distribution` says so, and KL, entropy and frequencies use it. The objective sees z, so
    value and gradient are those of a relaxed problem, without bias for it; the gradient is 0 where z is cut
    off. `expected_l0` is the penalty that the paper adds to the loss, `expected_gate` the gate that it uses
    after training. As the temperature falls z becomes a bit of probability sigmoid(logit). One evaluation
    a sample.

    Args:
        temperature: Positive float or schedule. Default: 2/3.
        lower: Number below 0, value to which s = 0 is stretched. Default: -0.1.
        upper: Number above 1, value to which s = 1 is stretched. Default: 1.1.
        latents: "bernoulli".

    Raises:
        ValueError: lower >= 0, upper <= 1, or categorical latents.

    Example:
        >>> from tf_discrete import seeds
        >>> estimator, logits = HardConcrete(), tf.constant([-5.0, 0.0, 5.0])
        >>> estimator.sample(logits, estimator.draw_noise(seeds.base(0), logits)).value.shape
        TensorShape([1, 3])
        >>> [round(float(p), 4) for p in estimator.distribution(logits).probs]
        [0.0323, 0.8318, 0.9986]

    Reference:
        Louizos, Welling, Kingma. Learning sparse neural networks through L0 regularization. 2017.
        arXiv:1712.01312.
    """

    spec = GumbelSoftmax.spec._replace(
        reference="Louizos, Welling, Kingma 2017, arXiv:1712.01312",
        density=False,
        only=("bernoulli",),
        annealed=False,
    )

    def __init__(
        self,
        temperature: ScheduleLike = 2.0 / 3.0,
        lower: float = -0.1,
        upper: float = 1.1,
        latents: str = "bernoulli",
        **kwargs: Any,
    ):
        super().__init__(temperature, latents, **kwargs)
        self.lower = checks.number("lower", lower, below=0.0)
        self.upper = checks.number("upper", upper, above=1.0)

    def distribution(self, logits: Tensor) -> Gates:
        """Returns the distribution of the gates that are on, P(z != 0) = sigmoid of its logits."""
        logits = types.at_least_float32(logits)
        temperature = tf.cast(self.temperature.value, logits.dtype)
        return Gates(logits - temperature * math.log(-self.lower / self.upper))

    def expected_l0(self, logits: Tensor) -> tf.Tensor:
        """Returns the expected number of gates that are on, the L0 penalty.

        Args:
            logits: float [*B, N].

        Returns:
            penalty: float [*B], the sum over N of P(z != 0); differentiable in the logits.

        Example:
            >>> round(float(HardConcrete().expected_l0(tf.zeros([10]))), 3)
            8.318
        """
        return tf.reduce_sum(self.distribution(logits).probs, axis=-1)

    def expected_gate(self, logits: Tensor) -> tf.Tensor:
        """Returns the gates that the paper uses after training, with sigmoid(logit) in the place of s.

        Args:
            logits: float [*B, N].

        Returns:
            gates: float [*B, N]; differentiable in the logits.

        Example:
            >>> HardConcrete().expected_gate(tf.constant([-3.0, 0.0, 3.0])).numpy().tolist()
            [0.0, 0.5, 1.0]
        """
        return self._stretch(tf.sigmoid(types.at_least_float32(logits)))

    def _stretch(self, value: tf.Tensor) -> tf.Tensor:
        return tf.clip_by_value(self.lower + (self.upper - self.lower) * value, 0.0, 1.0)

    def _sample(self, logits: tf.Tensor, noise: Tensor) -> Sample:
        value = self._stretch(
            self.relaxable_kind(logits).relaxed_value(noise, self.temperature.value)
        )
        return Sample(value, self.distribution(logits).code(value))

    def get_config(self) -> Config:
        return {**super().get_config(), "lower": self.lower, "upper": self.upper}
