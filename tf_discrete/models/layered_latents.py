"""`LayeredLatents`: what the discrete latents of layers in a row are, and how maps read and write them."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from tf_discrete import arguments, distributions, estimators
from tf_discrete.models import networks
from tf_discrete.models.units import UNITS, as_units
from tf_discrete.types import Tensor

Draws = tuple[tf.Tensor, ...]
Laws = tuple[distributions.Discrete, ...]


@dataclasses.dataclass(frozen=True)
class LayeredLatents:
    """Discrete latents of L layers, which no direction has drawn yet.

    Attributes:
        name: "categorical" or "bernoulli".
        num_variables: N of each layer.
        num_categories: K of all layers.
        units: "zero_one" or "plus_minus", of what a map reads for a choice.
        hidden_units: of the deterministic layers in each map; () for affine maps.
        activation: of these.
        wide: dtype of the logits.

    Raises:
        ValueError: values out of range.
    """

    name: str
    num_variables: tuple[int, ...]
    num_categories: int
    units: str
    hidden_units: tuple[int, ...]
    activation: str
    wide: tf.DType

    def __post_init__(self) -> None:
        arguments.check_choice("units", self.units, UNITS)
        for number in self.num_variables:
            distributions.get(self.name).check_sizes(number, self.num_categories)

    @functools.cached_property
    def shapes(self) -> list[Any]:
        """(N_l, K) of each layer, or (N_l,) of bits."""
        return [
            distributions.get(self.name).value_shape(number, self.num_categories)
            for number in self.num_variables
        ]

    def new_map(self, shape: tuple[int, ...], num_outputs: int) -> keras.Model:
        """A network from [B, *shape] to [B, num_outputs]."""
        return networks.mlp_encoder(shape, num_outputs, self.hidden_units, self.activation)

    def as_logits(self, outputs: Tensor, depth: int) -> tf.Tensor:
        """Outputs [*A, N * K] of a network as logits of layer `depth`, wide."""
        outputs = tf.cast(outputs, self.wide)
        lead = tf.shape(outputs)[:-1]
        logits = tf.reshape(outputs, tf.concat([lead, self.shapes[depth]], axis=0))
        return tf.ensure_shape(logits, [*outputs.shape[:-1], *self.shapes[depth]])

    def read(self, network: Callable[..., Tensor], z: Tensor, training: bool) -> tf.Tensor:
        """What a network makes of draws [*A, N(, K)] of any layer, in these units."""
        return estimators.apply_to_samples(
            lambda values: network(values, training=training),
            as_units(z, self.units),
            batch_rank=z.shape.rank - len(self.shapes[0]),
        )

    def law_of(self, logits: Tensor) -> distributions.Discrete:
        """The distribution with these logits."""
        return distributions.get(self.name)(logits)

    def describe(self) -> dict[str, Any]:
        """What a manifest says of the latents of all layers."""
        total = sum(self.num_variables)
        return {
            "latent_shape": distributions.get(self.name).value_shape(total, self.num_categories),
            "latents": self.name,
            "num_variables": total,
            "num_categories": self.num_categories,
        }
