"""`PathChain`: one variable as a path, each digit with a network that reads the digits before."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from tf_discrete.distributions import Discrete
from tf_discrete.estimators import backward
from tf_discrete.models.layered_latents import Draws
from tf_discrete.models.path_distribution import PathDistribution
from tf_discrete.models.stochastic_chain import StochasticChain
from tf_discrete.types import Config, Seed, Shape, Tensor


class PathChain(StochasticChain):
    """x -> d_1 ~ q(d_1 | x) -> d_2 ~ q(d_2 | x, d_1) -> ... -> d_D, the digits of one variable.

    In the place of `StochasticChain` in a model, with an estimator for each digit. The encoder gives the
    logits of independent digits, [B, D, r], the context. The logits of a digit are these plus those of a
    `DigitNetwork` of the context and the digits before, which starts at 0: at first the digits are
    independent.

    Args:
        input_shape: Shape of one x.
        latents: Latents of the one layer.
        first: network [B, *input_shape] -> the context.
        layers: Estimators of categorical latents, one for each digit.
        centering: Bool, whether the running mean is subtracted from x.

    Raises:
        ValueError: centering that is not True or False.
    """

    def _build_parts(self, context_shape: Shape) -> None:
        self.leaves = self.latents.leaves
        self.network = self.latents.digit_network(self.latents.total.num_logits)
        size = self.latents.total.shape[-1]
        for depth, layer in enumerate(self.estimators):
            layer.build((None, 1, size), None if depth else context_shape)

    def digit_logits(self, depth: int, context: Tensor, before: Tensor) -> tf.Tensor:
        """Computes the logits of digit `depth`, [*A, r], -inf where there is no category.

        Args:
            depth: Int in [0, D).
            context: float [*B, D, r], whose axes broadcast against A.
            before: float [*A, depth, r], the digits before.
        """
        own = context[..., depth, : self.leaves.branching[depth]]
        flat = self.latents.total.flatten(context)
        own += tf.cast(self.network.logits(depth, flat, before), own.dtype)
        return self.leaves.mask(own, before)

    def node(self, depth: int, logits: Tensor, scale: Tensor | float = 1.0) -> Discrete:
        """Returns the distribution from which the estimator of a digit samples, of logits [*A, 1, r].

        Args:
            depth: Int in [0, D).
            logits: As `digit_logits` gives them, with an axis for the one variable.
            scale: Number by which the gradient for the logits is divided. Default: 1.0.
        """
        return self.estimators[depth].distribution(backward.divide_gradient(logits, scale))

    def root(self, context: Tensor) -> tf.Tensor:
        """Returns the prefixes of no digit, [*B, 0, r], for a context [*B, D, r]."""
        return context[..., :0, :]

    def distribution(self, context: Tensor) -> PathDistribution:
        """Returns q(z | x), of the codes that the estimators sample, given a context [B, D, r]."""

        def logits_fn(depth: int, before: Tensor) -> tf.Tensor:
            logits = self.digit_logits(depth, context, before)[..., tf.newaxis, :]
            return self.node(depth, logits).logits[..., 0, :]

        return PathDistribution(logits_fn, self.leaves, self.root(context))

    def sample_codes(
        self,
        inputs: Tensor,
        num_samples: int | Tensor,
        seed: Seed,
        first_logits: Tensor | None = None,
    ) -> tuple[Draws, Any]:
        """Samples codes at inference, int64 [S, B, 1]."""
        q = self.posterior(inputs, first_logits=first_logits)
        return (q.sample_codes(seed, num_samples),), (q,)

    def concatenated_logits(self, inputs: Tensor, training: bool = False) -> tf.Tensor:
        """Returns the logits of the digits along the mode, [B, D, r]."""
        return self.posterior(inputs, training).logits

    def posterior(
        self, inputs: Tensor, training: bool = False, first_logits: Tensor | None = None
    ) -> Any:
        """Returns q(z | x), a `PathDistribution`."""
        context = self.logits(0, inputs, training) if first_logits is None else first_logits
        return self.distribution(context)

    def negative_kl(self, draws: Draws, posteriors: Any, priors: Any) -> tf.Tensor:
        """Minus KL(q(z | x) || p(z)), [B], as the sum of the KLs at the nodes of one sample, [1, B, D, r]."""
        return -posteriors[0].kl_along(draws[0], priors[0])[0]

    def arguments(self) -> Config:
        one = keras.saving.serialize_keras_object(self.estimators[0])  # All digits have the same.
        return {**super().arguments(), "estimator": one}
