"""The categorical VAE: an autoencoder whose code is N categorical (or binary) variables."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from tf_discrete import arguments, checks, estimators, objectives
from tf_discrete.distributions import Discrete
from tf_discrete.models import autoencoder
from tf_discrete.types import ObjectiveTerms, Seed, Tensor

OBJECTIVES = (
    "elbo",
    "relaxed_elbo",
    "importance_weighted",
    "relaxed_importance_weighted",
    "doubly_reparameterized",
)
RELAXED = ("relaxed_elbo", "relaxed_importance_weighted", "doubly_reparameterized")
"""Objectives that take the densities of the relaxation."""
MULTI_SAMPLE = ("importance_weighted", "relaxed_importance_weighted", "doubly_reparameterized")
"""Bounds that grow tighter with `num_samples`."""


@keras.saving.register_keras_serializable("tf_discrete.models")
class CategoricalVAE(autoencoder.DiscreteAutoencoder):
    """q(z | x) and p(x | z) with discrete z, trained through any estimator of the registry.

    Args:
        data_shape: of one observation, such as (28, 28, 1).
        num_variables: N. Default: 20.
        num_categories: K >= 2; 2 for Bernoulli latents. Default: 10.
        latents: Kind of latents, see `tf_discrete.distributions.names()`. Default: "categorical".
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
        objective: "elbo" (exact discrete KL), "relaxed_elbo" (densities of the relaxation), or a bound of
            `num_samples` samples: "importance_weighted" (hard draws), "relaxed_importance_weighted", or
            the same "doubly_reparameterized". Default: "elbo".
        prior_temperature: of the relaxed prior; relaxed objectives only. Default: 0.5.
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
        arguments.check_choice("objective", objective, OBJECTIVES)
        arguments.check_choice("prior", prior, arguments.PRIORS)
        prior_temperature = checks.positive("prior_temperature", prior_temperature)
        free_bits = checks.number("free_bits", free_bits, lowest=0)
        super().__init__(
            data_shape=data_shape,
            num_variables=num_variables,
            num_categories=num_categories,
            latents=latents,
            encoder=encoder,
            decoder=decoder,
            hidden_units=hidden_units,
            activation=activation,
            likelihood=likelihood,
            estimator=arguments.estimator(estimator, latents, temperature),
            seed=seed,
            monitor_every=monitor_every,
            **kwargs,
        )
        self.prior = prior
        self.objective_name = objective
        self.prior_temperature, self.free_bits = prior_temperature, free_bits
        self.num_samples = arguments.num_samples(num_samples, [self.estimator])
        check_objective(objective, [self.estimator], self.num_samples)
        self._check_free_bits()
        self.kl_weight: Any = arguments.scheduled_weight("kl_weight", kl_weight)
        self.prior_logits = self.add_weight(
            shape=self.latent_spec.logits_shape,
            dtype=self._wide.name,
            initializer=lambda shape, dtype: self.latent_spec.uniform_logits(self._wide),
            trainable=prior == "learned",
            name="prior_logits",
        )
        terms = ("elbo_nats", "reconstruction_nats", "kl_nats", "multi_sample_bound_nats")
        self.track(
            terms if objective in MULTI_SAMPLE else terms[:3],
            ("hard_elbo_nats", "hard_reconstruction_nats"),
        )
        self.built = True

    def prior_law(self) -> Discrete:
        """p(z)."""
        return self.distribution_of(tf.convert_to_tensor(self.prior_logits))

    def objective(self, x: Tensor, seed: Seed, training: bool) -> ObjectiveTerms:
        x = self.check_observations(x)
        logits = self._logits(x, training)
        noise = self.estimator.draw_noise(seed, logits, self.num_samples)

        def log_likelihood_fn(z: Tensor) -> tf.Tensor:
            return self.log_likelihood_given(x, z, training)

        weight = {"kl_weight": self.kl_weight.value}
        if self.objective_name in RELAXED:
            estimator: Any = self.estimator  # With a density, hence a temperature.
            relaxed = {
                "prior_logits": tf.convert_to_tensor(self.prior_logits),
                "temperature": estimator.temperature.value,
                "prior_temperature": self.prior_temperature,
                **weight,
            }
            if self.objective_name == "relaxed_elbo":
                return objectives.relaxed_elbo(
                    self.estimator, logits, noise, log_likelihood_fn, **relaxed
                )
            return objectives.relaxed_importance_weighted(
                self.estimator,
                logits,
                noise,
                log_likelihood_fn,
                doubly_reparameterized=self.objective_name == "doubly_reparameterized",
                **relaxed,
            )
        hard = {
            "context": tf.reshape(x, [tf.shape(x)[0], math.prod(self.data_shape)]),
            "training": training,
            **weight,
        }
        if self.objective_name == "importance_weighted":
            return objectives.importance_weighted(
                self.estimator, logits, noise, log_likelihood_fn, self.prior_law(), **hard
            )
        return objectives.elbo(
            self.estimator,
            logits,
            noise,
            log_likelihood_fn,
            self.prior_law(),
            free_bits=self.free_bits,
            **hard,
        )

    def hard_terms(self, x: Tensor, seed: Seed) -> dict[str, Tensor]:
        x = self.check_observations(x)
        posterior = self._posterior(x)
        reconstruction = -self.log_likelihood_given(x, posterior.sample(seed, 1))[0]
        kl = posterior.kl_divergence(self.prior_law())
        return {
            "hard_elbo_nats": -reconstruction - kl,
            "hard_reconstruction_nats": reconstruction,
        }

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_variables": self.num_variables,
            "num_categories": self.num_categories,
            "latents": self.latents,
            "prior": self.prior,
            "estimator": keras.saving.serialize_keras_object(self.estimator),
            "num_samples": self.num_samples,
            "objective": self.objective_name,
            "prior_temperature": self.prior_temperature,
            "kl_weight": self.kl_weight.get_config()["schedule"],
            "free_bits": self.free_bits,
        }

    def _check_free_bits(self) -> None:
        if self.free_bits and self.objective_name != "elbo":
            raise ValueError(
                "free_bits needs the exact KL of objective='elbo'. "
                f"Received: objective={self.objective_name!r}, free_bits={self.free_bits}"
            )


def check_objective(
    objective: str, layers: Sequence[estimators.Estimator], num_samples: int
) -> None:
    """Refuses estimators that an objective cannot use, in one stochastic layer or several.

    Raises:
        ValueError: names the estimator and the objective.
    """
    reduce = estimators.log_mean_exp if objective in MULTI_SAMPLE else estimators.mean
    for layer in layers:
        name = type(layer).__name__
        if objective in RELAXED and not layer.spec.density:
            raise ValueError(
                f"objective={objective!r} takes the density of relaxed draws, so it "
                f"needs a relaxed estimator such as gumbel_softmax. Received: estimator={name}"
            )
        if objective == "importance_weighted" and layer.spec.relaxed:
            raise ValueError(
                "objective='importance_weighted' weighs hard draws. Choose "
                "objective='relaxed_importance_weighted' for relaxed ones, or an estimator such as vimco. "
                f"Received: estimator={name}"
            )
    if len(layers) > 1 or objective in MULTI_SAMPLE:
        estimators.check_nested(layers, num_samples, reduce)
    else:
        layers[0].check(num_samples, None)
