"""The categorical VAE: an autoencoder whose code has one or more layers of discrete variables."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from tf_discrete import objectives
from tf_discrete._internal import arguments, checks
from tf_discrete.distributions import Discrete
from tf_discrete.estimators import Estimator
from tf_discrete.models import autoencoder, networks, tree_paths
from tf_discrete.models.generative_chain import GenerativeChain
from tf_discrete.models.layered_latents import LayeredLatents
from tf_discrete.models.path_chain import PathChain
from tf_discrete.models.path_objective import PathObjective
from tf_discrete.models.path_prior import PathPrior
from tf_discrete.models.stochastic_chain import StochasticChain
from tf_discrete.models.vae_objectives import (
    MULTI_SAMPLE,
    OBJECTIVES,
    RELAXED,
    check_free_bits,
    check_objective,
    path_leaves,
)
from tf_discrete.objectives import StochasticLayers
from tf_discrete.types import (
    ActivationLike,
    Config,
    EstimatorLike,
    LikelihoodLike,
    NetworkLike,
    ObjectiveTerms,
    PerLayer,
    PriorLike,
    ScheduleLike,
    Seed,
    Tensor,
)


@keras.saving.register_keras_serializable("tf_discrete.models")
class CategoricalVAE(autoencoder.DiscreteAutoencoder):
    """A variational autoencoder with discrete codes, in one or more stochastic layers.

    The encoder is q: x -> z_1 -> ... -> z_L, the generative model p: z_L -> ... -> z_1 -> x. With one layer,
    the default, the code is z_1. With several, the codes of an observation are those of all layers, starting
    with the first; x is decoded from the codes of the first layer. The maps between layers are fully
    connected networks with `hidden_units`, affine if these are ().

    Args:
        data_shape: Tuple of ints, shape of an observation, such as (28, 28, 1).
        num_variables: Int N, or a sequence of one for each layer: number of variables. Default: 20.
        num_categories: Int K >= 2, or a sequence of one for each layer: categories of each variable; 2 for
            Bernoulli latents. Default: 10.
        latents: Kind of latents, see `tf_discrete.distributions.names()`, or "tree:32,32,32,32", see
            `tf_discrete.distributions.tree_latents`, or "path:101,101,101" for one variable whose digits
            depend on the digits before, see `tf_discrete.distributions.path_latents`. Default: "categorical".
        num_layers: Int L >= 1, number of stochastic layers. Default: the length of the first argument that is
            a sequence of one value for each layer, else 1.
        encoder: "mlp", "conv", a registered name, or a Keras model from [B, *data_shape] to the N * K (N for
            Bernoulli latents) logits of the first layer. Default: "mlp".
        decoder: A name, or a Keras model from [B, N, K] (or [B, N]) to the parameters of the likelihood.
            None: the decoder of the same name as the encoder. Default: None.
        hidden_units: Sequence of ints, hidden layers of the named networks and of the maps between layers.
            Default: (512, 256).
        activation: Name of the Keras activation of the hidden layers. Default: "relu".
        prior: Prior of the last layer, "uniform" or "learned". Default: "uniform".
        code_prior: Prior of the codes that is trained in the same step and from which `sample` draws: an
            `AutoregressivePrior` or another `tf_discrete.types.Prior`, its config, or a function of N and K
            that makes it, such as the class. The bounds stay those of `prior`. Its -log p(z) is the metric
            "prior_nats". Default: None.
        likelihood: Name or object, see `tf_discrete.likelihoods`. Default: "bernoulli".
        estimator: Name, object or config, see `tf_discrete.estimators`, or a sequence of one for each layer.
            Each layer, and each digit of a path, gets its own copy. Default: "gumbel_softmax".
        temperature: Positive float or schedule, or a sequence of one for each layer, for estimators given by
            name. Default: that of the estimator.
        num_samples: Int, latent samples per example in training. Default: 1, or the fewest that the
            estimators take.
        objective: "elbo" (discrete KL, exact where possible), "relaxed_elbo" (densities of the relaxation),
            or a bound of `num_samples` samples: "importance_weighted" (one-hot samples),
            "relaxed_importance_weighted", or the same "doubly_reparameterized". Default: "elbo".
        prior_temperature: Positive float, or a sequence of one for each layer: temperature of the relaxed
            priors. Relaxed objectives only. Default: 0.5.
        kl_weight: Float >= 0 or schedule, weight of the KL in the loss; the reported bounds are not weighted.
            Default: 1.0.
        free_bits: Float >= 0, minimum KL of each variable in nats; "elbo" of one layer only. Default: 0.0.
        code_values: Input encoding of codes: "zero_one" or "plus_minus" (-1 and 1). Default: "zero_one".
        centering: Bool, whether the running mean of x is subtracted from the encoder's input. Default: False.
        digit_units: Sequence of ints, hidden layers of the network of each digit, which reads the digits
            before; paths only. Default: (64,).
        seed: Int, base seed of all samples. Default: 0.
        monitor_every: How often, in training steps, the discrete path is evaluated. Default: 10.

    Raises:
        ValueError: Arguments are out of range or contradict one another.

    Example:
        >>> model = CategoricalVAE((8, 8, 1), num_variables=4, num_categories=3, hidden_units=(16,))
        >>> model.compile(optimizer="adam")
        >>> x = tf.ones([5, 8, 8, 1])
        >>> model.encode(x).shape, model.reconstruct(x).shape
        (TensorShape([5, 4]), TensorShape([5, 8, 8, 1]))
        >>> two = CategoricalVAE((8, 8, 1), num_variables=(4, 2), num_categories=3, hidden_units=())
        >>> two.encode(x).shape, two.log_likelihood(x, 10).shape
        (TensorShape([5, 6]), TensorShape([5]))

    Reference:
        Jang, Gu, Poole. Categorical reparameterization with Gumbel-Softmax. 2016. arXiv:1611.01144.
        Maddison, Mnih, Teh. The Concrete distribution. 2016. arXiv:1611.00712.
        Mnih, Rezende. Variational inference for Monte Carlo objectives. 2016. arXiv:1602.06725.
        Bauer, Mnih. Generalized doubly reparameterized gradient estimators. 2021. arXiv:2101.11046.
    """

    def __init__(
        self,
        data_shape: Sequence[int],
        num_variables: int | Sequence[int] = 20,
        num_categories: int | Sequence[int] = 10,
        latents: str = "categorical",
        num_layers: int | None = None,
        encoder: NetworkLike = "mlp",
        decoder: NetworkLike | None = None,
        hidden_units: Sequence[int] = (512, 256),
        activation: ActivationLike = "relu",
        prior: str = "uniform",
        code_prior: PriorLike | None = None,
        likelihood: LikelihoodLike = "bernoulli",
        estimator: PerLayer[EstimatorLike] = "gumbel_softmax",
        temperature: PerLayer[ScheduleLike | None] = None,
        num_samples: int | None = None,
        objective: str = "elbo",
        prior_temperature: float | Sequence[float] = 0.5,
        kl_weight: ScheduleLike = 1.0,
        free_bits: float = 0.0,
        code_values: str = "zero_one",
        centering: bool = False,
        digit_units: Sequence[int] = (64,),
        seed: int = 0,
        monitor_every: int = 10,
        **kwargs: Any,
    ):
        checks.choice("objective", objective, OBJECTIVES)
        checks.choice("prior", prior, arguments.PRIORS)
        num_layers = arguments.num_layers(
            num_layers, num_variables, num_categories, estimator, temperature, prior_temperature
        )
        layers = LayeredLatents.make(
            num_layers,
            num_variables,
            num_categories,
            latents,
            code_values,
            hidden_units,
            activation,
            tf.float32,  # Until the dtype policy of the model is known.
        )
        spec, digit_units = layers.specs[0], arguments.hidden_units(digit_units, "digit_units")
        leaves = None if spec.kind.factorized else path_leaves(spec, objective, code_prior)
        made = arguments.layer_estimators(
            estimator,
            spec.estimator_latents,
            temperature,
            num_layers if leaves is None else len(leaves.branching),
        )
        if leaves is not None:
            tree_paths.check_estimators(made, leaves.irregular, leaves.branching)
        super().__init__(
            data_shape=data_shape,
            latent_spec=layers.total,
            decoded_spec=layers.specs[0],
            encoder=encoder,
            decoder=decoder,
            hidden_units=hidden_units,
            activation=activation,
            likelihood=likelihood,
            seed=seed,
            monitor_every=monitor_every,
            **kwargs,
        )
        layers = dataclasses.replace(layers, dtype=self._wide, digit_units=digit_units)
        parts: tuple[type[StochasticChain], type[GenerativeChain] | type[PathPrior]]
        parts = (StochasticChain, GenerativeChain) if leaves is None else (PathChain, PathPrior)
        self.chain = parts[0](self.data_shape, layers, self.encoder, made, centering)
        self.prior: GenerativeChain | PathPrior = parts[1](layers, learned=prior == "learned")
        decoded = made[:1] if leaves is None else made
        networks.check_code_embeddings(self.decoder, self.decoded_spec, decoded)
        self.objective_name = objective
        self.prior_temperatures = [
            checks.positive("prior_temperature", value)
            for value in arguments.per_layer("prior_temperature", prior_temperature, num_layers)
        ]
        self.free_bits = checks.number("free_bits", free_bits, lowest=0)
        self.num_samples = arguments.num_samples(num_samples, self.estimators)
        check_objective(objective, self.estimators, self.num_samples)
        check_free_bits(self.free_bits, objective, layers.specs)
        self.kl_weight = arguments.scheduled_weight("kl_weight", kl_weight)
        terms = ("elbo_nats", "reconstruction_nats", "kl_nats", "multi_sample_bound_nats")
        self._finish(
            code_prior,
            terms if objective in MULTI_SAMPLE else terms[:3],
            ("hard_elbo_nats", "hard_reconstruction_nats"),
        )

    # What the model is made of.

    @property
    def estimators(self) -> list[Estimator]:
        """Returns the estimator of each layer, or of each digit of a path."""
        return self.chain.estimators

    @property
    def estimator(self) -> Estimator:
        """Returns the estimator of the first layer, or digit."""
        return self.chain.estimators[0]

    @property
    def num_layers(self) -> int:
        """Returns L, the number of stochastic layers."""
        return len(self.chain.latents.specs)

    @property
    def categories_per_variable(self) -> tuple[int, ...]:
        specs = self.chain.latents.specs
        return tuple(k for spec in specs for k in [spec.num_categories] * spec.num_variables)

    def prior_distribution(self) -> Any:
        """Returns p(z_L), the prior of the last layer; of paths a `PathDistribution`."""
        return self.prior.distribution()

    def _logits(self, x: Tensor, training: bool = False) -> tf.Tensor:
        return self.chain.concatenated_logits(x, training)

    def _posterior(self, x: Tensor, training: bool = False) -> Discrete:
        return self.chain.posterior(x, training)

    def _codes(self, x: Tensor, encoded: Tensor | None = None) -> tf.Tensor:
        posterior = self.chain.posterior(x, first_logits=encoded)
        return posterior.code(posterior.mode())

    def _stochastic_layers(self, first_logits: Tensor, training: bool) -> StochasticLayers:
        chain = self.chain
        return StochasticLayers(
            chain.estimators,
            lambda before: (
                chain.logits(len(before), before[-1], training) if before else first_logits
            ),
            lambda samples: self.prior.logits_given(samples, training),
            lambda before: chain.frozen_logits(len(before), before[-1], training),
        )

    # What training minimises and reports.

    def _objective(self, x: Tensor, seed: Seed, training: bool) -> ObjectiveTerms:
        first_logits = self.chain.logits(0, x, training)
        shared = not (training and self.chain.differs_in_training)
        terms = self._bound(x, first_logits, seed, training)
        return terms._replace(encoded=first_logits if shared else None)

    def _bound(self, x: Tensor, first_logits: Tensor, seed: Seed, training: bool) -> ObjectiveTerms:
        def log_likelihood_fn(z: Tensor) -> tf.Tensor:
            return self.conditional_log_likelihood(x, z, training)

        features = tf.reshape(x, [tf.shape(x)[0], math.prod(self.data_shape)])
        if isinstance(self.chain, PathChain) and isinstance(self.prior, PathPrior):
            bound = PathObjective(
                self.chain,
                self.prior,
                log_likelihood_fn,
                first_logits,
                seed,
                self.num_samples,
                self.kl_weight.value,
                features,
                training,
            )
            return bound.elbo() if self.objective_name == "elbo" else bound.importance_weighted()
        layers = self._stochastic_layers(first_logits, training)
        given = (layers, log_likelihood_fn, seed, self.num_samples)
        weight = {"kl_weight": self.kl_weight.value}
        if self.objective_name in RELAXED:
            relaxed = {"prior_temperature": self.prior_temperatures, **weight}
            if self.objective_name == "relaxed_elbo":
                return objectives.relaxed_elbo(*given, **relaxed)
            doubly = self.objective_name == "doubly_reparameterized"
            return objectives.relaxed_importance_weighted(
                *given, doubly_reparameterized=doubly, **relaxed
            )
        discrete = {
            "context": features,
            "training": training,
            **weight,
        }
        if self.objective_name == "importance_weighted":
            return objectives.importance_weighted(*given, **discrete)
        return objectives.elbo(*given, free_bits=self.free_bits, **discrete)

    def hard_terms(self, x: Tensor, seed: Seed, encoded: Tensor | None = None) -> dict[str, Tensor]:
        x = self.check_observations(x)
        codes, posteriors = self.chain.sample_codes(x, 1, seed, first_logits=encoded)
        z = [q.one_hot(code) for q, code in zip(posteriors, codes, strict=True)]
        negative_kl = self.chain.negative_kl(tuple(z), posteriors, self.prior.priors_given(codes))
        log_likelihood = self.conditional_log_likelihood(x, z[0])[0]
        return {
            "hard_elbo_nats": log_likelihood + negative_kl,
            "hard_reconstruction_nats": -log_likelihood,
        }

    def log_weights(self, x: Tensor, num_samples: int | Tensor, seed: Seed) -> tf.Tensor:
        """Computes log p(x, z) - log q(z | x) in nats for S samples of all layers, [S, B]."""
        x = self.check_observations(x)
        codes, posteriors = self.chain.sample_codes(x, num_samples, seed)
        layers = zip(codes, posteriors, self.prior.priors_given(codes), strict=True)
        log_ratio = tf.add_n([p.code_log_prob(z) - q.code_log_prob(z) for z, q, p in layers])
        return self._code_log_likelihood(x, codes[0]) + log_ratio

    # What a trained model is for.

    def _check_codes(self, codes: Tensor) -> tf.Tensor:
        return tf.concat(self.chain.latents.split(codes), axis=1)

    def get_config(self) -> Config:
        return {
            **super().get_config(),
            **self.chain.arguments(),
            "prior": "learned" if self.prior.learned else "uniform",
            "digit_units": self.chain.latents.digit_units,
            "num_samples": self.num_samples,
            "objective": self.objective_name,
            "prior_temperature": arguments.shared(self.prior_temperatures),
            "kl_weight": self.kl_weight.get_config()["schedule"],
            "free_bits": self.free_bits,
        }
