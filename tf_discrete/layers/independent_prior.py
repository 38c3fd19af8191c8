"""`IndependentPrior`: codes whose variables do not depend on each other, uniform or learned."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from tf_discrete import seeds
from tf_discrete._internal import checks, input_checks, integer_checks
from tf_discrete._internal.built_by_constructor import BuiltByConstructor
from tf_discrete.distributions import Discrete, LatentSpec
from tf_discrete.types import Config, SeedLike, Shape, Tensor


@keras.saving.register_keras_serializable("tf_discrete.models")
class IndependentPrior(BuiltByConstructor, keras.layers.Layer):
    """p(z) = prod_n p(z_n), the uniform distribution or one whose logits are learned.

    The prior of `StochasticLayer`, of `CategoricalVAE` (of its last layer) and of
    `SemanticHashingAutoencoder`. As the `code_prior=` of a model it learns the frequencies of each variable
    of the codes.

    Args:
        num_variables: Int N >= 1, number of variables.
        num_categories: Int K >= 2, categories of each variable; 2 for Bernoulli latents. Default: 2.
        latents: Kind of latents, see `tf_discrete.distributions.names()`. Default: "categorical".
        learned: Bool, whether the logits are trained; they start at the uniform distribution. Default: False.

    Raises:
        ValueError: Sizes out of range, or an unknown kind of latents.

    Example:
        >>> prior = IndependentPrior(num_variables=6, num_categories=4)
        >>> codes = prior.sample(5, seed=0)
        >>> codes.shape, float(prior.log_prob(codes)[0]) == float(-6 * tf.math.log(4.0))
        (TensorShape([5, 6]), True)
    """

    def __init__(
        self,
        num_variables: int,
        num_categories: int = 2,
        latents: str = "categorical",
        learned: bool = False,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.latent_spec = LatentSpec(num_variables, num_categories, latents)
        if not self.latent_spec.kind.factorized:
            raise ValueError(
                "The digits of a path depend on one another, so they have no independent prior. Take "
                "CategoricalVAE(prior=...), which makes the prior of its paths, or latents of a tree. "
                f"Received: latents={latents!r}"
            )
        self.learned = checks.flag("learned", learned)
        dtype = tf.float64 if self.variable_dtype == "float64" else tf.float32
        self.logits = self.add_weight(
            shape=self.latent_spec.logits_shape,
            dtype=dtype.name,
            initializer=lambda shape, dtype: self.latent_spec.uniform_logits(tf.as_dtype(dtype)),
            trainable=self.learned,
            autocast=False,
            name="prior_logits",
        )
        self.build((None, self.num_variables))

    @property
    def num_variables(self) -> int:
        """N of the codes."""
        return self.latent_spec.num_variables

    @property
    def num_categories(self) -> int:
        """K of the codes."""
        return self.latent_spec.num_categories

    def distribution(self, dtype: tf.DType | None = None) -> Discrete:
        """Returns p(z) as a distribution, with logits [*logits_shape].

        Args:
            dtype: Dtype of the logits. Default: that of the weight.
        """
        logits = tf.convert_to_tensor(self.logits)
        return self.latent_spec.distribution(logits if dtype is None else tf.cast(logits, dtype))

    def log_prob(self, codes: Tensor, training: bool = False) -> tf.Tensor:
        """Returns log p(z) in nats.

        Args:
            codes: Int [B, N] in [0, K).
            training: Bool, ignored. Default: False.

        Returns:
            log_prob: float [B], at least float32.

        Raises:
            ValueError: Codes of another shape or out of range; tf.errors.InvalidArgumentError in a graph.
                Where XLA leaves out the check, their log_prob is NaN.
        """
        codes = integer_checks.codes(
            codes, self.num_categories, self.num_variables, self.latent_spec.code_dtype
        )
        distribution = self.distribution()
        log_prob = distribution.log_prob(distribution.one_hot(codes))
        return input_checks.blank(
            log_prob, integer_checks.rows_in(codes, 0, self.num_categories - 1)
        )

    def sample(self, num_samples: int | Tensor, seed: SeedLike = 0) -> tf.Tensor:
        """Returns sampled codes, integers [num_samples, N].

        Args:
            num_samples: Int, number of samples.
            seed: Int or int32 [2]; the same seed gives the same codes. Default: 0.

        Raises:
            ValueError: A negative number of samples.
        """
        num_samples = integer_checks.count(num_samples, "num_samples")
        return self.distribution().sample_codes(seeds.convert(seed), num_samples)

    def call(self, codes: Tensor) -> tf.Tensor:
        return self.log_prob(codes)

    def compute_output_shape(self, input_shape: Shape) -> tuple[int | None, ...]:
        return (input_shape[0],)

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        return keras.Operation.compute_output_spec(self, *args, **kwargs)  # By a trace.

    def get_config(self) -> Config:
        return {
            "name": self.name,
            "dtype": self.dtype_policy.name,
            "num_variables": self.num_variables,
            "num_categories": self.num_categories,
            "latents": self.latent_spec.latents,
            "learned": self.learned,
        }
