"""`NormalizedScoreEstimator`: score estimators that divide by the running spread of their signal."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tf_discrete import types
from tf_discrete._internal import checks
from tf_discrete.estimators import score
from tf_discrete.estimators.moving_moments import MovingMoments
from tf_discrete.types import Config, Tensor


class NormalizedScoreEstimator(score.ScoreEstimator):
    """A score estimator that may divide its gradient by the running standard deviation of its signal.

    A subclass divides its gradient by `_scale`, and then gives its signal, such as f(z) less a baseline or
    the difference of two samples, to `_take_in`.

    Args:
        latents: Kind of latents, see `tf_discrete.distributions.names()`.
        variance_normalization: See `ScoreFunction`. Default: False.
        decay: Float in [0, 1), decay of the running variance for each training step. Default: 0.99.
    """

    def __init__(
        self,
        latents: str,
        variance_normalization: bool = False,
        decay: float = 0.99,
        **kwargs: Any,
    ):
        super().__init__(latents=latents, **kwargs)
        self.decay = checks.number("decay", decay, lowest=0.0, below=1.0)
        normalized = checks.flag("variance_normalization", variance_normalization)
        self.spread = MovingMoments(self.decay) if normalized else None

    @property
    def gradient_scale(self) -> Tensor:
        """max(1, running standard deviation) under variance normalisation, float32; else 1."""
        if self.spread is None:
            return 1.0
        return tf.maximum(1.0, tf.sqrt(self.spread.variance))

    def _scale(self, dtype: tf.DType) -> tf.Tensor:
        """`gradient_scale` in a dtype; read it before `_take_in`."""
        return types.cast(self.gradient_scale, dtype)

    def _take_in(self, call: score.ScoreCall, signal: Tensor) -> None:
        """Takes the signals of a batch, of any shape, into the running variance during training."""
        if call.training and self.spread is not None:
            self.spread.update(signal)

    def get_config(self) -> Config:
        return {
            **super().get_config(),
            "variance_normalization": self.spread is not None,
            "decay": self.decay,
        }
