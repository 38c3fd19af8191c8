"""`GenerativeChain`: stochastic layers in a row from a prior to what the likelihood reads."""

from __future__ import annotations

import keras
import tensorflow as tf

from tf_discrete import seeds
from tf_discrete._internal import input_checks, integer_checks
from tf_discrete._internal.built_by_constructor import BuiltByConstructor
from tf_discrete.distributions import Discrete
from tf_discrete.layers.independent_prior import IndependentPrior
from tf_discrete.models.layered_latents import Distributions, Draws, LayeredLatents
from tf_discrete.models.named_parts import name_parts
from tf_discrete.types import SeedLike, Shape, Tensor


class GenerativeChain(BuiltByConstructor, keras.layers.Layer):
    """z_L ~ p(z_L) -> z_{L-1} ~ p(z_{L-1} | z_L) -> ... -> z_1, all z discrete.

    The prior of the codes of all layers. A part of a model, which makes it next to the chain of q, decodes
    z_1 and saves the arguments. `maps[l]` goes from layer l + 2 to layer l + 1.

    Args:
        latents: Latents of all layers.
        learned: Bool, whether p(z_L) is learned; else it is uniform.
    """

    def __init__(self, latents: LayeredLatents, learned: bool):
        super().__init__(name="generative_chain")
        self.latents = latents
        last = latents.specs[-1]
        self.last = IndependentPrior(
            last.num_variables, last.num_categories, last.latents, learned, dtype=latents.dtype.name
        )
        self.maps = [
            latents.new_map(above.shape, below.num_logits)
            for below, above in zip(latents.specs, latents.specs[1:], strict=False)
        ]
        name_parts(self, maps=self.maps)
        self.build((None, *latents.specs[-1].shape))

    def compute_output_shape(self, input_shape: Shape) -> tuple[int | None, ...]:
        """Returns the shape of a sample of the first layer, given that of the last."""
        return (input_shape[0], *self.latents.specs[0].shape)

    def logits_given(self, draws: Draws, training: bool = False) -> list[tf.Tensor]:
        """Returns the logits of p(z_l | z_{l+1}) of each layer, [*A, N_l(, K)], of p(z_L) the last."""
        between = [self._logits_below(depth + 1, z, training) for depth, z in enumerate(draws[1:])]
        return [*between, tf.convert_to_tensor(self.last.logits)]

    def priors_given(self, codes: Draws) -> Distributions:
        """Returns p(z_l | z_{l+1}) of each layer given codes, int [*A, N_l] each, p(z_L) the last."""
        between = [
            self.latents.as_logits(self.latents.read_codes(network, code, depth), depth - 1)
            for depth, (network, code) in enumerate(zip(self.maps, codes[1:], strict=True), 1)
        ]
        return (
            *(self.latents.total.distribution(logits) for logits in between),
            self.last.distribution(),
        )

    @property
    def learned(self) -> bool:
        """Whether p(z_L) is learned."""
        return self.last.learned

    def distribution(self) -> Discrete:
        """Returns p(z_L)."""
        return self.last.distribution()

    @property
    def num_variables(self) -> int:
        """N of the codes, of all layers together."""
        return self.latents.total.num_variables

    @property
    def num_categories(self) -> int:
        """K of the codes, the largest of all layers."""
        return self.latents.total.num_categories

    def log_prob(self, codes: Tensor, training: bool = False) -> tf.Tensor:
        """Returns log p(z_1, ..., z_L) in nats, float [B], of codes of all layers, int [B, N]."""
        parts = self.latents.split(codes)
        priors = self.priors_given(tuple(parts))
        log_prob = tf.add_n(
            [p.log_prob(p.one_hot(part)) for p, part in zip(priors, parts, strict=True)]
        )
        accepted = integer_checks.rows_in(tf.concat(parts, axis=1), 0, self.num_categories - 1)
        return input_checks.blank(log_prob, accepted)

    def sample(self, num_samples: int | Tensor, seed: SeedLike = 0) -> tf.Tensor:
        """Returns codes of all layers, the first layer's first, int32 [num_samples, N]."""
        num_samples, seed = integer_checks.count(num_samples, "num_samples"), seeds.convert(seed)
        codes: list[tf.Tensor] = []
        distribution = self.last.distribution()
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
