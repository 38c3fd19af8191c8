"""The estimator contract: the value of E_{z ~ q(z | logits)}[f(z)] and its gradient.

Two families, one verb. A pathwise estimator draws a value that carries the gradient, so a layer can hold
it. A score estimator evaluates the objective and weighs the gradient of log q, so it needs the objective
in hand: `estimate`. Hard single-draw estimators change only the gradient, never the value.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NoReturn

import keras
import tensorflow as tf

from tf_discrete import distributions, types
from tf_discrete.distributions import Discrete, Relaxable
from tf_discrete.estimators.reductions import ObjectiveFn, evaluate, mean, reduced
from tf_discrete.estimators.spec import Spec as Spec
from tf_discrete.types import Config, Estimate, Reduction, Sample, Seed, Shape, Tensor

LOWEST_IN_FLOAT16 = 4e-6
"""The slope of a softmax at a lower temperature, 1 / (4 t), is larger than any number of float16."""

LAYERS = ("GumbelSoftmax", "SemanticHashing", "StraightThrough")
"""Estimators that have the name of a layer."""


class Estimator(keras.layers.Layer):
    """Base of all estimators. It is a Keras layer, so a model saves and schedules what it owns.

    Args:
        latents: Kind of latents, such as "categorical" (logits [..., N, K]) or "bernoulli" (logits
            [..., N]); see `tf_discrete.distributions.names()`.
    """

    spec: Spec
    family: str
    mean_field_control = False
    """Whether `nested_estimate` gives the estimator a `control_fn`: the objective of a mean-field pass."""

    def __init__(self, latents: str = "categorical", **kwargs: Any):
        super().__init__(**{**kwargs, "dtype": "float32"})
        kind = distributions.get(latents)
        if not kind.factorized:
            raise ValueError(
                f"Each digit of {kind.latents} latents has an estimator of its own. Set "
                f"latents={kind.formulas()!r} here, and give it to CategoricalVAE, which has the others. "
                f"Received: latents={latents!r}"
            )
        if not self.spec.takes(latents):
            raise ValueError(
                f"{type(self).__name__} supports {' and '.join(self.spec.supports)} latents only. Choose "
                f"another estimator, see tf_discrete.estimators.names(latents={latents!r}). "
                f"Received: latents={latents!r}"
            )
        self.latents = latents
        self.built = True

    def build(self, logits_shape: Shape, context_shape: Shape | None = None) -> None:
        """Makes the weights whose sizes depend on the problem. A model calls it when it is made.

        Args:
            logits_shape: Shape of the logits, [..., N(, K)].
            context_shape: of the context, [..., D], or None if `estimate` is given none.
        """

    def __call__(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refuses to be used as a layer: `tf_discrete.layers` has those.

        Raises:
            TypeError: Always; it names the layer or model that takes this estimator.
        """
        name = type(self).__name__
        registered = vars(type(self)).get("registered_name")
        given = f"{name}(...)" if registered is None else repr(registered)
        if self.family == "score":
            remedy = (
                f"Give it to a model, such as tf_discrete.CategoricalVAE(estimator={given}, ...)"
            )
        elif name in LAYERS:
            remedy = f"Use the layer tf_discrete.layers.{name}(...)"
        else:
            remedy = f"Give it to a layer, tf_discrete.layers.StochasticLayer(estimator={given})"
        raise TypeError(
            f"tf_discrete.estimators.{name} estimates gradients and is not called. {remedy}. "
            f"Received: {', '.join(type(one).__name__ for one in args) or 'no inputs'}"
        )

    def call(self, logits: Tensor) -> NoReturn:
        self(logits)  # Keras reads the signature where an estimator is put into a model.

    def compute_output_shape(
        self, logits_shape: Shape, context_shape: Shape | None = None
    ) -> tuple[int | None, ...]:
        """Returns the shape of one sample, [..., *value_shape], for logits [..., N(, K)]."""
        axis, kind = len(logits_shape) - self.event_rank, self.kind
        own = kind.value_shape(*kind.sizes_of(tuple(logits_shape[axis:])))
        return (*logits_shape[:axis], *own)

    def get_build_config(self) -> Config | None:
        return None  # The parts that have weights carry their own.

    @property
    def kind(self) -> type[Discrete]:
        """Returns the class of the kind of latents."""
        return distributions.get(self.latents)

    @property
    def relaxable_kind(self) -> type[Relaxable]:
        """Returns the same, of an estimator whose `spec` asks for a kind that can be relaxed."""
        return distributions.get_relaxable(self.latents)

    @property
    def event_rank(self) -> int:
        """Axes of one configuration, such as 2 ([N, K]) for categorical, 1 ([N]) for Bernoulli latents."""
        return self.kind.event_rank

    def value_size(self, logits_shape: Shape) -> int:
        """Returns how many numbers one value has, for logits [..., *logits_shape]."""
        sizes = self.kind.sizes_of(tuple(logits_shape[-self.event_rank :]))
        return math.prod(axis or 0 for axis in self.kind.value_shape(*sizes))

    @property
    def min_samples(self) -> int:
        """Returns the fewest samples that this estimator takes, as it is configured."""
        return self.spec.min_samples

    @property
    def relaxed_control(self) -> bool:
        """Whether a control variate takes the objective at relaxed values, as it is configured."""
        return self.spec.relaxed_control

    @property
    def gradient_scale(self) -> Tensor:
        """The positive number by which the next estimate divides the gradient of its logits; 1 for most.

        Whatever else of the loss depends on the same logits, a term in addition to the estimate or log q
        inside the objective, reads them through `divide_gradient(logits, gradient_scale)`; then the
        direction of the whole is right. It is taken before `estimate`, which moves it in training.
        """
        return 1.0

    def distribution(self, logits: Tensor) -> Discrete:
        """The distribution of the codes that this estimator draws: q(z | logits) unless overridden."""
        return self.kind(logits)

    def draw_noise(self, seed: Seed, logits: Tensor, num_samples: int | None = 1) -> Tensor:
        """Returns the random part of one estimate.

        Args:
            seed: int32 [2].
            logits: float [*B, N(, K)].
            num_samples: S. None if the first axis of `logits` is the samples of an outer layer.

        Returns:
            float [S, *B, N(, K)], with further axes where one variable takes several numbers; it carries
            no gradient.

        Raises:
            ValueError: too few samples, or float16 logits whose gradient overflows at the temperature.
        """
        logits = tf.convert_to_tensor(logits)
        self.check_dtype(logits.dtype)
        self.check(num_samples, None)
        return self._draw(seed, self._wide(logits), num_samples)

    def _wide(self, logits: Tensor) -> tf.Tensor:
        """Returns logits from outside in at least float32, with the masks of the kind of latents."""
        return self.kind.masked(types.at_least_float32(logits))

    def _draw(self, seed: Seed, logits: tf.Tensor, num_samples: int | None) -> tf.Tensor:
        """`draw_noise` of logits of at least float32, all checked. Default: samples of the codes."""
        return self._draw_codes(seed, logits, num_samples)

    def _draw_codes(self, seed: Seed, logits: tf.Tensor, num_samples: int | None) -> tf.Tensor:
        """Samples of `distribution(logits)` as values, [S, *B, N(, K)], without a gradient."""
        distribution = self.distribution(logits)
        if num_samples is None:
            return tf.stop_gradient(distribution.sample(seed, 1)[0])
        return tf.stop_gradient(distribution.sample(seed, num_samples))

    @property
    def noise_rank(self) -> int:
        """Returns the number of axes of the noise of one sample of one example."""
        return self.event_rank

    def _tile(self, logits: tf.Tensor, noise: Tensor) -> tf.Tensor:
        """Returns the logits for each sample of the noise, [S, *B, *logits_shape]."""
        lead, event = noise.shape[: -self.noise_rank], logits.shape[-self.event_rank :]
        shape = tf.concat(
            [tf.shape(noise)[: -self.noise_rank], tf.shape(logits)[-self.event_rank :]], axis=0
        )
        tiled = tf.broadcast_to(logits, shape)
        tiled.set_shape(lead.concatenate(event))
        return tiled

    def estimate(
        self,
        objective_fn: ObjectiveFn,
        logits: Tensor,
        noise: Tensor,
        *,
        reduce: Reduction | None = mean,
        context: Tensor | None = None,
        control_fn: Callable[..., Tensor] | None = None,
        training: bool = False,
    ) -> Estimate:
        """Estimates E[objective_fn(z)] with a gradient for the logits and all that f reads.

        Args:
            objective_fn: maps z [S, *B, N(, K)] to values [S, *B], or returns the `Estimate` of an inner
                stochastic layer whole. It never averages.
            logits: float [*B, N(, K)], or [S, *B, N(, K)] inside an outer layer.
            noise: what `draw_noise` gave.
            reduce: `mean`, `log_mean_exp`, or None to keep the samples apart. All nested layers are
                given the same one; the innermost applies it.
            context: float [*B, D] that learned baselines read; ignored by the others. Default: the
                probabilities of q, in one vector.
            control_fn: maps z [S, *B, N(, K)] to values [S, *B]: of `relax` the network of its control
                variate, of `muprop` the function whose tangent it subtracts; ignored by the others.
            training: Bool, whether this is a step of training: then moving averages take the batch in, and
                `auxiliary` trains what the estimator learns. Default: False.

        Returns:
            estimate: see `tf_discrete.types.Estimate`.

        Raises:
            ValueError: too few samples, or a reduction that the estimator does not take.
        """
        raise NotImplementedError

    def check_dtype(self, dtype: tf.DType) -> None:
        """Refuses a temperature at which the gradient of logits of a dtype overflows.

        The slope of a softmax at temperature t reaches 1 / (4 t), and that of float16 logits must be at
        most 65504.

        Args:
            dtype: Dtype of the logits as they are given, before they are widened.
        """
        temperature = getattr(self, "temperature", None)
        if temperature is not None:
            check_temperature(temperature.lowest, dtype)

    def check(self, num_samples: int | None, reduce: Reduction | None) -> None:
        """Refuses a number of samples or a reduction that the estimator does not take."""
        if num_samples is not None and num_samples < self.min_samples:
            raise ValueError(
                f"{type(self).__name__} needs at least {self.min_samples} samples. Set num_samples. "
                f"Received: num_samples={num_samples}"
            )
        if reduce is not None and reduce.__name__ not in self.spec.reductions:
            raise ValueError(
                f"{type(self).__name__} takes the reductions {', '.join(self.spec.reductions)}. For the "
                "log_mean_exp of a bound of several samples choose an estimator such as vimco, or an "
                f"objective that is a mean. Received: reduce={reduce.__name__}"
            )

    def get_config(self) -> Config:
        config = super().get_config()
        del config["dtype"]
        return {**config, "latents": self.latents}


