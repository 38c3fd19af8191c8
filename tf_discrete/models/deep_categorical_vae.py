"""The categorical VAE of several stochastic layers in both directions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from tf_discrete import (
    arguments,
    checks,
    estimators,
    input_checks,
    likelihoods,
    objectives,
    seeds,
    types,
)
from tf_discrete.distributions import Discrete
from tf_discrete.export.autoencoder import autoencoder_signatures
from tf_discrete.export.signature import Signature
from tf_discrete.models import base
from tf_discrete.models.categorical_vae import (
    MULTI_SAMPLE,
    OBJECTIVES,
    RELAXED,
    check_objective,
)
from tf_discrete.models.discrete_codes import DiscreteCodes
from tf_discrete.models.generative_chain import GenerativeChain
from tf_discrete.models.layered_latents import Draws
from tf_discrete.models.networks import flatten
from tf_discrete.models.stochastic_chain import StochasticChain
from tf_discrete.types import ObjectiveTerms, Seed, Tensor


@keras.saving.register_keras_serializable("tf_discrete.models")
class DeepCategoricalVAE(DiscreteCodes, base.DiscreteModel):
    """q: x -> z_1 -> ... -> z_L and p: z_L -> ... -> z_1 -> x, all z discrete, each layer its estimator.

    The codes of an observation are those of all layers, the first layer's first; x is decoded from the
    first layer's. The maps are affine, or have `hidden_units`: two tanh layers as wide as the stochastic
    ones are the "nonlinear" models of the literature. With one layer it is `CategoricalVAE`.

    With objective "elbo" the entropies of q and the KL of the last layer are exact given the draws below
    them; log p(z_l | z_{l+1}) of the other layers is taken at the draws.

    Args:
        data_shape: of one observation, such as (28, 28, 1).
        num_variables: N of each layer, one number or one for each layer. Default: 20.
        num_categories: K >= 2 of all layers; 2 for Bernoulli latents. Default: 10.
        latents: Kind of latents, see `tf_discrete.distributions.names()`. Default: "categorical".
        num_layers: L >= 1 stochastic layers. Default: 2.
        hidden_units: of the deterministic layers in each map; () for affine maps. Default: ().
        activation: of these. Default: "tanh".
        prior: of the last layer: "uniform" or "learned". Default: "uniform".
        likelihood: name or object, see `tf_discrete.likelihoods`. Default: "bernoulli".
        estimator: name, object or config, of which each layer gets its own copy, or a sequence of one
            for each layer. Default: "gumbel_softmax".
        temperature: number or schedule, or a sequence of one for each layer, of estimators given by
            name. Default: the estimator's own.
        num_samples: m >= 1 of the latents for each example in training. Default: 1, or the fewest that
            the estimators take.
        objective: see `CategoricalVAE`. "doubly_reparameterized" reparameterises the score of each layer
            with all draws after it, at the cost of one more forward pass and of every map but the first
            twice. Default: "elbo".
        prior_temperature: of the relaxed priors, one number or one for each layer; relaxed objectives
            only. Default: 0.5.
        kl_weight: number or schedule, of log p(z) - log q(z | x); the bounds as trained are weighted,
            the hard ones are not. Default: 1.0.
        units: of what the maps read for a choice: "zero_one" or "plus_minus". Default: "zero_one".
        centering: whether the running mean is subtracted from x on its way to q. Default: False.
        seed: of all draws. Default: 0.
        monitor_every: steps between two looks at the hard path in training. Default: 10.

    Raises:
        ValueError: arguments out of range or at odds with one another.

    Example:
        >>> model = DeepCategoricalVAE((8, 8, 1), num_variables=(4, 2), num_categories=3)
        >>> model.compile(optimizer="adam")
        >>> x = tf.ones([5, 8, 8, 1])
        >>> model.encode(x).shape, model.reconstruct(x).shape, model.log_likelihood(x, 10).shape
        (TensorShape([5, 6]), TensorShape([5, 8, 8, 1]), TensorShape([5]))

    Reference:
        Maddison, Mnih, Teh. The Concrete distribution. 2016. arXiv:1611.00712.
        Mnih, Rezende. Variational inference for Monte Carlo objectives. 2016. arXiv:1602.06725.
        Bauer, Mnih. Generalized doubly reparameterized gradient estimators. 2021. arXiv:2101.11046.
    """

    def __init__(
        self,
        data_shape: Sequence[int],
        num_variables: int | Sequence[int] = 20,
        num_categories: int = 10,
        latents: str = "categorical",
        num_layers: int = 2,
        hidden_units: Sequence[int] = (),
        activation: str = "tanh",
        prior: str = "uniform",
        likelihood: Any = "bernoulli",
        estimator: Any = "gumbel_softmax",
        temperature: Any = None,
        num_samples: int | None = None,
        objective: str = "elbo",
        prior_temperature: float | Sequence[float] = 0.5,
        kl_weight: Any = 1.0,
        units: str = "zero_one",
        centering: bool = False,
        seed: int = 0,
        monitor_every: int = 10,
        **kwargs: Any,
    ):
        super().__init__(seed=seed, monitor_every=monitor_every, **kwargs)
        arguments.check_choice("objective", objective, OBJECTIVES)
        self.data_shape = checks.sizes("data_shape", data_shape)
        self.chain = StochasticChain(
            math.prod(self.data_shape),
            num_variables,
            num_categories,
            latents,
            num_layers,
            hidden_units,
            activation,
            estimator,
            temperature,
            units,
            centering,
            self._wide,
        )
        self.latent_spec = self.chain.latents.total
        self.objective_name = objective
        self.num_samples = arguments.num_samples(num_samples, self.chain.estimators)
        check_objective(objective, self.chain.estimators, self.num_samples)
        self.prior_temperatures = [
            checks.positive("prior_temperature", value)
            for value in arguments.per_layer("prior_temperature", prior_temperature, num_layers)
        ]
        self.kl_weight: Any = arguments.scheduled_weight("kl_weight", kl_weight)
        self.likelihood = likelihoods.get(likelihood)
        self._parameters_shape = self.likelihood.parameters_shape(self.data_shape)
        self.generative_chain = GenerativeChain(
            self.chain.latents, math.prod(self._parameters_shape), prior
        )
        terms = ("elbo_nats", "multi_sample_bound_nats")
        self.track(
            terms if objective in MULTI_SAMPLE else terms[:1],
            ("hard_elbo_nats", "hard_reconstruction_nats"),
        )
        self.built = True

    # What the model is made of.

    def check_observations(self, x: Any) -> tf.Tensor:
        return input_checks.observations(x, self.data_shape, self.likelihood.support)

    def logits(self, x: Tensor) -> tf.Tensor:
        """Of q, all layers side by side, [B, N(, K)], each given the most probable choice before."""
        return self._logits(self.check_observations(x))

    def _logits(self, x: Tensor) -> tf.Tensor:
        return self.chain.side_by_side(self._flat(x))

    def posterior(self, x: Tensor) -> Discrete:
        """q of all layers side by side, each given the most probable choice before."""
        return self.distribution_of(self.logits(x))

    def parameters(self, z: Tensor, training: bool = False) -> tf.Tensor:
        """Of the likelihood, [*A, *parameters_shape], given draws of the first layer [*A, N_1(, K)]."""
        outputs = self.generative_chain.outputs(z, training)
        shape = tf.concat([tf.shape(outputs)[:-1], self._parameters_shape], axis=0)
        return tf.reshape(outputs, shape)

    def log_likelihood_given(self, x: Tensor, z: Tensor, training: bool = False) -> tf.Tensor:
        """log p(x | z_1) in nats, [*A], for draws of the first layer [*A, N_1(, K)]."""
        parameters = self.parameters(z, training)
        return tf.cast(self.likelihood.log_prob(x, parameters), self._wide)

    # What training minimises and reports.

    def objective(self, x: Tensor, seed: Seed, training: bool) -> ObjectiveTerms:
        x = self.check_observations(x)
        flat, weight = self._flat(x), types.cast(self.kl_weight.value, self._wide)
        if self.objective_name in RELAXED:
            factor = None
            if self.objective_name == "doubly_reparameterized":
                once = self._relaxed_log_weights(x, flat, seed, weight, training=False)
                factor = objectives.doubly_reparameterized_factor(once, weight)
            log_weights = self._relaxed_log_weights(x, flat, seed, weight, training, factor)
            many = self.objective_name in MULTI_SAMPLE
            bound = (estimators.log_mean_exp if many else estimators.mean)(log_weights)
            return self._named(bound, tf.zeros_like(bound), estimators.mean(log_weights))
        exact = self.objective_name == "elbo"
        ratio = objectives.layered_negative_kl if exact else objectives.layered_log_ratio
        first = self.chain.logits(0, flat, training)
        outside = self.chain.law_beside_estimate(0, first)

        def logits_fn(before: Draws) -> tf.Tensor:
            return self.chain.logits(len(before), before[-1], training) if before else first

        def log_weight(z: Draws, logits: Draws) -> tf.Tensor:
            laws = [self.chain.law_beside_estimate(*layer) for layer in enumerate(logits)]
            log_ratio = ratio(z, laws, self.generative_chain.laws_given(z, training))
            return self.log_likelihood_given(x, z[0], training) + weight * log_ratio

        estimate = estimators.nested_estimate(
            self.chain.estimators,
            logits_fn,
            log_weight,
            seed,
            self.num_samples,
            reduce=estimators.mean if exact else estimators.log_mean_exp,
            context=flat,
            training=training,
        )
        if exact:  # No draw changes what is exact of the first layer: it stands outside.
            bound = estimate.value + weight * self._exact_part(outside)
            return self._named(bound, estimate.auxiliary, bound)
        one_sample = estimators.mean(estimate.per_sample)
        return self._named(estimate.value, estimate.auxiliary, one_sample)

    def hard_terms(self, x: Tensor, seed: Seed) -> dict[str, Tensor]:
        x = self.check_observations(x)
        draws, laws = self.chain.draw(self._flat(x), 1, seed)
        ratio = objectives.layered_negative_kl(
            draws, laws, self.generative_chain.laws_given(draws)
        )[0]
        log_likelihood = self.log_likelihood_given(x, draws[0])[0]
        return {
            "hard_elbo_nats": log_likelihood + ratio + self._exact_part(laws[0]),
            "hard_reconstruction_nats": -log_likelihood,
        }

    def log_weights(self, x: Tensor, num_samples: int | Tensor, seed: Seed) -> tf.Tensor:
        """log p(x, z) - log q(z | x) in nats for S draws of all layers, [S, B]."""
        x = self.check_observations(x)
        draws, laws = self.chain.draw(self._flat(x), num_samples, seed)
        ratio = objectives.layered_log_ratio(draws, laws, self.generative_chain.laws_given(draws))
        return self.log_likelihood_given(x, draws[0]) + ratio

    def values_per_row(self) -> int:
        return math.prod(self._parameters_shape)

    # What a trained model is for.

    def call(self, x: Tensor, training: bool = False) -> tf.Tensor:
        return self.reconstruct(base.inputs_of(x))

    def encode(self, x: Tensor) -> tf.Tensor:
        """The most probable codes of all layers in turn, int32 [B, N]; see `CategoricalVAE.encode`."""
        x = self.check_observations(x)
        posterior = self.distribution_of(self._logits(x))
        return input_checks.blank(posterior.code(posterior.mode()), x)

    def encode_probs(self, x: Tensor) -> tf.Tensor:
        """Probabilities of all layers, each given the most probable choice before."""
        x = self.check_observations(x)
        return input_checks.blank(self.distribution_of(self._logits(x)).probs, x)

    def decode(self, codes: Tensor) -> tf.Tensor:
        """The mean of p(x | z_1), float [B, *data_shape], of codes of all layers, int [B, N].

        Raises:
            ValueError: codes of another shape or out of range, also of layers that x is not decoded from. See
                `CategoricalVAE.decode`.
        """
        codes = input_checks.codes(codes, self.num_categories, self.num_variables)
        first = self.chain.latents.specs[0]
        z = first.uniform(self._wide).one_hot(codes[:, : first.num_variables])
        x = self.likelihood.mean(self.parameters(z))
        return input_checks.blank(x, input_checks.rows_in(codes, 0, self.num_categories - 1))

    def reconstruct(self, x: Tensor) -> tf.Tensor:
        """The mean of p(x | z_1) at the most probable code, float [B, *data_shape]."""
        return self.decode(self.encode(x))

    def sample_codes(
        self, num_samples: int | Tensor, seed: int | Seed, prior: Any = None
    ) -> tf.Tensor:
        """Codes of all layers drawn from p, int32 [num_samples, N].

        Args:
            num_samples: how many.
            seed: int or int32 [2].
            prior: any object with `sample(num_samples, seed)` that gives codes, int [num_samples, N], such
                as an `AutoregressivePrior` of this model. Default: the model's own p.
        """
        num_samples, seed = input_checks.count(num_samples, "num_samples"), seeds.convert(seed)
        if prior is not None:
            return tf.cast(prior.sample(num_samples, seed), tf.int32)
        return self.generative_chain.sample(num_samples, seed)

    def sample(
        self, num_samples: int | Tensor, seed: int | Seed = 0, prior: Any = None
    ) -> tf.Tensor:
        """Means of p(x | z_1) for z drawn from p, float [num_samples, *data_shape].

        Args:
            num_samples: how many.
            seed: int or int32 [2]; the same seed gives the same samples.
            prior: where the codes come from, see `sample_codes`. Default: the model's own p.
        """
        return self.decode(self.sample_codes(num_samples, seed, prior))

    def signatures(self) -> dict[str, Signature]:
        return autoencoder_signatures(self)

    def describe(self) -> dict[str, Any]:
        return {
            **super().describe(),
            "data_shape": self.data_shape,
        }

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            **self.chain.arguments(),
            "data_shape": self.data_shape,
            "prior": self.generative_chain.prior,
            "likelihood": keras.saving.serialize_keras_object(self.likelihood),
            "num_samples": self.num_samples,
            "objective": self.objective_name,
            "prior_temperature": list(self.prior_temperatures),
            "kl_weight": self.kl_weight.get_config()["schedule"],
        }

    def _flat(self, x: Tensor) -> tf.Tensor:
        return flatten(x, self.data_shape)

    def _exact_part(self, law: Discrete) -> tf.Tensor:
        """Of the first layer, whose law is given."""
        only = len(self.chain.latents.specs) == 1
        return objectives.exact_part(law, self.generative_chain.last_law(), only)

    def _relaxed_log_weights(
        self,
        x: Tensor,
        flat: Tensor,
        seed: Seed,
        weight: Tensor,
        training: bool,
        factor: Tensor | None = None,
    ) -> tf.Tensor:
        """log p(x | z_1) + weight * (log p(z) - log q(z | x)) of relaxed draws, [S, B]."""
        samples, logits = self.chain.relaxed_draw(flat, self.num_samples, seed, training, factor)
        values = tuple(sample.value for sample in samples)
        layers: list[Any] = list(self.chain.estimators)  # With a density, hence a temperature.
        ratio = objectives.layered_relaxed_log_ratio(
            self.latents,
            [sample.log_value for sample in samples],
            logits,
            self.generative_chain.logits_given(values, training),
            [layer.temperature.value for layer in layers],
            self.prior_temperatures,
        )
        return self.log_likelihood_given(x, values[0], training) + weight * ratio

    def _named(self, bound: Tensor, auxiliary: Tensor, elbo: Tensor) -> ObjectiveTerms:
        terms = {"elbo_nats": elbo}
        if self.objective_name in MULTI_SAMPLE:
            terms["multi_sample_bound_nats"] = bound
        return ObjectiveTerms(-bound, auxiliary, terms)
