"""Shared type names and result tuples.

What an argument takes is named here once: `EstimatorLike`, `LikelihoodLike`, `NetworkLike` and
`ScheduleLike` are what the constructors of layers and models accept, `Batch` and `DataLike` what they are
fitted to, `HasCodes`, `CodeSource`, `Prior` and `Servable` what a function needs of an object. A component
of your own may use the same names in its signatures. TensorFlow and Keras ship no type information: to a
type checker their classes, and so `Tensor`, are any object.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias, TypeVar

import tensorflow as tf

from tf_discrete._internal import checks

if TYPE_CHECKING:
    import keras
    from keras.optimizers.schedules import LearningRateSchedule

    from tf_discrete.datasets import IndexedBatches
    from tf_discrete.estimators import Estimator
    from tf_discrete.estimators.baselines import Baseline
    from tf_discrete.export.signature import Signature
    from tf_discrete.likelihoods import Likelihood

_T = TypeVar("_T")

Tensor: TypeAlias = Any
"""A `tf.Tensor`, or anything that `tf.convert_to_tensor` takes."""

Seed: TypeAlias = Any
"""An int32 tensor of shape [2]: the seed of one stateless draw (see `tf_discrete.seeds`)."""

SeedLike: TypeAlias = "int | Seed"
"""Argument of `tf_discrete.seeds.convert`: an integer or a seed."""

Reduction: TypeAlias = "Callable[[Tensor], Tensor]"
"""Maps values [S, *B] of S samples to one value [*B]: `estimators.mean`, `estimators.log_mean_exp`."""

WithGradient: TypeAlias = "tuple[Tensor, Callable[..., Tensor | Sequence[Tensor]]]"
"""Result of a function under `tf.custom_gradient`: its value, and upstream gradient -> gradients."""

Shape: TypeAlias = "Sequence[int | None]"
"""The shape that Keras hands to `build` and `compute_output_shape`; an unknown size is None."""

Config: TypeAlias = dict[str, Any]
"""Config of `get_config` and `from_config`: arguments by name, of types that Keras writes as JSON."""

JsonObject: TypeAlias = dict[str, Any]
"""An object as JSON holds it: null, booleans, numbers, strings, lists and objects by name."""

ScheduleLike: TypeAlias = "float | str | LearningRateSchedule | type[LearningRateSchedule] | Config"
"""A value that may change with the training step: a number, a schedule of `tf_discrete.schedules` or of
Keras, its registered name, its class or its config."""

EstimatorLike: TypeAlias = "str | Estimator | type[Estimator] | Config"
"""An estimator, its registered name, its class or its config."""

BaselineLike: TypeAlias = "str | float | Baseline | type[Baseline] | Config"
"""A baseline of a score estimator, its registered name, its constant, its class or its config."""

PerLayer: TypeAlias = _T | Sequence[_T]
"""One value for all stochastic layers of a model, or a sequence of one for each."""

LikelihoodLike: TypeAlias = "str | Likelihood | type[Likelihood] | Config"
"""A likelihood, its registered name, its class or its config."""

NetworkLike: TypeAlias = "str | keras.Model | Config"
"""A network: its registered name, a Keras model of your own, or its config."""

ActivationLike: TypeAlias = "str | Callable[[Tensor], Tensor] | Config"
"""An activation as Keras knows it: its name, a function or its config."""

PriorLike: TypeAlias = "Prior | Callable[[int, int], Prior] | Config"
"""A prior of codes, its config, or a function that makes it of N and K, such as the class
`AutoregressivePrior`."""

DataLike: TypeAlias = "Tensor | tf.data.Dataset | Mapping[str, Tensor] | IndexedBatches"
"""Data for `fit`: arrays, a data set of batches, a dict of arrays, or batches of data in memory."""

Batch: TypeAlias = "Tensor | Mapping[str, Tensor] | tuple[Batch, ...]"
"""A batch as `fit` hands it to a step: observations, a dict that holds them, or a tuple (x, y, weights)."""

Inputs: TypeAlias = "Tensor | tuple[Tensor, ...]"
"""Inputs of a model's objective: observations [B, ...], or several tensors, such as (x, y)."""

Encoded: TypeAlias = "Tensor | tuple[Tensor, ...] | None"
"""Output of a model's encoder for a batch, to be reused; None if the encoder must run again."""

Terms: TypeAlias = "dict[str, Tensor | MaskedTerm]"
"""Parts of an objective by name, float [B] each, as the log shows their means."""

Logs: TypeAlias = dict[str, Any]
"""Logs of a step or an epoch: a number or a scalar tensor by name. Callbacks may add to them."""


class HasCodes(Protocol):
    """A model that turns observations into discrete codes, such as `CategoricalVAE`."""

    @property
    def num_variables(self) -> int:
        """N, the variables of a code."""

    @property
    def num_categories(self) -> int:
        """K, the values of each."""

    def encode(self, x: Tensor) -> tf.Tensor:
        """The code of each observation, int32 [B, N]; int64 of trees."""


