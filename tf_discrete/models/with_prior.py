"""`WithPrior`: a model and an autoregressive prior of its codes, trained together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf

from tf_discrete._internal import checks, input_checks
from tf_discrete.distributions import Discrete
from tf_discrete.export.signature import Signature
from tf_discrete.models import base
from tf_discrete.models.autoregressive_prior import AutoregressivePrior
from tf_discrete.models.base import DiscreteModel
from tf_discrete.types import (
    Batch,
    Config,
    Encoded,
    Inputs,
    JsonObject,
    ObjectiveTerms,
    Seed,
    SeedLike,
    Shape,
    Tensor,
)

_MODEL = ("num_variables", "num_categories", "encode", "objective", "hard_terms")


@keras.saving.register_keras_serializable("tf_discrete.models")
class WithPrior(base.DiscreteModel):
    """Any model with discrete codes, with an autoregressive prior that is trained at the same time.

    In each step the prior sees the codes that the model gives to the batch at that moment, and its
    -log p(z) is minimised with the model's objective. Codes are integers, so the prior learns from the
    model and never the other way round: the model ends as it would alone. `sample` draws codes from the
    learned prior; bounds of log p(x) stay those of the model's own prior.

    Args:
        model: a `DiscreteModel` with `encode`, `decode`, `num_variables` and `num_categories`.
        prior: an `AutoregressivePrior` of these sizes. Default: one with its default options.

    Raises:
        ValueError: a model without discrete codes or `decode`, or a prior of other codes.

    Example:
        >>> from tf_discrete.models import CategoricalVAE
        >>> vae = CategoricalVAE((4, 4, 1), num_variables=4, num_categories=3, hidden_units=(8,))
        >>> model = WithPrior(vae, AutoregressivePrior.for_model(vae, units=8))
        >>> terms = model.objective(tf.ones([6, 4, 4, 1]), tf.constant([0, 1]), training=True).terms
        >>> terms["prior_nats"].shape, model.sample(5).shape
        (TensorShape([6]), TensorShape([5, 4, 4, 1]))
    """

    def __init__(
        self, model: DiscreteModel, prior: AutoregressivePrior | None = None, **kwargs: Any
    ):
        checks.having("model", model, _MODEL, "a model with discrete codes")
        checks.optional(
            checks.instance, "prior", prior, AutoregressivePrior, "an AutoregressivePrior"
        )
        own = AutoregressivePrior.for_model(model) if prior is None else prior
        sizes, wanted = (
            (found.num_variables, found.num_categories)
            for found in (own, AutoregressivePrior.for_model(model, units=1, chunk_size=1))
        )
        if sizes != wanted:
            raise ValueError(
                "The prior must be of the model's codes. Make it by AutoregressivePrior.for_model(model). "
                f"Received: prior with num_variables, num_categories={sizes}, model with {wanted}"
            )
        if not hasattr(model, "decode"):
            raise ValueError(
                "The model must decode codes. Fit an AutoregressivePrior by itself to those of another. "
                f"Received: model={model!r}"
            )
        super().__init__(seed=model.seed, monitor_every=model.monitor_every, **kwargs)
        self.model, self.prior = model, own
        self.num_variables, self.num_categories = wanted
        self.data_shape = model.data_shape
        # Keras reads the output shapes in a summary off models that were built.
        model.build((None, *self.data_shape))
        own.build((None, self.num_variables))
        self.track_metrics((*model._terms[1:], "prior_nats"), model._hard_terms)
        self.built = True

    def unpack_batch(self, data: Batch) -> Inputs:
        return self.model.unpack_batch(data)

    def check_observations(self, x: Inputs) -> Inputs:
        return self.model.check_observations(x)

    def objective(self, x: Tensor, seed: Seed, training: bool) -> ObjectiveTerms:
        terms = self.model.objective(x, seed, training)
        given = terms.encoded is not None
        codes = self.model.codes_given(x, terms.encoded) if given else self.model.encode(x)
        codes = tf.stop_gradient(codes)
        nats = -tf.cast(self.prior.log_prob(codes, training), terms.auxiliary.dtype)
        named = {**terms.terms, "prior_nats": nats}
        return terms._replace(auxiliary=terms.auxiliary + nats, terms=named)

    def hard_terms(self, x: Tensor, seed: Seed, encoded: Encoded = None) -> dict[str, Tensor]:
        return self.model.hard_terms(x, seed, encoded)

    def call(self, x: Tensor, training: bool = False) -> tf.Tensor:
        return self.model(x, training=training)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return self.model.compute_output_shape(input_shape)

    def posterior(self, x: Tensor, **options: Any) -> Discrete:
        """Returns q(z | x), the model's."""
        return self.model.posterior(x, **options)

    def encode(self, x: Tensor) -> tf.Tensor:
        """Returns the codes of the model, int32 [B, N]."""
        return self.model.encode(x)

    def encode_probs(self, x: Tensor) -> tf.Tensor:
        """Returns the probabilities of the codes, as the model gives them."""
        return self.model.encode_probs(x)

    def decode(self, codes: Tensor, **options: Any) -> tf.Tensor:
        """Returns observations of codes, as the model decodes them; it takes the model's options."""
        return self.model.decode(codes, **options)

    def reconstruct(self, x: Tensor) -> tf.Tensor:
        """Returns observations of the codes of observations."""
        return self.model.reconstruct(x)

    def sample_codes(
        self,
        num_samples: int | Tensor,
        seed: SeedLike,
        temperature: float = 1.0,
        top_p: float = 1.0,
    ) -> tf.Tensor:
        """Codes drawn from the learned prior, int32 [num_samples, N]; see `AutoregressivePrior.sample`."""
        return self.prior.sample(num_samples, seed, temperature, top_p)

    def sample(
        self,
        num_samples: int | Tensor,
        seed: SeedLike = 0,
        temperature: float = 1.0,
        top_p: float = 1.0,
    ) -> tf.Tensor:
        """Returns observations of codes drawn from the learned prior, float [num_samples, *data_shape].

        Args:
            num_samples: Int, number of samples.
            seed: Int or int32 [2]; the same seed gives the same samples.
            temperature: Temperature of the prior, > 0. Default: 1.
            top_p: Nucleus probability of the prior, in (0, 1]. Default: 1.

        Raises:
            ValueError: a temperature or top_p out of range.
        """
        return self.decode(self.sample_codes(num_samples, seed, temperature, top_p))

    def log_weights(self, x: Tensor, num_samples: int | Tensor, seed: Seed) -> tf.Tensor:
        """Returns log p(x, z) - log q(z | x) under the model's own prior, [S, B]."""
        return self.model.log_weights(x, num_samples, seed)

    def log_likelihood(self, x: Tensor, *arguments: Any, **options: Any) -> tf.Tensor:
        """Returns the importance-weighted bound of the model under its own prior, [B]."""
        return self.model.log_likelihood(x, *arguments, **options)

    def max_decoder_rows(self) -> int:
        return self.model.max_decoder_rows()

    def signatures(self) -> dict[str, Signature]:
        def sample(num: Tensor, seed: Seed) -> dict[str, tf.Tensor]:
            drawn = self.sample_codes(
                input_checks.count(num, "num", 0, self.max_decoder_rows()), seed
            )
            return {"image": self.decode(drawn), "codes": drawn}

        found = self.model.signatures()
        return {**found, "sample": found["sample"]._replace(fn=sample)}

    def manifest_entries(self) -> JsonObject:
        return {**self.model.manifest_entries(), **super().manifest_entries()}

    def get_config(self) -> Config:
        return {
            "name": self.name,
            "model": keras.saving.serialize_keras_object(self.model),
            "prior": keras.saving.serialize_keras_object(self.prior),
        }

    @classmethod
    def from_config(
        cls, config: Config, custom_objects: Mapping[str, object] | None = None
    ) -> WithPrior:
        parts = {
            name: keras.saving.deserialize_keras_object(config[name], custom_objects)
            for name in ("model", "prior")
        }
        return cls(**{**config, **parts})