def check_temperature(temperature: float, dtype: tf.DType) -> None:
    """`Estimator.check_dtype` of a number."""
    if tf.as_dtype(dtype) == tf.float16 and temperature < LOWEST_IN_FLOAT16:
        raise ValueError(
            f"temperature must be at least {LOWEST_IN_FLOAT16} for float16 logits, or their gradient "
            "overflows. Raise it, or use float32 or bfloat16. "
            f"Received: temperature={temperature!r}, logits of dtype float16"
        )


class PathwiseEstimator(Estimator):
    """An estimator whose draw carries the gradient; `sample` is all that a layer needs."""

    family = "pathwise"

    def sample(self, logits: Tensor, noise: Tensor) -> Sample:
        """Returns a sample with its gradient path.

        Args:
            logits: float [*B, N(, K)].
            noise: float [S, *B, N(, K)].

        Returns:
            sample: see `tf_discrete.types.Sample`.
        """
        return self._sample(self._wide(logits), noise)

    def _sample(self, logits: tf.Tensor, noise: Tensor) -> Sample:
        """`sample` of logits of at least float32."""
        raise NotImplementedError

    def estimate(
        self,
        objective_fn: ObjectiveFn,
        logits: Tensor,
        noise: Tensor,
        *,
        reduce: Reduction | None = mean,
        context: Tensor | None = None,
        control_fn: Callable[..., Tensor] | None = None,
        training: bool = False,
    ) -> Estimate:
        self.check(noise.shape[0], reduce)
        value = self.sample(logits, noise).value
        return reduced(evaluate(objective_fn, value, self.event_rank), reduce)
