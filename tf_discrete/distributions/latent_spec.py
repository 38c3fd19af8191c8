"""`LatentSpec`: which discrete latents a layer or a model has, as one value."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import keras
import tensorflow as tf

from tf_discrete._internal import checks
from tf_discrete.distributions import discrete, kinds
from tf_discrete.types import Config, JsonObject, Tensor

CODE_VALUES = ("zero_one", "plus_minus")
"""How a network reads a value: as it is, or with -1 and 1 in the place of 0 and 1."""


@keras.saving.register_keras_serializable("tf_discrete.distributions")
@dataclasses.dataclass(frozen=True)
class LatentSpec:
    """N variables of K categories of one kind, and how a network reads a value of them.

    Attributes:
        num_variables: N >= 1.
        num_categories: K >= 2.
        latents: Kind of latents, see `tf_discrete.distributions.names()`. Default: "categorical".
        code_values: "zero_one" or "plus_minus", see `CODE_VALUES`. Default: "zero_one".

    Raises:
        ValueError: An unknown kind, sizes that it does not take, or unknown code values.

    Example:
        >>> spec = LatentSpec(num_variables=20, num_categories=10)
        >>> spec.shape, spec.num_logits, LatentSpec(8, 2, "bernoulli").num_configurations
        ((20, 10), 200, 256)
    """

    num_variables: int
    num_categories: int
    latents: str = "categorical"
    code_values: str = "zero_one"

    def __post_init__(self) -> None:
        sizes = self.kind.check_sizes(self.num_variables, self.num_categories)
        for name, size in zip(("num_variables", "num_categories"), sizes, strict=True):
            object.__setattr__(self, name, size)  # As a plain integer.
        checks.choice("code_values", self.code_values, CODE_VALUES)

    @classmethod
    def concatenate(cls, specs: Sequence[LatentSpec]) -> LatentSpec:
        """Returns the latents of several layers as one, the variables of the first layer first.

        Where layers have different numbers of categories, the result has the largest; the others are padded
        with categories of probability 0, see `concatenate_logits`.

        Raises:
            ValueError: Different numbers of categories of a kind whose logits are not one a category, or
                several layers of paths.

        Example:
            >>> LatentSpec.concatenate([LatentSpec(4, 3), LatentSpec(2, 5)]).shape
            (6, 5)
        """
        if len(specs) > 1 and not specs[0].kind.factorized:
            raise ValueError(
                "The digits of a path are stochastic layers already. Set num_layers=1, and give one "
                "num_categories and one estimator for all digits. "
                f"Received: num_layers={len(specs)}, latents={specs[0].latents!r}"
            )
        sizes = [spec.num_categories for spec in specs]
        if len(set(sizes)) > 1 and any(spec.logits_shape != spec.shape for spec in specs):
            raise ValueError(
                f"{specs[0].kind.__name__} latents must have as many categories in every layer. Give "
                f"num_categories once. Received: num_categories={sizes}"
            )
        total = sum(spec.num_variables for spec in specs)
        return dataclasses.replace(specs[0], num_variables=total, num_categories=max(sizes))

    def concatenate_logits(self, logits: Sequence[Tensor]) -> tf.Tensor:
        """Logits of several layers, [*A, *logits_shape] each, as those of their concatenation, this spec.

        Args:
            logits: Of each layer; layers with fewer categories are padded with logits of -inf.

        Example:
            >>> spec = LatentSpec.concatenate([LatentSpec(1, 2), LatentSpec(1, 3)])
            >>> spec.concatenate_logits([tf.zeros([1, 2]), tf.ones([1, 3])]).numpy().tolist()
            [[0.0, 0.0, -inf], [1.0, 1.0, 1.0]]
        """
        return self.kind.concatenate_logits(logits, self.num_categories)

    @property
    def kind(self) -> type[discrete.Discrete]:
        """Returns the class of the kind of latents."""
        return kinds.get(self.latents)

    @property
    def estimator_latents(self) -> str:
        """Returns the kind of latents of the estimators: this one, or that of a digit of a path."""
        return self.latents if self.kind.factorized else self.kind.formulas()

    @property
    def event_rank(self) -> int:
        """Returns the number of axes of one value."""
        return self.kind.event_rank

    @property
    def shape(self) -> tuple[int, ...]:
        """Returns the shape of one value."""
        return self.kind.value_shape(self.num_variables, self.num_categories)

    @property
    def logits_shape(self) -> tuple[int, ...]:
        """Returns the shape of the logits of one value."""
        return self.kind.logits_shape(self.num_variables, self.num_categories)

    @property
    def code_dtype(self) -> tf.DType:
        """Returns the dtype of codes."""
        return self.kind.code_dtype

    @property
    def digit_sizes(self) -> tuple[int, int]:
        """Returns how many digits a code has, and how many categories each: N and K, but for trees."""
        return self.kind.digit_sizes(self.num_variables, self.num_categories)

    def digits(self, codes: Tensor) -> Tensor:
        """Returns the digits of codes int [..., N], the variables that estimators see."""
        return self.kind.digits(codes)

    def join_digits(self, digits: Tensor) -> Tensor:
        """Returns the codes of digits, the inverse of `digits`."""
        return self.kind.join_digits(digits)

    @property
    def num_logits(self) -> int:
        """Returns how many logits one value has, the outputs of the network that makes them."""
        return math.prod(self.logits_shape)

    @property
    def num_configurations(self) -> int:
        """Returns how many values there are, K**N."""
        return self.num_categories**self.num_variables

    def distribution(self, logits: Tensor) -> discrete.Discrete:
        """Returns the distribution with these logits, [..., *logits_shape]."""
        return self.kind(logits)

    def uniform_logits(self, dtype: tf.DType = tf.float32) -> tf.Tensor:
        """Returns the logits of the uniform distribution, [*logits_shape]."""
        one = tf.constant(self.kind.uniform_logits(self.num_categories), dtype)
        return tf.broadcast_to(one, self.logits_shape)

    def uniform(self, dtype: tf.DType = tf.float32) -> discrete.Discrete:
        """Returns the uniform distribution over all values."""
        return self.distribution(self.uniform_logits(dtype))

    def as_logits(self, outputs: Tensor, dtype: tf.DType) -> tf.Tensor:
        """Outputs [*A, num_logits] of a network as logits [*A, *logits_shape] of a dtype."""
        outputs = tf.cast(outputs, dtype)
        lead = tf.shape(outputs)[:-1]
        logits = tf.reshape(outputs, tf.concat([lead, self.logits_shape], axis=0))
        return tf.ensure_shape(logits, [*outputs.shape[:-1], *self.logits_shape])

    def network_input(self, value: Tensor) -> tf.Tensor:
        """Encodes values, one-hot or relaxed, as the next network reads them.

        Example:
            >>> spec = LatentSpec(2, 2, "bernoulli", code_values="plus_minus")
            >>> spec.network_input(tf.constant([0.0, 1.0])).numpy().tolist()
            [-1.0, 1.0]
        """
        return 2.0 * value - 1.0 if self.code_values == "plus_minus" else value

    def flatten(self, value: Tensor) -> tf.Tensor:
        """Values [..., *shape] as vectors, [..., D]."""
        return self.kind.flatten(value)

    def manifest_entries(self) -> JsonObject:
        """Returns the manifest entries of the latents."""
        return {
            "latent_shape": self.shape,
            "latents": self.latents,
            "num_variables": self.num_variables,
            "num_categories": self.num_categories,
        }

    def get_config(self) -> Config:
        return dataclasses.asdict(self)

    @classmethod
    def from_config(cls, config: Config) -> LatentSpec:
        return cls(**config)
