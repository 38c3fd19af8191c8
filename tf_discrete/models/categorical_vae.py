"""The categorical VAE: an autoencoder whose code is N categorical (or binary) variables."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from tf_discrete import arguments, estimators, likelihoods, objectives, seeds
from tf_discrete.distributions import discrete
from tf_discrete.export.autoencoder import autoencoder_signatures
from tf_discrete.export.signature import Signature
from tf_discrete.models import base, networks
from tf_discrete.types import ObjectiveTerms, Seed, Tensor

OBJECTIVES = ("elbo", "relaxed_elbo")
PRIORS = ("uniform", "learned")


@keras.saving.register_keras_serializable("tf_discrete.models")
class CategoricalVAE(base.DiscreteModel):
    """q(z | x) and p(x | z) with discrete z, trained through any estimator of the registry.

    Args:
        data_shape: of one observation, such as (28, 28, 1).
        num_variables: N. Default: 20.
        num_categories: K >= 2; 2 for Bernoulli latents. Default: 10.
        latents: "categorical" or "bernoulli". Default: "categorical".
        encoder: "mlp", "conv", or a Keras model [B, *data_shape] -> N * K logits (N if Bernoulli).
        decoder: the same the other way: [B, N, K] (or [B, N]) -> the likelihood's parameters. None for
            the mirror image of a named encoder. Default: None.
        hidden_units: of the named networks. Default: (512, 256).
        activation: of the named networks. Default: "relu".
        prior: "uniform" or "learned".
        likelihood: name or object, see `tf_discrete.likelihoods`. Default: "bernoulli".
        estimator: name or object, see `tf_discrete.estimators`. Default: "gumbel_softmax".
        temperature: number or schedule, of an estimator given by name. Default: the estimator's own.
        num_samples: of the latents for each example in training. Default: 1, or the fewest that the
            estimator takes.
        objective: "elbo" (exact discrete KL) or "relaxed_elbo" (densities of the relaxation).
        prior_temperature: of the relaxed prior; `relaxed_elbo` only. Default: 0.5.
        kl_weight: number or schedule. Default: 1.0.
        free_bits: nats of KL that are free for each variable; `elbo` only. Default: 0.0.
        seed: of all draws. Default: 0.
        monitor_every: steps between two looks at the hard path in training. Default: 10.

    Raises:
        ValueError: arguments out of range or at odds with one another.

    Example:
        >>> model = CategoricalVAE((8, 8, 1), num_variables=4, num_categories=3, hidden_units=(16,))
        >>> model.compile(optimizer="adam")
        >>> x = tf.ones([5, 8, 8, 1])
        >>> model.encode(x).shape, model.reconstruct(x).shape
        (TensorShape([5, 4]), TensorShape([5, 8, 8, 1]))

    Reference:
        Jang, Gu, Poole. Categorical reparameterization with Gumbel-Softmax. 2016. arXiv:1611.01144.
    """

    def __init__(
        self,
        data_shape: Sequence[int],
        num_variables: int = 20,
        num_categories: int = 10,
        latents: str = "categorical",
        encoder: Any = "mlp",
        decoder: Any = None,
        hidden_units: Sequence[int] = (512, 256),
        activation: str = "relu",
        prior: str = "uniform",
        likelihood: Any = "bernoulli",
        estimator: Any = "gumbel_softmax",
        temperature: Any = None,
        num_samples: int | None = None,
        objective: str = "elbo",
        prior_temperature: float = 0.5,
        kl_weight: Any = 1.0,
        free_bits: float = 0.0,
        seed: int = 0,
        monitor_every: int = 10,
        **kwargs: Any,
    ):
        super().__init__(seed=seed, monitor_every=monitor_every, **kwargs)
        arguments.check_choice("objective", objective, OBJECTIVES)
        arguments.check_choice("prior", prior, PRIORS)
        arguments.check_sizes(latents, num_variables, num_categories)
        self.data_shape = tuple(int(size) for size in data_shape)
        self.num_variables, self.num_categories = int(num_variables), int(num_categories)
        self.latents = latents
        self.latent_shape: tuple[int, ...] = (self.num_variables,)
        if latents == "categorical":
            self.latent_shape = (self.num_variables, self.num_categories)
        self.prior = prior
        self.objective_name = objective
        self.prior_temperature, self.free_bits = float(prior_temperature), float(free_bits)
        self.likelihood = likelihoods.get(likelihood)
        self.estimator = arguments.estimator(estimator, latents, temperature)
        self.num_samples = num_samples or self.estimator.min_samples
        self.estimator.check(self.num_samples, None)
        self.estimator.build((None, *self.latent_shape), (None, math.prod(self.data_shape)))
        self._check_objective()
        self.kl_weight: Any = arguments.scheduled_kl_weight(1.0 if kl_weight is None else kl_weight)
        self._network_config = {
            "encoder": encoder if isinstance(encoder, str) else None,
            "decoder": decoder if isinstance(decoder, str) else None,
            "hidden_units": tuple(hidden_units),
            "activation": activation,
        }
        self._own_decoder = not (decoder is None or isinstance(decoder, str))
        if decoder is None and not isinstance(encoder, str):
            raise ValueError(
                "With an encoder of your own give a decoder too, by name or as a model. "
                "Received: decoder=None"
            )
        self.encoder = networks.encoder(
            encoder, self.data_shape, math.prod(self.latent_shape), hidden_units, activation
        )
        self.decoder = networks.decoder(
            encoder if decoder is None else decoder,
            self.latent_shape,
            self.likelihood.parameters_shape(self.data_shape),
            hidden_units,
            activation,
        )
        # All laws and likelihoods of a model share this dtype, whatever networks it is given.
        self._wide = tf.float64 if self.variable_dtype == "float64" else tf.float32
        self.prior_logits = self.add_weight(
            shape=self.latent_shape,
            dtype=self._wide.name,
            initializer="zeros",
            trainable=prior == "learned",
            name="prior_logits",
        )
        self.track(
            ("elbo_nats", "reconstruction_nats", "kl_nats"),
            ("hard_elbo_nats", "hard_reconstruction_nats"),
        )
        self.built = True

    # What the model is made of.

    def logits(self, x: Tensor, training: bool = False) -> tf.Tensor:
        """Logits of q(z | x), float [B, N(, K)], at least float32."""
        outputs = tf.cast(self.encoder(x, training=training), self._wide)
        return tf.reshape(outputs, [-1, *self.latent_shape])

    def posterior(self, x: Tensor, training: bool = False) -> discrete.Discrete:
        """q(z | x), the law of the codes."""
        return self.estimator.law(self.logits(x, training))

    def prior_law(self) -> discrete.Discrete:
        """p(z)."""
        return discrete.get(self.latents)(tf.convert_to_tensor(self.prior_logits))

    def log_likelihood_given(self, x: Tensor, z: Tensor, training: bool = False) -> tf.Tensor:
        """log p(x | z) in nats, [S, B], for latents [S, B, N(, K)]."""
        parameters = estimators.apply_to_samples(
            lambda values: self.decoder(values, training=training), z, batch_rank=2
        )
        return tf.cast(self.likelihood.log_prob(x, parameters), self._wide)

    # What training minimises and reports.

    def objective(self, x: Tensor, seed: Seed, training: bool) -> ObjectiveTerms:
        logits = self.logits(x, training)
        noise = self.estimator.draw_noise(seed, logits, self.num_samples)

        def log_likelihood_fn(z: Tensor) -> tf.Tensor:
            return self.log_likelihood_given(x, z, training)

        if self.objective_name == "relaxed_elbo":
            return objectives.relaxed_elbo(
                self.estimator,
                logits,
                noise,
                log_likelihood_fn,
                tf.convert_to_tensor(self.prior_logits),
                temperature=self.estimator.temperature.value,
                prior_temperature=self.prior_temperature,
                kl_weight=self.kl_weight.value,
            )
        return objectives.elbo(
            self.estimator,
            logits,
            noise,
            log_likelihood_fn,
            self.prior_law(),
            kl_weight=self.kl_weight.value,
            free_bits=self.free_bits,
            context=tf.reshape(x, [tf.shape(x)[0], math.prod(self.data_shape)]),
            training=training,
        )

    def hard_terms(self, x: Tensor, seed: Seed) -> dict[str, Tensor]:
        posterior = self.posterior(x)
        reconstruction = -self.log_likelihood_given(x, posterior.sample(seed, 1))[0]
        kl = posterior.kl_divergence(self.prior_law())
        return {
            "hard_elbo_nats": -reconstruction - kl,
            "hard_reconstruction_nats": reconstruction,
        }

    # What a trained model is for.

    def call(self, x: Tensor, training: bool = False) -> tf.Tensor:
        return self.reconstruct(base.inputs_of(x))

    def encode(self, x: Tensor) -> tf.Tensor:
        """The most probable codes, int32 [B, N]."""
        posterior = self.posterior(x)
        return posterior.code(posterior.mode())

    def encode_probs(self, x: Tensor) -> tf.Tensor:
        """q(z | x): probabilities, float [B, N, K], or of a 1, [B, N], for Bernoulli latents."""
        return self.posterior(x).probs

    def decode(self, codes: Tensor, seed: Seed | None = None) -> tf.Tensor:
        """Observations of codes.

        Args:
            codes: int [B, N].
            seed: None for the mean of p(x | z), or int32 [2] for a draw.

        Returns:
            x: float [B, *data_shape].
        """
        z = self.prior_law().one_hot(codes)
        parameters = self.decoder(z, training=False)
        if seed is None:
            return self.likelihood.mean(parameters)
        return self.likelihood.sample(parameters, seed)

    def reconstruct(self, x: Tensor) -> tf.Tensor:
        """The mean of p(x | z) at the most probable code, float [B, *data_shape]."""
        return self.decode(self.encode(x))

    def sample_codes(self, num_samples: int | Tensor, seed: Seed) -> tf.Tensor:
        """Codes drawn from the prior, int32 [num_samples, N]."""
        prior = self.prior_law()
        return prior.code(prior.sample(seed, num_samples))

    def sample(self, num_samples: int | Tensor, seed: int | Seed = 0) -> tf.Tensor:
        """Means of p(x | z) for z drawn from the prior, float [num_samples, *data_shape].

        Args:
            num_samples: how many.
            seed: int or int32 [2]; the same seed gives the same samples.
        """
        seed = seeds.convert(seed)
        return self.decode(self.sample_codes(num_samples, seed))

    def log_weights(self, x: Tensor, num_samples: int | Tensor, seed: Seed) -> tf.Tensor:
        """log p(x, z) - log q(z | x) in nats for S draws of z, [S, B]."""
        posterior = self.posterior(x)
        z = posterior.sample(seed, num_samples)
        log_ratio = self.prior_law().log_prob(z) - posterior.log_prob(z)
        return self.log_likelihood_given(x, z) + log_ratio

    def values_per_row(self) -> int:
        return math.prod(self.likelihood.parameters_shape(self.data_shape))

    def signatures(self) -> dict[str, Signature]:
        return autoencoder_signatures(self)

    def describe(self) -> dict[str, Any]:
        return {
            **super().describe(),
            "data_shape": self.data_shape,
            "latent_shape": self.latent_shape,
            "latents": self.latents,
            "num_variables": self.num_variables,
            "num_categories": self.num_categories,
        }

    def get_config(self) -> dict[str, Any]:
        estimator = keras.saving.serialize_keras_object(self.estimator)
        networks_config = dict(self._network_config)
        if networks_config["encoder"] is None:
            networks_config["encoder"] = keras.saving.serialize_keras_object(self.encoder)
        if self._own_decoder:
            networks_config["decoder"] = keras.saving.serialize_keras_object(self.decoder)
        return {
            **super().get_config(),
            "data_shape": self.data_shape,
            "num_variables": self.num_variables,
            "num_categories": self.num_categories,
            "latents": self.latents,
            "prior": self.prior,
            "likelihood": keras.saving.serialize_keras_object(self.likelihood),
            "estimator": estimator,
            "num_samples": self.num_samples,
            "objective": self.objective_name,
            "prior_temperature": self.prior_temperature,
            "kl_weight": self.kl_weight.get_config()["schedule"],
            "free_bits": self.free_bits,
            **networks_config,
        }

    def _check_objective(self) -> None:
        if self.objective_name == "relaxed_elbo":
            if not self.estimator.spec.density:
                raise ValueError(
                    "objective='relaxed_elbo' takes the density of relaxed draws, so it "
                    "needs a relaxed estimator such as gumbel_softmax. Received: "
                    f"estimator={type(self.estimator).__name__}"
                )
            if self.free_bits:
                raise ValueError(
                    "free_bits needs the exact KL of objective='elbo'. "
                    f"Received: objective='relaxed_elbo', free_bits={self.free_bits}"
                )
        if self.free_bits < 0:
            raise ValueError(
                f"free_bits must not be negative. Received: free_bits={self.free_bits}"
            )
        if not self.prior_temperature > 0:
            raise ValueError(
                "prior_temperature must be positive. "
                f"Received: prior_temperature={self.prior_temperature}"
            )
