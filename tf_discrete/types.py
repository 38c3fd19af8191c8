"""Shared type names and result tuples."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import tensorflow as tf

from tf_discrete._internal import checks

Tensor: TypeAlias = Any
"""A `tf.Tensor`, or anything that `tf.convert_to_tensor` takes."""

Seed: TypeAlias = Any
"""An int32 tensor of shape [2]: the seed of one stateless draw (see `tf_discrete.seeds`)."""

Reduction: TypeAlias = "Callable[[Tensor], Tensor]"
"""Maps values [S, *B] of S samples to one value [*B]: `estimators.mean`, `estimators.log_mean_exp`."""


class Sample(NamedTuple):
    """A reparameterised sample of discrete latents, as pathwise estimators make it.

    Attributes:
        value: float [S, *B, N(, K)], what the next network reads; carries the gradient.
        code: int32 [S, *B, N], the discrete configuration that was drawn.
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
    terms: dict[str, Any]
    encoded: Any = None


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
