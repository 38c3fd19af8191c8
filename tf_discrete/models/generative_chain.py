"""`GenerativeChain`: stochastic layers in a row from a prior to what the likelihood reads."""

from __future__ import annotations

from collections.abc import Callable

import keras
import tensorflow as tf

from tf_discrete import seeds
from tf_discrete.distributions import Discrete
from tf_discrete.models.layered_latents import Distributions, Draws, LayeredLatents, name_parts
from tf_discrete.types import Seed, Shape, Tensor


class GenerativeChain(keras.layers.Layer):
    """z_L ~ p(z_L) -> z_{L-1} ~ p(z_{L-1} | z_L) -> ... -> z_1, all z discrete.

    A part of a model, which makes it next to the chain of q, decodes z_1 and saves the arguments. `maps[l]`
    goes from layer l + 2 to layer l + 1.

    Args:
        latents: Latents of all layers.
        prior_logits_fn: gives the logits of p(z_L), which the model owns.
    """

    def __init__(self, latents: LayeredLatents, prior_logits_fn: Callable[[], Tensor]):
        super().__init__(name="generative_chain")
        self.latents, self.prior_logits_fn = latents, prior_logits_fn
        self.maps = [
            latents.new_map(above.shape, below.num_logits)
            for below, above in zip(latents.specs, latents.specs[1:], strict=False)
        ]
        name_parts(self, maps=self.maps)
        self.build((None, *latents.specs[-1].shape))

    def build(self, input_shape: Shape) -> None:
        """Does nothing; Keras reads the output shape in a summary off layers that were built."""

    def compute_output_shape(self, input_shape: Shape) -> tuple[int | None, ...]:
        """Returns the shape of a sample of the first layer, given that of the last."""
        return (input_shape[0], *self.latents.specs[0].shape)

    def logits_given(self, draws: Draws, training: bool = False) -> list[tf.Tensor]:
        """Returns the logits of p(z_l | z_{l+1}) of each layer, [*A, N_l(, K)], of p(z_L) the last."""
        between = [self._logits_below(depth + 1, z, training) for depth, z in enumerate(draws[1:])]
        return [*between, self.prior_logits_fn()]

    def priors_given(self, draws: Draws, training: bool = False) -> Distributions:
        """Returns p(z_l | z_{l+1}) of each layer, p(z_L) the last."""
        return tuple(
            self.latents.total.distribution(one) for one in self.logits_given(draws, training)
        )

    def last_law(self) -> Discrete:
        """Returns p(z_L)."""
        return self.latents.total.distribution(self.prior_logits_fn())

    def sample(self, num_samples: int | Tensor, seed: Seed) -> tf.Tensor:
        """Returns codes of all layers, the first layer's first, int32 [num_samples, N]."""
        codes: list[tf.Tensor] = []
        distribution = self.last_law()
        for depth in reversed(range(len(self.latents.specs))):
            own = seeds.fold(seed, "prior", depth)
            z = distribution.sample(own, 1)[0] if codes else distribution.sample(own, num_samples)
            codes.insert(0, distribution.code(z))
            if depth:
                distribution = self.latents.total.distribution(
                    self._logits_below(depth, z, training=False)
                )
        return tf.concat(codes, axis=1)

    def _logits_below(self, depth: int, z: Tensor, training: bool) -> tf.Tensor:
        """Returns the logits of layer `depth` - 1, given draws of layer `depth`, both counted from 0."""
        return self.latents.as_logits(
            self.latents.read(self.maps[depth - 1], z, training), depth - 1
        )