class HasCodeProbs(HasCodes, Protocol):
    """A model that says how probable the values of its codes are, too."""

    def encode_probs(self, x: Tensor) -> tf.Tensor:
        """The probabilities of the values of each variable, float [B, N, K]; [B, N] of a 1 for bits."""


class CodeSource(Protocol):
    """Anything that draws codes, such as `AutoregressivePrior`."""

    def sample(self, num_samples: int | Tensor, seed: SeedLike, /) -> Tensor:
        """Codes, int [num_samples, N]."""


class Prior(CodeSource, Protocol):
    """A distribution p(z) of codes: `IndependentPrior`, `AutoregressivePrior`, or a class of your own.

    What a model holds and trains must be a Keras layer; what it saves must be registered with Keras.
    """

    @property
    def num_variables(self) -> int:
        """N, the variables of a code."""

    @property
    def num_categories(self) -> int:
        """K, the values of each."""

    def log_prob(self, codes: Tensor, training: bool = False) -> tf.Tensor:
        """Returns log p(z) in nats, float [B], of codes int [B, N]."""

    def get_config(self) -> Config:
        """Returns the arguments that make the prior anew."""


class Servable(Protocol):
    """A model that `tf_discrete.export` can write: it names what it answers, and describes itself."""

    def signatures(self) -> dict[str, Signature]:
        """The functions that are exported, by name; the first is the default."""

    def manifest_entries(self) -> JsonObject:
        """Returns the manifest entries of the model."""


class Sample(NamedTuple):
    """A reparameterised sample of discrete latents, as pathwise estimators make it.

    Attributes:
        value: float [S, *B, N(, K)], what the next network reads; carries the gradient.
        code: int32 [S, *B, N] (int64 of trees), the discrete configuration that was drawn.
        log_value: float [S, *B, N(, K)], the relaxed sample in log space (for Bernoulli latents: its
            logit), or None where the estimator has no relaxation.
    """

    value: Tensor
    code: Tensor
    log_value: Tensor | None = None


class Estimate(NamedTuple):
    """An estimate of E_q[f(z)] whose gradient is an estimate of its gradient.

    Attributes:
        value: float [*B]; differentiate it. With `reduce=None` it is [S, *B], one value a sample.
        auxiliary: float [*B], to be minimised; trains the estimator's own weights, nothing else.
        per_sample: float [S, *B], the objective at each sample; carries no gradient.
        pathwise: Bool, whether `value` may pass through a non-linear map and still differentiate rightly.
        reduction: the reduction that made `value`, or None where the samples are still apart.
    """

    value: Tensor
    auxiliary: Tensor
    per_sample: Tensor
    pathwise: bool
    reduction: Reduction | None


class ObjectiveTerms(NamedTuple):
    """The objective of each example of a batch and its terms, in nats.

    Attributes:
        loss: float [B], minimised; its gradient trains the model.
        auxiliary: float [B], minimised together with it: baselines and control variates.
        terms: Named float [B] parts of the objective, for the log; `MaskedTerm` where not every example
            has the part.
        encoded: what the encoder made of the batch, for `DiscreteModel.hard_terms`; None where the discrete
            path must run the encoder itself. Default: None.
    """

    loss: Tensor
    auxiliary: Tensor
    terms: Terms
    encoded: Encoded = None


class MaskedTerm(NamedTuple):
    """A term that only some examples of a batch have.

    Attributes:
        values: float [B], finite for all.
        weights: float [B], of each example in the mean of a log: 0 for those without the term.
    """

    values: Tensor
    weights: Tensor


def at_least_float32(x: Tensor) -> tf.Tensor:
    """`x` as a tensor of float32, or of float64 if it is one already.

    Noise, log-softmax, argmax and densities are computed in at least this precision: in float16 and
    bfloat16 Gumbel noise has so few values that large codes are drawn from wrong frequencies.

    Example:
        >>> at_least_float32(tf.constant([1.0], tf.bfloat16)).dtype
        tf.float32
    """
    x = tf.convert_to_tensor(x)
    return x if x.dtype == tf.float64 else tf.cast(x, tf.float32)


def floats(name: str, x: Tensor) -> tf.Tensor:
    """Returns an argument as a tensor of at least float32; what holds no numbers is refused.

    Raises:
        ValueError: The argument is no tensor of numbers.

    Example:
        >>> floats("logits", [1, 2]).dtype
        tf.float32
    """
    try:
        tensor = tf.convert_to_tensor(x)
    except (TypeError, ValueError):
        checks.refuse(name, "a tensor of numbers", x)
    if not (tensor.dtype.is_floating or tensor.dtype.is_integer):
        checks.refuse(name, "a tensor of numbers", x)
    return at_least_float32(tensor)


def cast(x: Tensor, dtype: tf.DType) -> tf.Tensor:
    """`x` in a floating dtype; a Python number keeps all its digits, where `tf.cast` rounds to float32.

    Example:
        >>> float(cast(0.1, tf.float64)), float(tf.cast(0.1, tf.float64))
        (0.1, 0.10000000149011612)
    """
    return tf.cast(tf.convert_to_tensor(x, dtype_hint=dtype), dtype)
