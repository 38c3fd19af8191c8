"""The smoothing of discrete VAEs: an exponential variable for a bit that is 1, 0 for one that is 0."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tf_discrete.distributions import Bernoulli
from tf_discrete.distributions import noise as noise_lib
from tf_discrete.distributions.gates import Gates
from tf_discrete.estimators import base, sampling
from tf_discrete.estimators.registry import register
from tf_discrete.schedules import ScheduledVariable
from tf_discrete.types import Config, Sample, ScheduleLike, Seed, Tensor

HIGHEST_SHARPNESS = 50.0
"""exp of it, the steepest slope of the smoothing, is far from overflow in float32."""
HIGHEST_IN_FLOAT16 = 10.0
"""The slope at this sharpness, exp(10) / 10, leaves a factor of 30 for the objective in float16."""
_FAR = 1_000_000_000  # a step by which every schedule has arrived


@register("discrete_vae")
class DiscreteVAE(base.PathwiseEstimator):
    """Spike and exponential: a bit b of probability q = sigmoid(logit), and a z that is smooth where b = 1.

        z = 0 where b = 0;  on [0, 1] with a density proportional to exp(sharpness * z) where b = 1
        u uniform,  v = (u + q - 1) / q
        z = log(1 + v * (exp(sharpness) - 1)) / sharpness where v > 0, else 0

    The second and third line are the inverse of the distribution function of z at u. It is continuous in
    the logit, so value and gradient are those of a relaxed problem, without bias for it. The code b = [z > 0]
    has the distribution sigmoid(logit) exactly. As z given b is the same under posterior and prior, the
    KL of the codes is that of (z, b): with it the ELBO is a bound on the model whose decoder reads z.
    z tends to b as the sharpness (beta in the paper) grows, and the slope with it, up to exp(sharpness) /
    sharpness. Where the bit is 0 the gradient is 0. One evaluation a sample.

    Args:
        sharpness: Positive float or schedule, at most 50 (10 with float16 logits). Default: 5.0.
        latents: "bernoulli".

    Raises:
        ValueError: a sharpness out of range, or categorical latents.

    Example:
        >>> from tf_discrete import seeds
        >>> estimator, logits = DiscreteVAE(sharpness=3.0), tf.constant([-1.0, 0.0, 1.0])
        >>> sample = estimator.sample(logits, estimator.draw_noise(seeds.base(0), logits, 2))
        >>> sample.value.shape, bool(tf.reduce_all((sample.value > 0) == (sample.code == 1)))
        (TensorShape([2, 3]), True)

    Reference:
        Rolfe. Discrete variational autoencoders. 2016. arXiv:1609.02200.
    """

    spec = base.Spec(
        exact_for="none",
        relaxed=True,
        noise="continuous",
        evaluations="1",
        min_samples=1,
        reductions=("mean", "log_mean_exp"),
        reference="Rolfe 2016, arXiv:1609.02200",
        only=("bernoulli",),
    )

    def __init__(self, sharpness: ScheduleLike = 5.0, latents: str = "bernoulli", **kwargs: Any):
        super().__init__(latents=latents, **kwargs)
        self.sharpness = ScheduledVariable(sharpness, name="sharpness", positive=True)
        self._check_sharpness(HIGHEST_SHARPNESS, "float32")

    def check_dtype(self, dtype: tf.DType) -> None:
        super().check_dtype(dtype)
        if tf.as_dtype(dtype) == tf.float16:
            self._check_sharpness(HIGHEST_IN_FLOAT16, "float16")

    def _check_sharpness(self, highest: float, dtype: str) -> None:
        for value in (float(self.sharpness.schedule(step)) for step in (0, _FAR)):
            if value > highest:
                raise ValueError(
                    f"sharpness must be at most {highest} at every step, or gradients of {dtype} logits "
                    f"overflow. Lower it. Received: sharpness={value}"
                )

    def distribution(self, logits: Tensor) -> Bernoulli:
        """Returns the distribution of the code [z > 0]: sigmoid(logits)."""
        return Gates(logits)

    def _draw(self, seed: Seed, logits: tf.Tensor, num_samples: int | None) -> tf.Tensor:
        """Uniform noise, [S, *B, N]."""
        shape = sampling.noise_shape(logits, num_samples)
        return noise_lib.open_uniform(seed, shape, logits.dtype)

    def _sample(self, logits: tf.Tensor, noise: Tensor) -> Sample:
        logits = self._tile(logits, noise)
        sharpness = tf.cast(self.sharpness.value, logits.dtype)
        # v = 1 - (1 - u) / q, and 1 - u is uniform as u is.
        log_ratio = tf.math.log(noise) - tf.math.log_sigmoid(logits)
        on = log_ratio < 0
        v = -tf.math.expm1(tf.where(on, log_ratio, tf.zeros_like(log_ratio)))
        value = tf.math.log1p(v * tf.math.expm1(sharpness)) / sharpness
        return Sample(value, self.distribution(logits).code(value))

    def get_config(self) -> Config:
        return {
            **super().get_config(),
            "sharpness": self.sharpness.get_config()["schedule"],
        }
