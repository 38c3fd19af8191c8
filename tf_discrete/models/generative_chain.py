"""`GenerativeChain`: stochastic layers in a row from a prior to what the likelihood reads."""

from __future__ import annotations

import keras
import tensorflow as tf

from tf_discrete import arguments, seeds
from tf_discrete.distributions import Discrete
from tf_discrete.models.layered_latents import Draws, Laws, LayeredLatents, name_parts
from tf_discrete.types import Seed, Tensor


class GenerativeChain(keras.layers.Layer):
    """z_L ~ p(z_L) -> z_{L-1} ~ p(z_{L-1} | z_L) -> ... -> z_1 -> outputs, all z discrete.

    A part of a model, which makes it beside the chain of q and saves the arguments.

    Args:
        latents: of all layers.
        num_outputs: numbers that are made of z_1.
        prior: of the last layer: "uniform" or "learned".

    Raises:
        ValueError: an unknown prior.
    """

    def __init__(self, latents: LayeredLatents, num_outputs: int, prior: str):
        super().__init__(name="generative_chain")
        arguments.check_choice("prior", prior, arguments.PRIORS)
        self.latents, self.prior = latents, prior
        sizes = [num_outputs, *(spec.num_logits for spec in latents.specs)]
        self.maps = [
            latents.new_map(spec.shape, size)
            for spec, size in zip(latents.specs, sizes, strict=False)
        ]
        last = latents.specs[-1]
        self.prior_logits = self.add_weight(
            shape=last.logits_shape,
            dtype=latents.dtype.name,
            initializer=lambda shape, dtype: last.uniform_logits(latents.dtype),
            trainable=prior == "learned",
            name="prior_logits",
        )
        name_parts(self, maps=self.maps)
        self.built = True

    def outputs(self, z: Tensor, training: bool = False) -> tf.Tensor:
        """What is made of draws of the first layer [*A, N_1(, K)], [*A, num_outputs]."""
        return self.latents.read(self.maps[0], z, training)

    def logits_given(self, draws: Draws, training: bool = False) -> list[tf.Tensor]:
        """Logits of p(z_l | z_{l+1}) of each layer, [*A, N_l(, K)], of p(z_L) the last."""
        between = [self._logits_below(depth + 1, z, training) for depth, z in enumerate(draws[1:])]
        return [*between, tf.convert_to_tensor(self.prior_logits)]

    def laws_given(self, draws: Draws, training: bool = False) -> Laws:
        """p(z_l | z_{l+1}) of each layer, p(z_L) the last."""
        return tuple(
            self.latents.total.distribution(one) for one in self.logits_given(draws, training)
        )

    def last_law(self) -> Discrete:
        """p(z_L)."""
        return self.latents.total.distribution(tf.convert_to_tensor(self.prior_logits))

    def sample(self, num_samples: int | Tensor, seed: Seed) -> tf.Tensor:
        """Codes of all layers, the first layer's first, int32 [num_samples, N]."""
        codes: list[tf.Tensor] = []
        law = self.last_law()
        for depth in reversed(range(len(self.maps))):
            own = seeds.fold(seed, "prior", depth)
            z = law.sample(own, 1)[0] if codes else law.sample(own, num_samples)
            codes.insert(0, law.code(z))
            if depth:
                law = self.latents.total.distribution(self._logits_below(depth, z, training=False))
        return tf.concat(codes, axis=1)

    def _logits_below(self, depth: int, z: Tensor, training: bool) -> tf.Tensor:
        """Logits of layer `depth` - 1, given draws of layer `depth`, both counted from 0."""
        return self.latents.as_logits(self.latents.read(self.maps[depth], z, training), depth - 1)
