"""`PathPrior`: the prior of one variable whose digits depend on the digits before, uniform or learned."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from tf_discrete import seeds
from tf_discrete._internal import input_checks, integer_checks
from tf_discrete._internal.built_by_constructor import BuiltByConstructor
from tf_discrete.models.layered_latents import Draws, LayeredLatents
from tf_discrete.models.path_distribution import PathDistribution
from tf_discrete.types import SeedLike, Shape, Tensor


class PathPrior(BuiltByConstructor, keras.layers.Layer):
    """p(z) = p(d_1) p(d_2 | d_1) ...: uniform over all categories, or learned from there on.

    A part of a model, which makes it next to the chain of q and saves the arguments. A learned prior adds a
    `DigitNetwork` of the digits before, which starts at 0, to the logits of the uniform one.

    Args:
        latents: Latents of the one layer.
        learned: Bool, whether p(z) is learned; else it is uniform.
    """

    def __init__(self, latents: LayeredLatents, learned: bool):
        super().__init__(name="path_prior")
        self.latents, self.leaves, self.learned = latents, latents.leaves, learned
        self.network = latents.digit_network(1) if learned else None
        self.build((None, self.num_variables))

    def logits(self, depth: int, before: Tensor) -> tf.Tensor:
        """Computes the logits of digit `depth`, [*A, r], given the digits before, [*A, depth, r]."""
        logits = self.leaves.uniform_logits(depth, before)
        if self.network is None:
            return logits
        constant = tf.ones([1, 1], logits.dtype)
        learned = tf.cast(self.network.logits(depth, constant, before), logits.dtype)
        return logits + self.leaves.mask(learned, before)

    def distribution(self) -> PathDistribution:
        """Returns p(z), with a batch axis of 1."""
        root = tf.zeros([1, 0, max(self.leaves.branching)], self.latents.dtype)
        return PathDistribution(self.logits, self.leaves, root)

    def priors_given(self, codes: Draws) -> Any:
        """Returns p(z) of the one layer, in a tuple."""
        return (self.distribution(),)

    @property
    def num_variables(self) -> int:
        """N of the codes."""
        return self.latents.total.num_variables

    @property
    def num_categories(self) -> int:
        """K of the codes."""
        return self.latents.total.num_categories

    def log_prob(self, codes: Tensor, training: bool = False) -> tf.Tensor:
        """Returns log p(z) in nats, float [B], of codes int [B, 1]."""
        (codes,) = self.latents.split(codes)
        accepted = integer_checks.rows_in(codes, 0, self.num_categories - 1)
        return input_checks.blank(self.distribution().code_log_prob(codes), accepted)

    def sample(self, num_samples: int | Tensor, seed: SeedLike = 0) -> tf.Tensor:
        """Returns codes, int64 [num_samples, 1]."""
        num_samples, seed = integer_checks.count(num_samples, "num_samples"), seeds.convert(seed)
        return self.distribution().sample_codes(seed, num_samples)[:, 0]

    def compute_output_shape(self, input_shape: Shape) -> tuple[int | None, ...]:
        return (input_shape[0],)
