"""Structured prediction: one part of an observation given another, through stochastic layers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf
from numpy.typing import ArrayLike

from tf_discrete import estimators, likelihoods, seeds
from tf_discrete._internal import arguments, checks, input_checks, integer_checks
from tf_discrete.distributions import Discrete
from tf_discrete.export.completion import completion_signatures
from tf_discrete.export.signature import Signature
from tf_discrete.models import base, batches
from tf_discrete.models.discrete_codes import DiscreteCodes
from tf_discrete.models.input_output_split import InputOutputSplit
from tf_discrete.models.layered_latents import LayeredLatents
from tf_discrete.models.stochastic_chain import StochasticChain
from tf_discrete.types import (
    ActivationLike,
    Batch,
    Config,
    EstimatorLike,
    Inputs,
    JsonObject,
    LikelihoodLike,
    ObjectiveTerms,
    PerLayer,
    ScheduleLike,
    Seed,
    SeedLike,
    Shape,
    Tensor,
)

OBJECTIVES = {"single_sample": estimators.mean, "multi_sample": estimators.log_mean_exp}


@keras.saving.register_keras_serializable("tf_discrete.models")
class StructuredPrediction(DiscreteCodes, base.DiscreteModel):
    """Predicts one part of an observation from another through discrete stochastic layers.

    The model is p(y | x) = E[p(y | z_L)] with z_1 ~ p(z_1 | x), ..., z_L ~ p(z_L | z_{L-1}). By default x and
    y are the first and the second half of the rows of an observation: the upper half of an image predicts
    the lower half. With `output_shape` they are two arrays, for `fit(x, y)`, `log_likelihood((x, y))` and
    `complete(x)`. There is no KL, because z is sampled from its prior p(z | x).

    Args:
        data_shape: Tuple of ints, shape of an observation, such as (28, 28, 1), or of one x if `output_shape`
            is given.
        output_shape: Tuple of ints, shape of one y. None: y is a part of the observation. Default: None.
        mask: Bool array [*data_shape], true for the elements of x. None: the first half of the rows. Default:
            None.
        num_variables: Int N, or a sequence of one for each layer: number of variables. Default: 20.
        num_categories: Int K >= 2, or a sequence of one for each layer: categories of each variable; 2 for
            Bernoulli latents. Default: 10.
        latents: Kind of latents, see `tf_discrete.distributions.names()`. Default: "categorical".
        num_layers: Int L >= 1, number of stochastic layers. Default: 2.
        hidden_units: Sequence of ints, hidden layers of each map to, between and from the stochastic layers;
            () for affine maps. Default: ().
        activation: Name of the Keras activation of the hidden layers. Default: "tanh".
        likelihood: Name or object, likelihood of y, see `tf_discrete.likelihoods`. Default: "bernoulli".
        estimator: Name, object or config, see `tf_discrete.estimators`, or a sequence of one for each layer.
            Each layer gets its own copy. Default: "gumbel_softmax".
        temperature: Positive float or schedule, or a sequence of one for each layer, for estimators given by
            name. Default: that of the estimator.
        num_samples: Int m >= 1, latent samples per example in training. Default: 1, or the fewest that the
            estimators take.
        objective: "single_sample" maximises E[log p(y | z)], "multi_sample" E[log mean_m p(y | z_m)].
            Default: "single_sample".
        code_values: Input encoding of codes for the next map: "zero_one" or "plus_minus" (-1 and 1).
            Default: "zero_one".
        centering: Bool, whether the running mean of x is subtracted from the input. Default: False.
        seed: Int, base seed of all samples. Default: 0.
        monitor_every: How often, in training steps, the discrete path is evaluated. Default: 10.

    Raises:
        ValueError: Arguments are out of range or contradict one another.

    Example:
        >>> model = StructuredPrediction((8, 8, 1), num_variables=4, num_categories=3)
        >>> model.compile(optimizer="adam")
        >>> x = tf.ones([5, 8, 8, 1])
        >>> model.complete(x).shape, model.sample(x, 3).shape, model.log_likelihood(x, 10).shape
        (TensorShape([5, 8, 8, 1]), TensorShape([3, 5, 8, 8, 1]), TensorShape([5]))

    Reference:
        Raiko, Berglund, Alain, Dinh. Techniques for learning binary stochastic feedforward neural
        networks. 2014. arXiv:1406.2989.
        Jang, Gu, Poole. Categorical reparameterization with Gumbel-Softmax. 2016. arXiv:1611.01144.
    """

    collapse_advice = "Lower the temperature, train longer, or use fewer variables."

    def __init__(
        self,
        data_shape: Sequence[int],
        output_shape: Sequence[int] | None = None,
        mask: ArrayLike | None = None,
        num_variables: int | Sequence[int] = 20,
        num_categories: int | Sequence[int] = 10,
        latents: str = "categorical",
        num_layers: int = 2,
        hidden_units: Sequence[int] = (),
        activation: ActivationLike = "tanh",
        likelihood: LikelihoodLike = "bernoulli",
        estimator: PerLayer[EstimatorLike] = "gumbel_softmax",
        temperature: PerLayer[ScheduleLike | None] = None,
        num_samples: int | None = None,
        objective: str = "single_sample",
        code_values: str = "zero_one",
        centering: bool = False,
        seed: int = 0,
        monitor_every: int = 10,
        **kwargs: Any,
    ):
        super().__init__(seed=seed, monitor_every=monitor_every, **kwargs)
        checks.choice("objective", objective, tuple(OBJECTIVES))
        self.parts = InputOutputSplit(data_shape, output_shape, mask)
        num_layers = checks.whole("num_layers", num_layers)
        layers = LayeredLatents.make(
            num_layers,
            num_variables,
            num_categories,
            latents,
            code_values,
            hidden_units,
            activation,
            self._wide,
        )
        inputs = (self.parts.num_inputs,)
        self.chain = StochasticChain(
            inputs,
            layers,
            layers.new_map(inputs, layers.specs[0].num_logits),
            arguments.layer_estimators(estimator, latents, temperature, num_layers),
            centering,
        )
        self.latent_spec = self.chain.latents.total
        self.objective_name = objective
        self.num_samples = arguments.num_samples(num_samples, self.chain.estimators)
        estimators.check_nested(self.chain.estimators, self.num_samples, OBJECTIVES[objective])
        self.likelihood = likelihoods.get(likelihood)
        self._parameters_shape = self.likelihood.parameters_shape((self.parts.num_outputs,))
        self.head = layers.new_map(layers.specs[-1].shape, math.prod(self._parameters_shape))
        terms = ("elbo_nats", "multi_sample_bound_nats")
        self.track_metrics(terms if objective == "multi_sample" else terms[:1], ("hard_elbo_nats",))
        self.built = True

    # What the model is made of.

    def parameters(self, z: Tensor, training: bool = False) -> tf.Tensor:
        """Computes the likelihood's parameters, [*A, outputs, ...], given samples z_L, [*A, N(, K)]."""
        return self._as_parameters(self.chain.latents.read(self.head, z, training))

    def _as_parameters(self, outputs: Tensor) -> tf.Tensor:
        """Reshapes outputs [*A, D] of the last map as the likelihood needs them."""
        shape = tf.concat([tf.shape(outputs)[:-1], self._parameters_shape], axis=0)
        return tf.reshape(outputs, shape)

    def logits(self, x: Tensor) -> tf.Tensor:
        """Returns concatenated logits, [B, sum of N(, K)], each layer given the most probable code before."""
        return self.chain.concatenated_logits(self._given(x))

    def posterior(self, x: Tensor) -> Discrete:
        """Returns one distribution for all layers, each given the most probable code before."""
        return self.chain.posterior(self._given(x))

    # What training minimises and reports.

    def unpack_batch(self, data: Batch) -> Inputs:
        return self.parts.unpack_batch(data)

    def check_observations(self, x: Inputs) -> Inputs:
        self._both(x)
        return super().check_observations(x)

    def objective(self, x: Tensor, seed: Seed, training: bool) -> ObjectiveTerms:
        inputs, outputs = self._both(x)
        first_logits = self.chain.logits(0, inputs, training)
        shared = not (training and self.chain.differs_in_training)

        def logits_fn(before: tuple[Tensor, ...]) -> tf.Tensor:
            return self.chain.logits(len(before), before[-1], training) if before else first_logits

        def log_likelihood_fn(z: tuple[Tensor, ...], logits: tuple[Tensor, ...]) -> tf.Tensor:
            return self._log_prob(outputs, self.parameters(z[-1], training))

        estimate = estimators.nested_estimate(
            self.chain.estimators,
            logits_fn,
            log_likelihood_fn,
            seed,
            self.num_samples,
            reduce=OBJECTIVES[self.objective_name],
            context=inputs,
            training=training,
        )
        terms = {"elbo_nats": estimate.value}
        if self.objective_name == "multi_sample":
            one_sample = tf.reduce_mean(estimate.per_sample, axis=0)
            terms = {"elbo_nats": one_sample, "multi_sample_bound_nats": estimate.value}
        encoded = first_logits if shared else None
        return ObjectiveTerms(-estimate.value, estimate.auxiliary, terms, encoded)

    def hard_terms(self, x: Tensor, seed: Seed, encoded: Tensor | None = None) -> dict[str, Tensor]:
        return {"hard_elbo_nats": self._log_weights(x, 1, seed, encoded)[0]}

    def log_weights(self, x: Tensor, num_samples: int | Tensor, seed: Seed) -> tf.Tensor:
        """Computes log p(y | z_L) in nats for S samples of all layers, [S, B]."""
        return self._log_weights(x, num_samples, seed)

    def _log_weights(
        self, x: Tensor, num_samples: int | Tensor, seed: Seed, first_logits: Tensor | None = None
    ) -> tf.Tensor:
        inputs, outputs = self._both(x)
        codes, _ = self.chain.sample_codes(inputs, num_samples, seed, first_logits)
        found = self.chain.latents.read_codes(self.head, codes[-1], len(codes) - 1)
        return self._log_prob(outputs, self._as_parameters(found))

    def values_per_row(self) -> int:
        return math.prod(self._parameters_shape)

    # What a trained model is for.

    def call(self, x: Tensor, training: bool = False) -> tf.Tensor:
        return self.complete(batches.inputs_of(x) if isinstance(x, dict) else x)

    def compute_output_shape(self, input_shape: Shape) -> tuple[int | None, ...]:
        shape = self.parts.output_shape or self.parts.data_shape
        return (batches.batch_axis(input_shape), *shape)

    def complete(
        self, x: Tensor, num_samples: int | Tensor | None = None, seed: SeedLike = 0
    ) -> tf.Tensor:
        """Returns the mean of y, with the x it was given for: [B, *data_shape], or [B, *output_shape].

        Args:
            x: observations, float [B, *data_shape], of which the part that is y is not read.
            num_samples: S samples of all layers that the mean of p(y | x) is taken over; None for the mean
                of p(y | z) at the most probable code of each layer in turn. Default: None.
            seed: Int or int32 [2]; of the samples. Default: 0.

        Raises:
            ValueError: x of another shape or outside the support of the likelihood; fewer than 1
                sample. Where no check is possible, in XLA and TFLite, such an x is completed by NaN.
        """
        inputs = self._given(x)
        if num_samples is None:
            mean = self.likelihood.mean(self.parameters(self.chain.draw(inputs)[0][-1]))
        else:
            samples = integer_checks.count(num_samples, "num_samples", lowest=1)
            mean = tf.reduce_mean(self._completions(inputs, samples, seed), axis=0)
        return input_checks.blank(self.parts.join(x, mean), inputs)

    def sample(self, x: Tensor, num_samples: int | Tensor = 1, seed: SeedLike = 0) -> tf.Tensor:
        """Completions, [S, B, *data_shape] or [S, B, *output_shape]: means of p(y | z) for samples of z.

        Args:
            x: observations, float [B, *data_shape], of which the part that is y is not read.
            num_samples: S. Default: 1.
            seed: Int or int32 [2]; the same seed gives the same completions. Default: 0.

        Raises:
            ValueError: As `complete`.
        """
        inputs = self._given(x)
        num_samples = integer_checks.count(num_samples, "num_samples")
        found = self.parts.join(x, self._completions(inputs, num_samples, seed))
        return input_checks.blank(found, inputs, batch_axis=1)

    def encode(self, x: Tensor) -> tf.Tensor:
        """Returns the most probable codes of all layers in turn, int32 [B, sum of N]."""
        inputs = self._given(x)
        posterior = self.chain.posterior(inputs)
        return input_checks.blank(posterior.code(posterior.mode()), inputs)

    def encode_probs(self, x: Tensor) -> tf.Tensor:
        """Returns the probabilities of all layers, each given the most probable sample of the one before."""
        inputs = self._given(x)
        return input_checks.blank(self.chain.posterior(inputs).probs, inputs)

    def signatures(self) -> dict[str, Signature]:
        return completion_signatures(self)

    def manifest_entries(self) -> JsonObject:
        return {
            **super().manifest_entries(),
            "data_shape": self.parts.data_shape,
        }

    def get_config(self) -> Config:
        return {
            **super().get_config(),
            **self.parts.get_config(),
            **self.chain.arguments(),
            "likelihood": keras.saving.serialize_keras_object(self.likelihood),
            "num_samples": self.num_samples,
            "objective": self.objective_name,
        }

    def _given(self, x: Tensor) -> tf.Tensor:
        """Returns the x of observations, checked, [B, inputs]; what is y is not read."""
        return input_checks.in_support(self.parts.inputs(x), self.input_support)

    def _both(self, x: Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the x and the y of observations, checked, [B, inputs] and [B, outputs]."""
        inputs, outputs = self.parts.split(x)
        name = "x" if self.parts.output_shape is None else "y"
        return (
            input_checks.in_support(inputs, self.input_support),
            input_checks.in_support(outputs, self.likelihood.support, name),
        )

    @property
    def input_support(self) -> input_checks.Support | None:
        """Returns the support of x: that of y if both are parts of an observation, else finite numbers."""
        halves = self.parts.output_shape is None and self.parts.mask is None
        return self.likelihood.support if halves else input_checks.REAL

    def _log_prob(self, outputs: Tensor, parameters: Tensor) -> tf.Tensor:
        return tf.cast(self.likelihood.log_prob(outputs, parameters), self._wide)

    def _completions(self, inputs: Tensor, num_samples: int | Tensor, seed: SeedLike) -> tf.Tensor:
        draws, _ = self.chain.draw(inputs, num_samples, seeds.convert(seed))
        parameters = self.parameters(draws[-1])
        return estimators.apply_to_samples(self.likelihood.mean, parameters, batch_rank=2)
