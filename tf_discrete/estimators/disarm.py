"""DisARM: ARM with its uniform noise integrated out, for bits and for categories."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

from tf_discrete._internal import checks
from tf_discrete.distributions import noise as noise_lib
from tf_discrete.estimators import antithetic, base, couplings, sampling
from tf_discrete.estimators.registry import register
from tf_discrete.types import Config, Seed


@register("disarm")
class DisARM(antithetic.PairEstimator):
    """Compares two opposite samples z and z', and weighs their difference by what its sign tells.

    Bernoulli: gradient = (f(z) - f(z')) / 2 * (z - z') * sigmoid(|logits|).
    Categorical: a category is a walk down a tree of binary decisions, and each decision is made by an
    opposite pair. Where the walks of z and z' part, into the sets A and A' of leaves below, with r and r'
    the softmax over either and w = sigmoid(-|logsumexp over A - logsumexp over A'|),
    gradient = (f(z) - f(z')) / 2 * (z - z' - w * (r - r')); 0 where z and z' agree. Beyond the parting
    each walk serves the other as baseline.

    Unbiased for every objective, nothing to tune. The value is the mean of the pair. Two evaluations a
    sample; noise and memory linear in the number of categories. Two categories are a Bernoulli variable.

    Args:
        latents: "categorical" or "bernoulli".
        coupling: the tree of a categorical variable: "tree" (balanced) or "stick_breaking" (one category
            after the other, the least probable first). Default: "tree".
        variance_normalization: Of half the difference of the pair, see `ScoreFunction`. Default: False.
        decay: Float in [0, 1), decay of its running variance for each training step. Default: 0.99.

    Raises:
        ValueError: An argument is out of range, or the estimator does not take these latents.

    Example:
        >>> from tf_discrete import seeds
        >>> estimator, logits = DisARM(), tf.zeros([3, 5, 4])
        >>> noise = estimator.draw_noise(seeds.base(0), logits)
        >>> estimator.estimate(lambda z: tf.reduce_sum(z[..., 0], -1), logits, noise).value.shape
        TensorShape([3])

    Reference:
        Dong, Mnih, Tucker. DisARM: an antithetic gradient estimator for binary latent variables. 2020.
        arXiv:2006.10680.
        Dong, Mnih, Tucker. Coupled gradient estimators for discrete latent variables. 2021.
        arXiv:2106.08056.
    """

    spec = base.Spec(
        exact_for="any",
        relaxed=False,
        noise="continuous",
        evaluations="2",
        min_samples=1,
        reductions=("mean",),
        reference="Dong, Mnih, Tucker 2020, arXiv:2006.10680; 2021, arXiv:2106.08056",
        draws=2,
        only=("categorical", "bernoulli"),
    )

    def __init__(
        self,
        latents: str = "categorical",
        coupling: str = "tree",
        variance_normalization: bool = False,
        decay: float = 0.99,
        **kwargs: Any,
    ):
        super().__init__(latents, variance_normalization, decay, **kwargs)
        self.coupling = checks.choice("coupling", coupling, couplings.COUPLINGS)

    def _draw(self, seed: Seed, logits: tf.Tensor, num_samples: int | None) -> tf.Tensor:
        shape = sampling.noise_shape(logits, num_samples)
        shape = _COUPLED[self.kind.formulas()].noise_shape(self.coupling, shape, logits.shape[-1])
        return noise_lib.open_uniform(seed, shape, logits.dtype)

    def _pair(self, logits: tf.Tensor, noise: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        return _COUPLED[self.kind.formulas()].draw_pair(self.coupling, noise, logits)

    def get_config(self) -> Config:
        return {**super().get_config(), "coupling": self.coupling}


class _Coupled(NamedTuple):
    """The coupling of two opposite samples of one kind of latents."""

    noise_shape: Callable[[str, tf.Tensor, int], tf.Tensor]
    draw_pair: Callable[[str, tf.Tensor, tf.Tensor], tuple[tf.Tensor, tf.Tensor, tf.Tensor]]


def _tree_noise_shape(coupling: str, shape: tf.Tensor, num_categories: int) -> tf.Tensor:
    """One uniform number for each node of each variable's tree."""
    count = couplings.num_uniforms(coupling, num_categories)
    return tf.concat([shape[:-1], [count]], axis=0)


def _bit_noise_shape(coupling: str, shape: tf.Tensor, num_variables: int) -> tf.Tensor:
    """One uniform number for each bit."""
    return shape


def _bit_pair(
    coupling: str, uniform: tf.Tensor, logits: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    first, second = antithetic.bits(uniform, logits)
    return first, second, (first - second) * tf.sigmoid(tf.abs(logits))


# The first paper defines the pair of a bit, the second that of a category, by a tree of such bits.
_COUPLED = {
    "categorical": _Coupled(_tree_noise_shape, couplings.draw_pair),
    "bernoulli": _Coupled(_bit_noise_shape, _bit_pair),
}
