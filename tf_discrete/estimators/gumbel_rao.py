"""Gumbel-Rao: straight-through Gumbel-Softmax with most of its noise averaged away."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tf_discrete import seeds
from tf_discrete._internal import checks
from tf_discrete.estimators import backward
from tf_discrete.estimators.gumbel_softmax import StraightThroughGumbelSoftmax
from tf_discrete.estimators.registry import register
from tf_discrete.types import Config, Sample, ScheduleLike, Seed, Tensor


@register("gumbel_rao")
class GumbelRao(StraightThroughGumbelSoftmax):
    """One-hot sample forward; backward, the relaxation averaged over the noise given that sample.

        D ~ Categorical(softmax(logits))
        G_m ~ Gumbel noise given argmax(logits + G_m) = D,  m = 1 .. M, held constant
        dz/dlogits = 1/M sum_m d softmax((logits + G_m) / temperature) / dlogits

    By the rule of Rao and Blackwell the expected gradient is that of straight-through Gumbel-Softmax for
    every M, and the variance is never larger; M = 1 has that of straight-through Gumbel-Softmax. So the
    bias is the same too: it falls with the temperature, while the variance that would grow is averaged
    away. For Bernoulli latents the noise is logistic. The objective is evaluated once a sample, whatever
    M is; noise and backward pass take memory and time in proportion to M * N * K for each sample.

    Args:
        temperature: Positive float or schedule, temperature of the backward relaxation. Default: 1.0.
        num_conditional: M >= 1, number of noise samples given the one-hot sample. Default: 10.
        latents: "categorical" or "bernoulli".

    Raises:
        ValueError: num_conditional < 1.

    Example:
        >>> from tf_discrete import seeds
        >>> from tf_discrete._internal import checks
        >>> estimator = GumbelRao(temperature=0.5, num_conditional=100)
        >>> logits = tf.zeros([3, 20, 10])
        >>> noise = estimator.draw_noise(seeds.base(0), logits)
        >>> noise.shape, estimator.sample(logits, noise).value.shape
        (TensorShape([1, 3, 101, 20, 10]), TensorShape([1, 3, 20, 10]))

    Reference:
        Paulus, Maddison, Krause. Rao-Blackwellizing the straight-through Gumbel-Softmax gradient
        estimator. 2020. arXiv:2010.04838.
    """

    spec = StraightThroughGumbelSoftmax.spec._replace(
        reference="Paulus, Maddison, Krause 2020, arXiv:2010.04838"
    )

    def __init__(
        self,
        temperature: ScheduleLike = 1.0,
        num_conditional: int = 10,
        latents: str = "categorical",
        **kwargs: Any,
    ):
        super().__init__(temperature=temperature, latents=latents, **kwargs)
        self.num_conditional = checks.whole("num_conditional", num_conditional)

    def _draw(self, seed: Seed, logits: tf.Tensor, num_samples: int | None) -> tf.Tensor:
        """Returns the one-hot sample and the noise given it, stacked: [S, *B, 1 + M, N(, K)]."""
        hard = self._draw_codes(seeds.fold(seed, "draw"), logits, num_samples)
        relaxed = self._relaxed_logits(logits, hard)
        noise = self._conditional_noise(seeds.fold(seed, "noise"), relaxed, hard)
        return tf.concat([tf.expand_dims(hard, self._stack_axis), noise], axis=self._stack_axis)

    def _sample(self, logits: tf.Tensor, noise: Tensor) -> Sample:
        axis = self._stack_axis
        hard, noise = tf.split(noise, [1, self.num_conditional], axis=axis)
        hard = tf.squeeze(hard, axis=axis)
        distribution = self.relaxable_kind(tf.expand_dims(logits, axis))
        soft = tf.reduce_mean(distribution.relaxed_value(noise, self.temperature.value), axis=axis)
        return Sample(backward.straight_through(hard, soft), self.distribution(logits).code(hard))

    def _relaxed_logits(self, logits: tf.Tensor, hard: tf.Tensor) -> tf.Tensor:
        """The logits that the backward pass relaxes, given the sample."""
        return logits

    def _conditional_noise(
        self, seed: Seed, logits: tf.Tensor, hard: tf.Tensor, count: int | None = None
    ) -> tf.Tensor:
        """Returns noises that make `hard` of the logits, [S, *B, count, N(, K)]. Default count: M."""
        hard = tf.expand_dims(hard, self._stack_axis)
        count = self.num_conditional if count is None else count
        noise = self.relaxable_kind(tf.expand_dims(logits, self._stack_axis)).conditional_noise(
            seed, tf.repeat(hard, count, axis=self._stack_axis)
        )
        return tf.stop_gradient(noise)

    def get_config(self) -> Config:
        return {**super().get_config(), "num_conditional": self.num_conditional}

    @property
    def _stack_axis(self) -> int:
        return -1 - self.event_rank
