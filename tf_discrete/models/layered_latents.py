"""`LayeredLatents`: what the discrete latents of layers in a row are, and how maps read and write them."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence

import keras
import tensorflow as tf

from tf_discrete import estimators
from tf_discrete._internal import arguments, checks, fusion, integer_checks
from tf_discrete.distributions import Discrete, LatentSpec
from tf_discrete.distributions.latent_spec import CODE_VALUES
from tf_discrete.distributions.tree_leaves import TreeLeaves
from tf_discrete.models import mlp_networks, sum_of_rows
from tf_discrete.models.digit_network import DigitNetwork
from tf_discrete.types import ActivationLike, Config, Tensor

Draws = tuple[tf.Tensor, ...]
Distributions = tuple[Discrete, ...]


@dataclasses.dataclass(frozen=True)
class LayeredLatents:
    """Discrete latents of L layers, which no direction has drawn yet.

    Attributes:
        specs: `LatentSpec` of each layer, all of one kind.
        hidden_units: Sizes of the deterministic layers in each map; () for affine maps.
        activation: Activation of the hidden layers.
        dtype: Dtype of the logits.
        digit_units: Sizes of the hidden layers of the network of each digit of a path. Default: ().
    """

    specs: tuple[LatentSpec, ...]
    hidden_units: tuple[int, ...]
    activation: ActivationLike
    dtype: tf.DType
    digit_units: tuple[int, ...] = ()

    @classmethod
    def make(
        cls,
        num_layers: int,
        num_variables: int | Sequence[int],
        num_categories: int | Sequence[int],
        latents: str,
        code_values: str,
        hidden_units: Sequence[int],
        activation: ActivationLike,
        dtype: tf.DType,
    ) -> LayeredLatents:
        """Returns the latents that a model's arguments ask for, one value for all layers or one for each.

        Raises:
            ValueError: arguments out of range, or sequences that are not of one value for each layer.
        """
        code_values = checks.choice("code_values", code_values, CODE_VALUES)
        sizes = zip(
            arguments.per_layer("num_variables", num_variables, num_layers),
            arguments.per_layer("num_categories", num_categories, num_layers),
            strict=True,
        )
        specs = tuple(LatentSpec(*size, latents, code_values) for size in sizes)
        LatentSpec.concatenate(specs)
        hidden_units = arguments.hidden_units(hidden_units)
        return cls(specs, hidden_units, arguments.activation(activation), dtype)

    @functools.cached_property
    def total(self) -> LatentSpec:
        """Returns the latents of all layers as one, the first layer's first."""
        return LatentSpec.concatenate(self.specs)

    @functools.cached_property
    def leaves(self) -> TreeLeaves:
        """Returns the categories of a path."""
        branching = self.total.kind.describe_codes()["branching"]
        return TreeLeaves(self.total.num_categories, branching)

    def digit_network(self, num_inputs: int) -> DigitNetwork:
        """Returns a network of inputs [*A, num_inputs] and the digits before, whose outputs start at 0."""
        network = DigitNetwork(
            self.leaves.branching,
            self.digit_units,
            self.activation,
            starts_at_zero=True,
            name="network",
        )
        network.build((None, num_inputs))
        return network

    def new_map(self, shape: tuple[int, ...], num_outputs: int) -> keras.Model:
        """Returns a network from [B, *shape] to [B, num_outputs]."""
        return mlp_networks.mlp_encoder(shape, num_outputs, self.hidden_units, self.activation)

    def as_logits(self, outputs: Tensor, depth: int) -> tf.Tensor:
        """Outputs [*A, num_logits] of a network as logits of layer `depth`."""
        return self.specs[depth].as_logits(outputs, self.dtype)

    def read(self, network: Callable[..., Tensor], z: Tensor, training: bool) -> tf.Tensor:
        """Applies a network to samples [*A, N(, K)] of any layer."""
        return read_latents(self.total, network, z, training)

    def read_codes(self, network: keras.Model, codes: Tensor, depth: int) -> tf.Tensor:
        """Applies a network to codes [*A, N] of layer `depth`, at inference."""
        return read_codes(self.specs[depth], network, codes, self.dtype)

    def split(self, codes: Tensor) -> list[tf.Tensor]:
        """Returns the codes of each layer, integers [B, N_l], of those of all, int [B, N].

        Raises:
            ValueError: codes of another shape or out of the range of their layer;
                tf.errors.InvalidArgumentError in a graph. Where XLA leaves out the check, they are -1.
        """
        total = self.total
        dtype = total.code_dtype
        codes = integer_checks.codes(codes, total.num_categories, total.num_variables, dtype)
        if len(self.specs) == 1:
            return [codes]
        parts = tf.split(codes, [spec.num_variables for spec in self.specs], axis=1)
        return [
            integer_checks.codes(part, spec.num_categories, spec.num_variables, dtype)
            for part, spec in zip(parts, self.specs, strict=True)
        ]

    def arguments(self) -> Config:
        """Returns the model's arguments that these latents were made of, as `get_config` gives them."""
        return {
            "num_layers": len(self.specs),
            "num_variables": arguments.shared([spec.num_variables for spec in self.specs]),
            "num_categories": arguments.shared([spec.num_categories for spec in self.specs]),
            "latents": self.total.latents,
            "code_values": self.total.code_values,
            "hidden_units": self.hidden_units,
            "activation": self.activation,
        }


def read_latents(
    spec: LatentSpec, network: Callable[..., Tensor], z: Tensor, training: bool
) -> tf.Tensor:
    """Applies a network to latents [*A, N(, K)], encoded as `spec` says."""
    return estimators.apply_to_samples(
        lambda values: network(values, training=training),
        spec.network_input(z),
        batch_rank=z.shape.rank - spec.event_rank,
    )


def read_codes(
    spec: LatentSpec, network: keras.Model, codes: Tensor, dtype: tf.DType = tf.float32
) -> tf.Tensor:
    """Applies a network to codes, int [*A, N], as `read_latents` to their values, at inference."""
    parts = sum_of_rows.split(network, spec) if fusion.is_enabled() else None
    if parts is None:
        return read_latents(spec, network, spec.uniform(dtype).one_hot(codes), training=False)
    return estimators.apply_to_samples(
        lambda rows: sum_of_rows.apply(parts, spec, rows), codes, batch_rank=codes.shape.rank - 1
    )
