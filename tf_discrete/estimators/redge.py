"""ReDGE: straight-through, with the denoiser of a noised sample in the place of the softmax."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from tf_discrete import seeds
from tf_discrete._internal import checks
from tf_discrete._internal.softmax import softmax
from tf_discrete.estimators import backward, base
from tf_discrete.estimators.registry import register
from tf_discrete.types import Config, Sample, Seed, Tensor

LOWEST_NOISE_LEVEL = 1e-3
"""Logits are multiplied by its inverse, and float32 must hold the products."""


@register("redge")
class ReDGE(base.PathwiseEstimator):
    """One-hot sample forward; backward, the deterministic diffusion that would have led to it.

    One-hot vectors are noised to x = (1 - t) D + t e, e standard normal. With y = x / t and r = (1 - t) / t,
    the expected D given y is m(y, r) = softmax(logits + r y), in closed form. With the ratios r_1 > ... >
    r_n = 0 of n equidistant times from `noise_level` to 1, a DDIM step is

        y_{i-1} = y_i + (r_{i-1} - r_i) m(y_i, r_i),  i = n .. 2

    and the gradient is that of m(y_1, r_1), through all steps, with y_n held constant. So far the paper.
    There y_n is normal, and D ~ Categorical(m(y_1, r_1)), which has the distribution softmax(logits)
    in the limit of many steps only. Here D ~ Categorical(softmax(logits)), y_1 = r_1 D + e, and y_2 .. y_n
    are found by the steps in reverse: the sample and y_1 have their exact distributions for every n,
    and D given y_1 is distributed as in the paper. The gradient of linear objectives is exact in the limit
    of many steps, and biased else. With n = 1 this is straight-through, draw by draw. One evaluation a
    sample; time and memory of 2 n - 1 softmaxes.

    Args:
        num_steps: n >= 1, evaluations of the denoiser. Default: 2.
        noise_level: Number in [1e-3, 1), time t at which the sample is denoised last. Default: 0.5.
        latents: "categorical" or "bernoulli" (as two categories).

    Raises:
        ValueError: no steps, or a noise level outside of [1e-3, 1).

    Example:
        >>> from tf_discrete import seeds
        >>> estimator, logits = ReDGE(num_steps=3), tf.zeros([2, 5])
        >>> estimator.sample(logits, estimator.draw_noise(seeds.base(0), logits)).value.shape
        TensorShape([1, 2, 5])

    Reference:
        Gourevitch, Durmus, Moulines, Olsson, Janati. Categorical reparameterization with denoising
        diffusion models. 2026. arXiv:2601.00781.
    """

    spec = base.Spec(
        exact_for="none",
        relaxed=False,
        noise="continuous",
        evaluations="1",
        min_samples=1,
        reductions=("mean", "log_mean_exp"),
        reference="Gourevitch, Durmus, Moulines, Olsson, Janati 2026, arXiv:2601.00781",
    )

    def __init__(
        self,
        num_steps: int = 2,
        noise_level: float = 0.5,
        latents: str = "categorical",
        **kwargs: Any,
    ):
        super().__init__(latents=latents, **kwargs)
        self.num_steps = checks.whole("num_steps", num_steps)
        self.noise_level = checks.number("noise_level", noise_level, LOWEST_NOISE_LEVEL, below=1.0)

    @property
    def ratios(self) -> list[float]:
        """Returns r_1 .. r_n."""
        times = np.linspace(1.0, self.noise_level, self.num_steps)[::-1]
        return [float(ratio) for ratio in (1.0 - times) / times]

    def _draw(self, seed: Seed, logits: tf.Tensor, num_samples: int | None) -> tf.Tensor:
        """Returns the sample over categories and normal noise, [S, *B, N, K, 2]."""
        hard = self._draw_codes(seeds.fold(seed, "draw"), logits, num_samples)
        hard = self.kind.over_categories(hard)
        normal = tf.random.stateless_normal(
            tf.shape(hard), seeds.fold(seed, "noise"), dtype=hard.dtype, alg=seeds.algorithm()
        )
        return tf.stack([hard, normal], axis=-1)

    def _sample(self, logits: tf.Tensor, noise: Tensor) -> Sample:
        over_categories, normal = noise[..., 0], noise[..., 1]
        hard = self.kind.from_categories(over_categories)
        distribution = self.distribution(self._tile(logits, hard))
        log_probs, ratios = distribution.category_log_probs, self.ratios
        points = reverse_steps(
            tf.stop_gradient(log_probs), ratios[0] * over_categories + normal, ratios
        )
        soft = self.kind.from_categories(denoise(log_probs, points, ratios))
        return Sample(backward.straight_through(hard, soft), distribution.code(hard))

    def get_config(self) -> Config:
        config = {"num_steps": self.num_steps, "noise_level": self.noise_level}
        return {**super().get_config(), **config}


def reverse_steps(log_probs: tf.Tensor, first: tf.Tensor, ratios: list[float]) -> list[tf.Tensor]:
    """Returns y_1 .. y_n, from y_1 = `first` upwards by DDIM steps in reverse.

    Args:
        log_probs: float [..., K].
        first: float [..., K].
        ratios: r_1 .. r_n.
    """
    points = [first]
    for low, high in zip(ratios, ratios[1:], strict=False):
        points.append(points[-1] - (low - high) * softmax(log_probs + low * points[-1]))
    return points


def denoise(log_probs: tf.Tensor, points: list[tf.Tensor], ratios: list[float]) -> tf.Tensor:
    """Returns m(y_1, r_1), float [..., K], with the gradient of the DDIM steps at the points y_1 .. y_n.

    The points are held; only how they move with `log_probs` is passed on from step to step.
    """
    y = points[-1]
    for i in range(len(points) - 1, 0, -1):
        step = y + (ratios[i - 1] - ratios[i]) * softmax(log_probs + ratios[i] * y)
        y = backward.straight_through(points[i - 1], step)
    return softmax(log_probs + ratios[0] * y)
