"""`CenteredScoreEstimator`: score estimators whose signal is centred by a baseline and normalised."""

from __future__ import annotations

from typing import Any, NamedTuple

import keras
import tensorflow as tf

from tf_discrete.estimators import baselines, sampling, score
from tf_discrete.estimators.normalized import NormalizedScoreEstimator
from tf_discrete.types import BaselineLike, Config, Shape


class Credit(NamedTuple):
    """Factors of the score of each sample.

    Attributes:
        weight: float [S, *B], centred, normalised, and weighted with the sample's part of the estimate.
        loss: float [S, *B], which trains the baseline; None where it learns nothing.
    """

    weight: tf.Tensor
    loss: tf.Tensor | None


class CenteredScoreEstimator(NormalizedScoreEstimator):
    """A score estimator that subtracts a baseline from its signal, and may divide by the signal's spread.

    A subclass calls `_credit` with its signal, such as f(z), in `_gradient`.

    Args:
        latents: Kind of latents, see `tf_discrete.distributions.names()`.
        baseline: See `ScoreFunction`.
        variance_normalization: See `ScoreFunction`. Default: False.
        decay: Float in [0, 1), decay of the running variance for each training step. Default: 0.99.
    """

    def __init__(
        self,
        latents: str,
        baseline: BaselineLike,
        variance_normalization: bool = False,
        decay: float = 0.99,
        **kwargs: Any,
    ):
        super().__init__(latents, variance_normalization, decay, **kwargs)
        self.baseline = baselines.get(baseline)

    @property
    def min_samples(self) -> int:
        return self.baseline.min_samples

    def build(self, logits_shape: Shape, context_shape: Shape | None = None) -> None:
        if self.baseline.learned and not self.baseline.built:
            size = self.value_size(logits_shape)
            self.baseline.build((None, size) if context_shape is None else context_shape)

    def _credit(self, call: score.ScoreCall, signal: tf.Tensor) -> Credit:
        """Centres and normalises a signal [S, *B], and lets the averages take it in during training."""
        return self._weigh(call, self._residual(call, signal))

    def _residual(self, call: score.ScoreCall, signal: tf.Tensor) -> tf.Tensor:
        """Returns a signal [S, *B] less the baseline; its gradient reaches the baseline's weights alone."""
        features = sampling.features(self.distribution(call.given), call.context)
        return self.baseline.residual(signal, call.reduce, features)

    def _weigh(self, call: score.ScoreCall, residual: tf.Tensor) -> Credit:
        """Normalises a residual [S, *B], and lets the averages take it in during training."""
        scale = self._scale(residual.dtype)
        weight = sampling.sample_weight(call.noise, call.reduce, residual.dtype)
        loss = self.baseline.loss(residual) / scale if self.baseline.learned else None
        fixed = tf.stop_gradient(residual)
        credit = Credit(fixed / scale * weight, loss)
        if call.training:
            self.baseline.update(fixed)
        self._take_in(call, fixed)
        return credit

    def get_config(self) -> Config:
        return {
            **super().get_config(),
            "baseline": keras.saving.serialize_keras_object(self.baseline),
        }
