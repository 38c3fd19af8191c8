"""`StochasticChain`: stochastic layers in a row, each with a map to its logits and an estimator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import keras
import tensorflow as tf

from tf_discrete import arguments, checks, estimators, seeds
from tf_discrete.distributions import Discrete, LatentSpec
from tf_discrete.distributions.latent_spec import CODE_VALUES
from tf_discrete.estimators import backward, sampling
from tf_discrete.models import networks
from tf_discrete.models.centering import Centering
from tf_discrete.models.layered_latents import Draws, Laws, LayeredLatents, name_parts
from tf_discrete.types import Sample, Seed, Tensor


class StochasticChain(keras.layers.Layer):
    """x -> z_1 ~ q(z_1 | x) -> z_2 ~ q(z_2 | z_1) -> ... -> z_L, all z discrete.

    A part of a model, which makes it, checks the estimators against its objective and saves the arguments.

    Args:
        num_inputs: numbers in x, one vector.
        num_variables: N, one number or one for each layer.
        num_categories: K of all layers.
        latents: Kind of latents, see `tf_discrete.distributions.names()`.
        num_layers: L >= 1.
        hidden_units: of the deterministic layers in each map; () for affine maps.
        activation: of these.
        estimator: see `arguments.layer_estimators`.
        temperature: likewise.
        units: "zero_one" or "plus_minus", of what a map reads for a choice.
        centering: whether the running mean is subtracted from x.
        wide: dtype of the logits.

    Raises:
        ValueError: arguments out of range, or sequences that are not of one value for each layer.
    """

    def __init__(
        self,
        num_inputs: int,
        num_variables: int | Sequence[int],
        num_categories: int,
        latents: str,
        num_layers: int,
        hidden_units: Sequence[int],
        activation: str,
        estimator: Any,
        temperature: Any,
        units: str,
        centering: bool,
        wide: tf.DType,
    ):
        super().__init__(name="chain")
        num_layers = checks.whole("num_layers", num_layers)
        centering = checks.flag("centering", centering)
        units = checks.choice("units", units, CODE_VALUES)
        numbers = arguments.per_layer("num_variables", num_variables, num_layers)
        self.latents = LayeredLatents(
            tuple(LatentSpec(number, num_categories, latents, units) for number in numbers),
            arguments.hidden_units(hidden_units),
            arguments.activation(activation),
            wide,
        )
        specs = self.latents.specs
        self.estimators = arguments.layer_estimators(estimator, latents, temperature, num_layers)
        for depth, (layer, spec) in enumerate(zip(self.estimators, specs, strict=True)):
            layer.build((None, *spec.logits_shape), None if depth else (None, num_inputs))
        inputs = [(num_inputs,), *(spec.shape for spec in specs)]
        self.maps = [
            self.latents.new_map(shape, spec.num_logits)
            for shape, spec in zip(inputs, specs, strict=False)
        ]
        self.centering = Centering() if centering else None
        if self.centering is not None:
            self.centering.build((None, num_inputs))
        name_parts(self, maps=self.maps, estimators=self.estimators)
        self.built = True

    def logits(self, depth: int, before: Tensor, training: bool = False) -> tf.Tensor:
        """Logits of layer `depth`, [*A, N(, K)]: of x [*A, inputs] for the first, else of draws."""
        if depth:
            outputs = self.latents.read(self.maps[depth], before, training)
        else:
            if self.centering is not None:
                before = self.centering(before, training=training)
            outputs = self.maps[0](before, training=training)
        return self.latents.as_logits(outputs, depth)

    def draw(
        self, inputs: Tensor, num_samples: int | Tensor | None = None, seed: Seed | None = None
    ) -> tuple[Draws, Laws]:
        """Discrete draws of all layers, and the laws that they are of.

        Args:
            inputs: x, float [B, inputs].
            num_samples: S; None for the most probable choice of every layer in turn, without a sample axis.
            seed: int32 [2], of the draws.

        Returns:
            draws: float [S, B, N(, K)] each.
            laws: of each layer given the draws before it.
        """
        before, draws, laws = inputs, [], []
        for depth, layer in enumerate(self.estimators):
            law = layer.law(self.logits(depth, before))
            if num_samples is None:
                before = law.mode()
            else:
                own = seeds.fold(seed, "layer", depth)
                before = law.sample(own, 1)[0] if depth else law.sample(own, num_samples)
            draws.append(before)
            laws.append(law)
        return tuple(draws), tuple(laws)

    def relaxed_draw(
        self,
        inputs: Tensor,
        num_samples: int,
        seed: Seed,
        training: bool,
        factor: Tensor | None = None,
    ) -> tuple[list[Sample], list[tf.Tensor]]:
        """Draws of pathwise estimators in all layers, [S, B, N(, K)] each, and the logits of each.

        Args:
            inputs: x, float [B, inputs].
            num_samples: S.
            seed: int32 [2], of the draws.
            training: of the maps.
            factor: [S, B], for a doubly reparameterised bound: what the maps learn from a draw is multiplied
                by it, and from the logits returned they learn nothing; gradients of draws before pass
                through both. Default: None, for maps that learn from both as usual.
        """
        before, samples, all_logits = inputs, [], []
        for depth, layer in enumerate(self.estimators):
            learning = self.logits(
                depth, before if factor is None else tf.stop_gradient(before), training
            )
            own = seeds.fold(seed, "layer", depth)
            noise = layer.draw_noise(own, learning, None if depth else num_samples)
            drawn_of = logits = learning
            if factor is not None:
                logits = self._fixed_logits(depth, before, learning, training)
                scale = sampling.expand(factor, layer.event_rank)
                learning += tf.zeros_like(noise)  # For each sample, in the first layer too.
                drawn_of = backward.scale_gradient(learning, scale) + _gradient_alone(logits)
            sample = cast(estimators.PathwiseEstimator, layer).sample(drawn_of, noise)
            before = sample.value
            samples.append(sample)
            all_logits.append(logits)
        return samples, all_logits

    def _fixed_logits(
        self, depth: int, before: Tensor, logits: Tensor, training: bool
    ) -> tf.Tensor:
        """The logits of a layer as a function of the draws before, none of its own weights."""
        if not depth:
            return tf.stop_gradient(logits)
        outputs = self.latents.read(networks.without_gradient(self.maps[depth]), before, training)
        return self.latents.as_logits(outputs, depth)

    def side_by_side(self, inputs: Tensor) -> tf.Tensor:
        """Logits of all layers in one, [B, sum of N(, K)], each given the most probable choice before."""
        return tf.concat([law.logits for law in self.draw(inputs)[1]], axis=1)

    def law_beside_estimate(self, depth: int, logits: Tensor) -> Discrete:
        """q(z_l | ...) for terms of the loss that read its logits beside the estimator of the layer.

        Variance normalisation divides the gradient that the estimator gives; theirs keeps proportion.
        """
        layer = self.estimators[depth]
        return layer.law(backward.divide_gradient(logits, layer.gradient_scale))

    def arguments(self) -> dict[str, Any]:
        """The model's arguments that this chain was made of, as `get_config` gives them."""
        latents = self.latents
        return {
            "num_variables": tuple(spec.num_variables for spec in latents.specs),
            "num_categories": latents.total.num_categories,
            "latents": latents.total.latents,
            "num_layers": len(self.estimators),
            "hidden_units": latents.hidden_units,
            "activation": latents.activation,
            "estimator": [keras.saving.serialize_keras_object(e) for e in self.estimators],
            "units": latents.total.code_values,
            "centering": self.centering is not None,
        }


def _gradient_alone(value: tf.Tensor) -> tf.Tensor:
    """Zeros with the gradient of `value`."""
    return value - tf.stop_gradient(value)
