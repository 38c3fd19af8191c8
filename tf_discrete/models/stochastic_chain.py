"""`StochasticChain`: stochastic layers in a row, each with a map to its logits and an estimator."""

from __future__ import annotations

import math

import keras
import tensorflow as tf

from tf_discrete import estimators, objectives, seeds
from tf_discrete._internal import checks
from tf_discrete._internal.built_by_constructor import BuiltByConstructor
from tf_discrete.distributions import Discrete
from tf_discrete.models import networks
from tf_discrete.models.centering import Centering
from tf_discrete.models.layered_latents import Distributions, Draws, LayeredLatents
from tf_discrete.models.named_parts import name_parts
from tf_discrete.types import Config, Seed, Shape, Tensor


class StochasticChain(BuiltByConstructor, keras.layers.Layer):
    """x -> z_1 ~ q(z_1 | x) -> z_2 ~ q(z_2 | z_1) -> ... -> z_L, all z discrete.

    A part of a model, which makes it, checks the estimators against its objective and saves the arguments.

    Args:
        input_shape: Shape of one x.
        latents: Latents of all layers.
        first: network [B, *input_shape] -> the logits of the first layer.
        layers: estimators, one for each layer.
        centering: Bool, whether the running mean is subtracted from x.

    Raises:
        ValueError: centering that is not True or False.
    """

    def __init__(
        self,
        input_shape: tuple[int, ...],
        latents: LayeredLatents,
        first: keras.layers.Layer,
        layers: list[estimators.Estimator],
        centering: bool,
    ):
        super().__init__(name="chain")
        centering = checks.flag("centering", centering)
        self.latents, self.estimators = latents, layers
        specs = latents.specs
        self._build_parts((None, math.prod(input_shape)))
        self.maps = [first]
        for before, spec in zip(specs, specs[1:], strict=False):
            self.maps.append(latents.new_map(before.shape, spec.num_logits))
        self.centering = Centering() if centering else None
        if self.centering is not None:
            self.centering.build((None, *input_shape))
        name_parts(self, maps=self.maps, estimators=layers)
        self.differs_in_training = centering or networks.differs_in_training(first)
        """Whether the logits of the first layer may be others in training than at inference."""
        self.build((None, *input_shape))

    def _build_parts(self, context_shape: Shape) -> None:
        """Builds the estimators, given the shape of the context of the first layer."""
        layers = zip(self.estimators, self.latents.specs, strict=True)
        for depth, (layer, spec) in enumerate(layers):
            layer.build((None, *spec.logits_shape), None if depth else context_shape)

    def compute_output_shape(self, input_shape: Shape) -> tuple[int | None, ...]:
        """Returns the shape of the concatenated logits of all layers."""
        return (input_shape[0], *self.latents.total.logits_shape)

    def logits(self, depth: int, before: Tensor, training: bool = False) -> tf.Tensor:
        """Logits of layer `depth`, [*A, N(, K)]: of x [B, *input_shape] for the first, else of samples."""
        if depth:
            outputs = self.latents.read(self.maps[depth], before, training)
            return self.latents.as_logits(outputs, depth)
        if self.centering is not None:
            before = self.centering(before, training=training)
        outputs = self.maps[0](before, training=training)
        logits = tf.cast(outputs, self.latents.dtype)
        return tf.reshape(logits, [-1, *self.latents.specs[0].logits_shape])

    def frozen_logits(self, depth: int, before: Tensor, training: bool = False) -> tf.Tensor:
        """`logits` of layer `depth` >= 1 as a function of the samples before, not of the map's weights."""
        outputs = self.latents.read(networks.without_gradient(self.maps[depth]), before, training)
        return self.latents.as_logits(outputs, depth)

    def draw(
        self,
        inputs: Tensor,
        num_samples: int | Tensor | None = None,
        seed: Seed | None = None,
        training: bool = False,
        first_logits: Tensor | None = None,
    ) -> tuple[Draws, Distributions]:
        """Discrete samples of all layers, and the posteriors that they are of.

        Args:
            inputs: x, float [B, *input_shape].
            num_samples: S; None for the most probable code of each layer in turn, without a sample axis.
            seed: int32 [2], of the samples.
            training: Bool, training mode of the maps; samples are those at inference. Default: False.
            first_logits: Logits of the first layer, where they are known already. Default: None.

        Returns:
            draws: float [S, B, N(, K)] each.
            posteriors: Posterior of each layer given the samples before it.
        """
        if num_samples is not None:
            codes, found = self.sample_codes(inputs, num_samples, seed, first_logits)
            return tuple(q.one_hot(code) for q, code in zip(found, codes, strict=True)), found
        before, draws, posteriors = inputs, [], []
        for depth, layer in enumerate(self.estimators):
            if depth or first_logits is None:
                distribution = layer.distribution(self.logits(depth, before, training))
            else:
                distribution = layer.distribution(first_logits)
            before = distribution.mode()
            draws.append(before)
            posteriors.append(distribution)
        return tuple(draws), tuple(posteriors)

    def sample_codes(
        self,
        inputs: Tensor,
        num_samples: int | Tensor,
        seed: Seed,
        first_logits: Tensor | None = None,
    ) -> tuple[Draws, Distributions]:
        """Samples codes of all layers at inference, int32 [S, B, N] each; see `draw`."""
        logits = self.logits(0, inputs) if first_logits is None else first_logits
        codes: list[tf.Tensor] = []
        posteriors: list[Discrete] = []
        for depth, layer in enumerate(self.estimators):
            if depth:
                outputs = self.latents.read_codes(self.maps[depth], codes[-1], depth - 1)
                logits = self.latents.as_logits(outputs, depth)
            posteriors.append(layer.distribution(logits))
            own = seeds.fold(seed, "layer", depth)
            sampled = posteriors[-1].sample_codes(own, 1 if depth else num_samples)
            codes.append(sampled[0] if depth else sampled)
        return tuple(codes), tuple(posteriors)

    def concatenated_logits(self, inputs: Tensor, training: bool = False) -> tf.Tensor:
        """Returns concatenated logits, [B, N(, K)], each layer given the most probable code before."""
        before, found = inputs, []
        for depth, layer in enumerate(self.estimators):
            found.append(self.logits(depth, before, training))
            if depth + 1 < len(self.estimators):
                before = layer.distribution(found[-1]).mode()
        return self.latents.total.concatenate_logits(found)

    def posterior(
        self, inputs: Tensor, training: bool = False, first_logits: Tensor | None = None
    ) -> Discrete:
        """Returns one distribution for all layers, each given the most probable code before; see `draw`."""
        posteriors = self.draw(inputs, training=training, first_logits=first_logits)[1]
        if len(posteriors) == 1:
            return posteriors[0]
        total = self.latents.total
        return total.distribution(
            total.concatenate_logits([distribution.logits for distribution in posteriors])
        )

    def negative_kl(
        self, draws: Draws, posteriors: Distributions, priors: Distributions
    ) -> tf.Tensor:
        """Minus KL(q(z | x) || p(z)), [B], as exact as `objectives.negative_kl`, at one sample of each layer.

        Args:
            draws: Samples of all layers, float [1, B, N(, K)] each.
            posteriors: q(z_l | z_{l-1}) of each layer.
            priors: p(z_l | z_{l+1}) of each.
        """
        found = objectives.negative_kl(draws, posteriors, priors)
        # Of one layer it does not depend on the sample.
        return found if len(draws) == 1 else found[0]

    def arguments(self) -> Config:
        """Returns the model's arguments that this chain was made of, as `get_config` gives them."""
        configs = [keras.saving.serialize_keras_object(layer) for layer in self.estimators]
        return {
            **self.latents.arguments(),
            "estimator": configs if len(configs) > 1 else configs[0],
            "centering": self.centering is not None,
        }
