"""`DiscreteAutoencoder`: the parts and the uses that autoencoders with discrete codes share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from tf_discrete import likelihoods, seeds
from tf_discrete._internal import arguments, checks, input_checks, integer_checks
from tf_discrete.distributions import Discrete, LatentSpec
from tf_discrete.export.autoencoder import autoencoder_signatures
from tf_discrete.export.signature import Signature
from tf_discrete.models import base, batches, convolutional_networks, networks
from tf_discrete.models import code_prior as code_priors
from tf_discrete.models.discrete_codes import DiscreteCodes
from tf_discrete.models.layered_latents import read_codes, read_latents
from tf_discrete.types import (
    ActivationLike,
    CodeSource,
    Config,
    Encoded,
    JsonObject,
    LikelihoodLike,
    NetworkLike,
    ObjectiveTerms,
    Prior,
    PriorLike,
    Seed,
    SeedLike,
    Shape,
    Tensor,
)


class DiscreteAutoencoder(DiscreteCodes, base.DiscreteModel):
    """Base class of autoencoders with a posterior q(z | x), a prior p(z) and a likelihood p(x | z).

    A subclass implements `hard_terms`, `prior_distribution` and the private methods that raise
    NotImplementedError here, sets `prior`, and calls `_finish` at the end of its constructor. Public methods
    check observations and codes; private ones take checked arguments.

    Args:
        data_shape: Tuple of ints, shape of an observation, such as (28, 28, 1).
        latent_spec: `LatentSpec` of the codes.
        decoded_spec: `LatentSpec` of the latents between encoder and decoder. Default: `latent_spec`.
        encoder: "mlp", "conv", a registered name, or a Keras model from [B, *data_shape] to N * K (N for
            Bernoulli latents) logits.
        decoder: A name, or a Keras model from [B, N, K] (or [B, N]) to the parameters of the likelihood.
            None: the decoder of the same name as the encoder.
        hidden_units: Sequence of ints, hidden layers of the named networks.
        activation: Name of the Keras activation of the hidden layers.
        likelihood: Name or object, see `tf_discrete.likelihoods`.
        decoder_input_shape: Shape between encoder and decoder, if it is not that of `decoded_spec`: the
            encoder gives as many numbers, and the decoder reads it. Default: None.
        **kwargs: Arguments `seed` and `monitor_every`, see `DiscreteModel`.

    Attributes:
        prior: `Prior` p(z) of the codes of all layers.
        code_prior: `Prior` of the codes that is trained in the same step, or None.

    Raises:
        ValueError: A size is too small, or a network has the wrong input or output shape.
    """

    prior: Prior
    code_prior: Prior | None = None

    def __init__(
        self,
        data_shape: Sequence[int],
        latent_spec: LatentSpec,
        encoder: NetworkLike,
        decoder: NetworkLike | None,
        hidden_units: Sequence[int],
        activation: ActivationLike,
        likelihood: LikelihoodLike,
        decoded_spec: LatentSpec | None = None,
        decoder_input_shape: Sequence[int] | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.latent_spec, self.decoded_spec = latent_spec, decoded_spec or latent_spec
        self.data_shape = checks.sizes("data_shape", data_shape)
        hidden_units = arguments.hidden_units(hidden_units)
        activation = arguments.activation(activation)
        encoder = networks.check("encoder", encoder)
        decoder = checks.optional(networks.check, "decoder", decoder)
        self.likelihood = likelihoods.get(likelihood)
        self._parameters_shape = self.likelihood.parameters_shape(self.data_shape)
        self._network_config = {
            "encoder": encoder if isinstance(encoder, str) else None,
            "decoder": decoder if isinstance(decoder, str) else None,
            "hidden_units": hidden_units,
            "activation": activation,
        }
        self._own_decoder = not (decoder is None or isinstance(decoder, str))
        if decoder is None and not isinstance(encoder, str):
            raise ValueError(
                "With an encoder of your own give a decoder too, by name or as a model. "
                "Received: decoder=None"
            )
        between = decoder_input_shape
        num_outputs = self.decoded_spec.num_logits if between is None else math.prod(between)
        self.encoder = networks.encoder(
            encoder, self.data_shape, num_outputs, hidden_units, activation
        )
        if between is not None and encoder == "conv_grid":  # Its decoder may be another.
            convolutional_networks.check_grid_axes(between, self.data_shape, hidden_units)
        self.decoder = networks.decoder(
            encoder if decoder is None else decoder,
            self.decoded_spec.shape if between is None else between,
            self._parameters_shape,
            hidden_units,
            activation,
        )

    def _finish(
        self, code_prior: PriorLike | None, terms: tuple[str, ...], hard_terms: tuple[str, ...]
    ) -> None:
        """Makes the prior of the codes and the metrics, after the networks.

        Args:
            code_prior: see `models.code_prior.make`; None for none.
            terms: Names of the objective's terms, as `track_metrics` takes them.
            hard_terms: Names of the terms of the discrete path.
        """
        if code_prior is not None:
            self.code_prior = code_priors.make(code_prior, self)
            terms = (*terms, "prior_nats")
        self.track_metrics(terms, hard_terms)
        self.built = True

    def objective(self, x: Tensor, seed: Seed, training: bool) -> ObjectiveTerms:
        x = self.check_observations(x)
        terms = self._objective(x, seed, training)
        if self.code_prior is None:
            return terms
        codes = self.latent_spec.digits(self._codes(x, terms.encoded))
        codes = input_checks.blank(codes, x)
        return code_priors.with_prior_nats(terms, self.code_prior, codes, training)

    def _objective(self, x: Tensor, seed: Seed, training: bool) -> ObjectiveTerms:
        raise NotImplementedError

    def check_observations(self, x: Tensor) -> tf.Tensor:
        return input_checks.observations(x, self.data_shape, self.likelihood.support)

    def logits(self, x: Tensor, training: bool = False) -> tf.Tensor:
        """Computes the logits of q(z | x), float [B, N(, K)], at least float32; see `posterior`."""
        return self._logits(self.check_observations(x), training)

    def _logits(self, x: Tensor, training: bool = False) -> tf.Tensor:
        raise NotImplementedError

    def posterior(self, x: Tensor, training: bool = False) -> Discrete:
        """Returns q(z | x), the distribution of the codes; each layer given the most probable code before."""
        return self._posterior(self.check_observations(x), training)

    def _posterior(self, x: Tensor, training: bool = False) -> Discrete:
        raise NotImplementedError

    def prior_distribution(self) -> Discrete:
        """Returns p(z); of several layers, the prior of the last."""
        raise NotImplementedError

    def parameters(self, z: Tensor, training: bool = False) -> tf.Tensor:
        """Computes the likelihood's parameters, [*A, *parameters_shape], given latents [*A, N(, K)]."""
        outputs = read_latents(self.decoded_spec, self.decoder, z, training)
        return self._as_parameters(outputs, z.shape.rank - self.decoded_spec.event_rank)

    def _as_parameters(self, outputs: Tensor, batch_rank: int) -> tf.Tensor:
        """Reshapes outputs [*A, ...] of a decoder as the likelihood needs them."""
        if tuple(outputs.shape[batch_rank:]) == self._parameters_shape:
            return outputs
        shape = tf.concat([tf.shape(outputs)[:batch_rank], self._parameters_shape], axis=0)
        return tf.reshape(outputs, shape)

    def conditional_log_likelihood(self, x: Tensor, z: Tensor, training: bool = False) -> tf.Tensor:
        """Computes log p(x | z) in nats, [*A], given latents [*A, N(, K)]."""
        parameters = self.parameters(z, training)
        return tf.cast(self.likelihood.log_prob(x, parameters), self._wide)

    def _code_log_likelihood(self, x: Tensor, codes: Tensor) -> tf.Tensor:
        """`conditional_log_likelihood` of codes of the decoded latents, int [*A, N], at inference."""
        outputs = read_codes(self.decoded_spec, self.decoder, codes, self._wide)
        parameters = self._as_parameters(outputs, codes.shape.rank - 1)
        return tf.cast(self.likelihood.log_prob(x, parameters), self._wide)

    # What a trained model is for.

    def call(self, x: Tensor, training: bool = False) -> tf.Tensor:
        return self.reconstruct(batches.inputs_of(x))

    def compute_output_shape(self, input_shape: Shape) -> tuple[int | None, ...]:
        return (batches.batch_axis(input_shape), *self.data_shape)

    def encode(self, x: Tensor) -> tf.Tensor:
        """Returns the most probable codes, int32 [B, N]; of several layers those of each in turn.

        Codes of trees are int64.

        Raises:
            ValueError: see `check_observations`. Where no check is possible, in XLA and TFLite, the code of
                such an observation is -1, which `decode` answers with NaN.
        """
        x = self.check_observations(x)
        return input_checks.blank(self._codes(x), x)

    def _codes(self, x: Tensor, encoded: Encoded = None) -> tf.Tensor:
        raise NotImplementedError

    def encode_probs(self, x: Tensor) -> tf.Tensor:
        """Returns the probabilities q(z | x), float [B, N, K], or of a 1, [B, N], for Bernoulli latents.

        Of trees those of the digits, [B, N * D, r]; of paths those along the most probable digits.
        """
        x = self.check_observations(x)
        return input_checks.blank(self._posterior(x).probs, x)

    def decode(self, codes: Tensor, seed: Seed | None = None) -> tf.Tensor:
        """Decodes codes; of several layers, those of the first are decoded.

        Args:
            codes: Int [B, N], codes of all layers.
            seed: Int32 [2] for a sample of p(x | z). None: its mean. Default: None.

        Returns:
            x: float [B, *data_shape].

        Raises:
            ValueError: codes of another shape or out of range; tf.errors.InvalidArgumentError in a graph.
                Where no check is possible, in XLA and TFLite, their observations are NaN.
        """
        codes = self._check_codes(codes)
        parameters = self.parameters(self._latents_of(codes))
        if seed is None:
            x = self.likelihood.mean(parameters)
        else:
            x = self.likelihood.sample(parameters, seed)
        return input_checks.blank(x, integer_checks.rows_in(codes, 0, self.num_categories - 1))

    def _latents_of(self, codes: Tensor) -> tf.Tensor:
        """Returns what the decoder reads for codes [B, N]."""
        first = self.decoded_spec
        return first.uniform(self._wide).one_hot(codes[:, : first.num_variables])

    def _check_codes(self, codes: Tensor) -> tf.Tensor:
        return integer_checks.codes(
            codes, self.num_categories, self.num_variables, self.latent_spec.code_dtype
        )

    def reconstruct(self, x: Tensor) -> tf.Tensor:
        """Returns the mean of p(x | z) at the most probable code, float [B, *data_shape]."""
        return self.decode(self.encode(x))

    def sample_codes(
        self,
        num_samples: int | Tensor,
        seed: SeedLike,
        prior: CodeSource | None = None,
        **options: float | Tensor,
    ) -> tf.Tensor:
        """Samples codes from the prior, int32 [num_samples, N].

        Args:
            num_samples: Int, number of samples.
            seed: Int or int32 [2].
            prior: Object with `sample(num_samples, seed)` that returns codes, int [num_samples, N], of trees
                their digits, such as an `AutoregressivePrior`. Default: `code_prior` of the model, or
                `prior` where it has none.
            **options: Arguments of the prior's `sample`, such as `temperature` and `top_p` of
                `AutoregressivePrior`.

        Raises:
            ValueError: `num_samples` is negative or not an integer.
            TypeError: The prior does not take an option.
        """
        num_samples, seed = integer_checks.count(num_samples, "num_samples"), seeds.convert(seed)
        own = self.prior if self.code_prior is None else self.code_prior
        source: Any = own if prior is None else prior
        codes = source.sample(num_samples, seed, **options)
        if source is not self.prior:
            codes = self.latent_spec.join_digits(codes)
        return tf.cast(codes, self.latent_spec.code_dtype)

    def sample(
        self,
        num_samples: int | Tensor,
        seed: SeedLike = 0,
        prior: CodeSource | None = None,
        **options: float | Tensor,
    ) -> tf.Tensor:
        """Samples codes from the prior and decodes them, float [num_samples, *data_shape].

        Args:
            num_samples: Int, number of samples.
            seed: Int or int32 [2]; the same seed gives the same samples. Default: 0.
            prior: Prior of the codes, see `sample_codes`. Default: that of the model.
            **options: Arguments of the prior's `sample`, see `sample_codes`.
        """
        return self.decode(self.sample_codes(num_samples, seed, prior, **options))

    def values_per_row(self) -> int:
        return math.prod(self._parameters_shape)

    def signatures(self) -> dict[str, Signature]:
        return autoencoder_signatures(self)

    def manifest_entries(self) -> JsonObject:
        return {
            **super().manifest_entries(),
            "data_shape": self.data_shape,
        }

    def get_config(self) -> Config:
        networks_config = dict(self._network_config)
        if networks_config["encoder"] is None:
            networks_config["encoder"] = keras.saving.serialize_keras_object(self.encoder)
        if self._own_decoder:
            networks_config["decoder"] = keras.saving.serialize_keras_object(self.decoder)
        return {
            **super().get_config(),
            "data_shape": self.data_shape,
            "likelihood": keras.saving.serialize_keras_object(self.likelihood),
            "code_prior": None
            if self.code_prior is None
            else keras.saving.serialize_keras_object(self.code_prior),
            **networks_config,
        }
