"""NVIL: the score function with a learned baseline, centring and variance normalisation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tf_discrete.estimators import baselines
from tf_discrete.estimators.registry import register
from tf_discrete.estimators.score_function import ScoreFunction
from tf_discrete.types import Config


@register("nvil")
class NVIL(ScoreFunction):
    """Neural variational inference and learning: three ways to calm the score function at once.

    gradient = (f(z) - C(x) - c) / max(1, s) * d log q(z) / d logits, where C is a network on the input
    that learns to predict f, c the moving average and s the moving standard deviation of f(z) - C(x).
    Unbiased for every objective, up to the one positive number 1 / max(1, s); c and s are read before the
    batch enters them. `objectives.elbo` divides the gradient of the KL for the logits by the same number
    (`gradient_scale`), so the direction of the encoder's gradient is that of the ELBO. One evaluation a
    sample, and one sample is enough.

    Args:
        latents: Kind of latents, see `tf_discrete.distributions.names()`.
        hidden_units: Sizes of the baseline's tanh layers. Default: (100,).
        decay: Float in [0, 1), decay of c and s for each training step. Default: 0.8.
        learning_rate_factor: Float, by which C learns faster than the rest of the model, see
            `baselines.Learned`. Default: 1.0.

    Raises:
        ValueError: An argument is out of range, or the estimator does not take these latents.

    Example:
        >>> import tensorflow as tf
        >>> from tf_discrete import seeds
        >>> estimator, logits = NVIL(), tf.zeros([3, 5, 4])
        >>> noise = estimator.draw_noise(seeds.base(0), logits)
        >>> estimate = estimator.estimate(
        ...     lambda z: tf.reduce_sum(z[..., 0], -1), logits, noise, context=tf.ones([3, 7])
        ... )
        >>> estimate.value.shape, estimate.auxiliary.shape
        (TensorShape([3]), TensorShape([3]))

    Reference:
        Mnih, Gregor. Neural variational inference and learning in belief networks. 2014.
        arXiv:1402.0030.
    """

    spec = ScoreFunction.spec._replace(
        min_samples=1, reference="Mnih, Gregor 2014, arXiv:1402.0030"
    )

    def __init__(
        self,
        latents: str = "categorical",
        hidden_units: Sequence[int] = (100,),
        decay: float = 0.8,
        learning_rate_factor: float = 1.0,
        **kwargs: Any,
    ):
        baseline = baselines.Learned(
            hidden_units,
            moving_average=True,
            decay=decay,
            learning_rate_factor=learning_rate_factor,
        )
        super().__init__(latents, baseline, variance_normalization=True, decay=decay, **kwargs)

    def get_config(self) -> Config:
        learned = ("hidden_units", "learning_rate_factor")
        config = {
            **super().get_config(),
            **{name: getattr(self.baseline, name) for name in learned},
        }
        del config["baseline"], config["variance_normalization"]
        return config
