"""`LayeredLatents`: what the discrete latents of layers in a row are, and how maps read and write them."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from tf_discrete import estimators
from tf_discrete.distributions import Discrete, LatentSpec
from tf_discrete.models import networks
from tf_discrete.types import Tensor

Draws = tuple[tf.Tensor, ...]
Laws = tuple[Discrete, ...]


@dataclasses.dataclass(frozen=True)
class LayeredLatents:
    """Discrete latents of L layers, which no direction has drawn yet.

    Attributes:
        specs: of each layer, all of one kind with as many categories.
        hidden_units: of the deterministic layers in each map; () for affine maps.
        activation: of these.
        dtype: of the logits.
    """

    specs: tuple[LatentSpec, ...]
    hidden_units: tuple[int, ...]
    activation: str
    dtype: tf.DType

    @functools.cached_property
    def total(self) -> LatentSpec:
        """The latents of all layers as one, the first layer's first."""
        return LatentSpec.concatenate(self.specs)

    def new_map(self, shape: tuple[int, ...], num_outputs: int) -> keras.Model:
        """A network from [B, *shape] to [B, num_outputs]."""
        return networks.mlp_encoder(shape, num_outputs, self.hidden_units, self.activation)

    def as_logits(self, outputs: Tensor, depth: int) -> tf.Tensor:
        """Outputs [*A, num_logits] of a network as logits of layer `depth`."""
        return self.specs[depth].as_logits(outputs, self.dtype)

    def read(self, network: Callable[..., Tensor], z: Tensor, training: bool) -> tf.Tensor:
        """What a network makes of draws [*A, N(, K)] of any layer."""
        return estimators.apply_to_samples(
            lambda values: network(values, training=training),
            self.total.network_input(z),
            batch_rank=z.shape.rank - self.total.event_rank,
        )


def name_parts(layer: keras.layers.Layer, **lists: Sequence[Any]) -> None:
    """Gives each item of a layer's lists a name of its own: checkpoints of TensorFlow skip Keras' lists."""
    for name, parts in lists.items():
        for number, part in enumerate(parts, 1):
            setattr(layer, f"{name}_{number}", part)
