"""Exact expectations and gradients, summed over all configurations: the truth that estimators aim at.

`exact_gradient` is that of an objective; `expected_gradient` that of an estimator, over all that it can draw
where its noise is discrete. Neither has a Monte Carlo error.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from tf_discrete import distributions, types
from tf_discrete.distributions import discrete
from tf_discrete.distributions.configurations import MAX_CONFIGURATIONS
from tf_discrete.estimators import base, reductions
from tf_discrete.types import Reduction, Tensor


class Expectation(NamedTuple):
    """An expectation and its gradient, summed over all configurations.

    Attributes:
        value: float [*B].
        gradient: float [*B, N(, K)], for the logits.
        variable_gradients: for each of the `variables`, in its shape, summed over *B.
    """

    value: tf.Tensor
    gradient: tf.Tensor
    variable_gradients: list[tf.Tensor]


def exact_gradient(
    objective_fn: reductions.ObjectiveFn,
    logits: Tensor,
    latents: str = "categorical",
    *,
    num_samples: int = 1,
    reduce: Reduction = reductions.mean,
    variables: Sequence[keras.Variable] = (),
) -> Expectation:
    """Returns E[reduce(f(z_1), ..., f(z_S))] over independent z_s, and its gradient, by enumeration.

    Args:
        objective_fn: maps z [S, *B, N(, K)] to values [S, *B]; it is called with one more leading
            batch axis, over which all configurations are laid out.
        logits: float [*B, N(, K)], -inf where masked.
        latents: Kind of latents, see `tf_discrete.distributions.names()`.
        num_samples: S. Default: 1.
        reduce: Reduction of the samples. Default: `mean`, for which S makes no difference.
        variables: that the objective reads and whose gradients are wanted too. Default: none.

    Returns:
        expectation: value and gradients, in float64 if the logits are.

    Raises:
        ValueError: for more than `MAX_CONFIGURATIONS` S-tuples of configurations.

    Example:
        >>> logits = tf.math.log([[0.25, 0.75]])
        >>> exact = exact_gradient(lambda z: z[..., 0, 1], logits)
        >>> round(float(exact.value), 4), exact.gradient.numpy().round(4).tolist()
        (0.75, [[-0.1875, 0.1875]])
    """
    return exact_under(
        objective_fn, logits, distributions.get(latents), num_samples, reduce, variables
    )


def expected_gradient(
    estimator: base.Estimator,
    objective_fn: reductions.ObjectiveFn,
    logits: Tensor,
    num_samples: int | None = None,
    *,
    reduce: Reduction = reductions.mean,
    variables: Sequence[keras.Variable] = (),
) -> Expectation:
    """Returns the exact expectation of an estimator's value and gradient over all the noise it can draw.

    Args:
        estimator: whose noise is "discrete" (or "none") by its `spec`.
        objective_fn: As in `exact_gradient`.
        logits: float [*B, N(, K)].
        num_samples: S of one estimate. Default: the fewest that the estimator takes.
        reduce: As in `Estimator.estimate`. Default: `mean`.
        variables: that the objective reads and whose gradients are wanted too. Default: none.

    Returns:
        expectation: value and gradients, in float64 if the logits are.

    Raises:
        ValueError: for an estimator of continuous noise, or too many S-tuples of configurations.

    Example:
        >>> from tf_discrete import estimators
        >>> def f(z):
        ...     return tf.reduce_sum(z[..., 0, :] * [0.0, 1.0], axis=-1) ** 3
        >>> logits = tf.math.log([[0.25, 0.75]])
        >>> for name in ("score_function", "straight_through"):  # unbiased, biased
        ...     result = expected_gradient(estimators.get(name), f, logits)
        ...     print(round(float(result.gradient[0, 1]), 4))
        0.1875
        0.4219
    """
    logits = types.at_least_float32(logits)
    samples = estimator.min_samples if num_samples is None else num_samples
    if estimator.spec.noise == "continuous":
        raise ValueError(
            "expected_gradient enumerates discrete noise. Use measure, which draws. "
            f"Received: estimator={type(estimator).__name__}, spec.noise='continuous'"
        )
    with tf.GradientTape() as tape:
        tape.watch(logits)
        if estimator.spec.noise == "none":
            noise = estimator.draw_noise(None, logits, samples)
            weights = tf.ones([], logits.dtype)
            values = estimator.estimate(objective_fn, logits, noise, reduce=reduce).value
            value = values
        else:
            distribution = estimator.distribution(logits)
            noise = _tuples(distribution, logits, samples)
            weights = tf.stop_gradient(_probability(distribution, noise))
            lead, event = (
                noise.shape[1 : -distribution.event_rank],
                logits.shape[-distribution.event_rank :],
            )
            tiled = tf.broadcast_to(logits, [*lead, *event])
            values = estimator.estimate(objective_fn, tiled, noise, reduce=reduce).value
            value = tf.reduce_sum(weights * values, axis=0)
        total = tf.reduce_sum(value)
    return _differentiate(tape, total, value, logits, variables)


def exact_under(
    objective_fn: reductions.ObjectiveFn,
    logits: Tensor,
    law_fn: Callable[[Tensor], discrete.Discrete],
    num_samples: int,
    reduce: Reduction,
    variables: Sequence[keras.Variable] = (),
) -> Expectation:
    """`exact_gradient` under the distribution that `law_fn` makes of the logits."""
    logits = types.at_least_float32(logits)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        distribution = law_fn(logits)
        z = _tuples(distribution, logits, num_samples)
        weights = _probability(distribution, z)
        values = reductions.reduced(
            reductions.evaluate(objective_fn, z, distribution.event_rank), reduce
        ).value
        possible = tf.where(weights > 0, values, tf.zeros_like(values))
        value = tf.reduce_sum(weights * possible, axis=0)
        total = tf.reduce_sum(value)
    return _differentiate(tape, total, value, logits, variables)


def _differentiate(
    tape: tf.GradientTape,
    total: tf.Tensor,
    value: tf.Tensor,
    logits: tf.Tensor,
    variables: Sequence[keras.Variable],
) -> Expectation:
    gradient, *others = tape.gradient(
        total, [logits, *variables], unconnected_gradients=tf.UnconnectedGradients.ZERO
    )
    return Expectation(value, gradient, others)


def _tuples(distribution: discrete.Discrete, logits: tf.Tensor, num_samples: int) -> tf.Tensor:
    """Returns all S-tuples of configurations, [S, tuples, *B, N(, K)]."""
    configurations = distribution.enumerate()
    count = configurations.shape[0] ** num_samples
    if count > MAX_CONFIGURATIONS:
        raise ValueError(
            f"At most {MAX_CONFIGURATIONS} tuples of configurations are enumerated. Use fewer "
            "samples, variables or categories, or measure, which draws. Received: "
            f"num_samples={num_samples} of {configurations.shape[0]} configurations, which makes {count}"
        )
    index = np.array(list(itertools.product(range(configurations.shape[0]), repeat=num_samples))).T
    tuples = tf.gather(configurations, index)
    for _ in range(logits.shape.rank - distribution.event_rank):
        tuples = tuples[:, :, tf.newaxis]
    lead, event = logits.shape[: -distribution.event_rank], configurations.shape[1:]
    return tf.broadcast_to(tuples, [num_samples, count, *lead, *event])


def _probability(distribution: discrete.Discrete, z: tf.Tensor) -> tf.Tensor:
    """Returns the probability of each tuple, [tuples, *B]."""
    return tf.exp(tf.reduce_sum(distribution.log_prob(z), axis=0))
