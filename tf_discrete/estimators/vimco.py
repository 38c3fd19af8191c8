"""VIMCO: the score function for bounds of several samples."""

from __future__ import annotations

from typing import Any

from tf_discrete.estimators import baselines
from tf_discrete.estimators.registry import register
from tf_discrete.estimators.score_function import ScoreFunction
from tf_discrete.types import Config


@register("vimco")
class VIMCO(ScoreFunction):
    """Variational inference for Monte Carlo objectives: every sample is held against the others.

    With L(f_1, ..., f_S) = log mean exp f_s, the importance-weighted bound, and m_s the mean of the other
    samples, gradient = sum over s of (L - L with m_s in the place of f_s) * d log q(z_s) / d logits.
    Unbiased for every objective, without anything learned; one evaluation a sample, at least 2 samples.
    The paper's bound is that of `reduce=log_mean_exp`. Under `mean` (the ELBO) the same rule is the score
    function with its leave-one-out baseline.

    Args:
        latents: Kind of latents, see `tf_discrete.distributions.names()`.
        replacement: m_s is the logarithm of the "geometric" mean of the other exp f (the mean of the f)
            or of their "arithmetic" mean. Default: "geometric".
        variance_normalization: Of the difference of bounds, see `ScoreFunction`. Default: False.
        decay: Float in [0, 1), decay of its running variance for each training step. Default: 0.99.

    Raises:
        ValueError: An argument is out of range, or the estimator does not take these latents.

    Example:
        >>> import tensorflow as tf
        >>> from tf_discrete import estimators, seeds
        >>> estimator, logits = VIMCO(), tf.zeros([3, 5, 4])
        >>> noise = estimator.draw_noise(seeds.base(0), logits, num_samples=8)
        >>> estimator.estimate(
        ...     lambda z: tf.reduce_sum(z[..., 0], -1), logits, noise, reduce=estimators.log_mean_exp
        ... ).value.shape
        TensorShape([3])

    Reference:
        Mnih, Rezende. Variational inference for Monte Carlo objectives. 2016. arXiv:1602.06725.
    """

    spec = ScoreFunction.spec._replace(reference="Mnih, Rezende 2016, arXiv:1602.06725")

    def __init__(
        self,
        latents: str = "categorical",
        replacement: str = "geometric",
        variance_normalization: bool = False,
        decay: float = 0.99,
        **kwargs: Any,
    ):
        baseline = baselines.LeaveOneOut(replacement)
        super().__init__(latents, baseline, variance_normalization, decay, **kwargs)

    def get_config(self) -> Config:
        config = {**super().get_config(), "replacement": self.baseline.replacement}
        del config["baseline"]
        return config
