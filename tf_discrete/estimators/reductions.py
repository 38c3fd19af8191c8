"""Reductions over samples, and an objective's answer brought to one form: an `Estimate`."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from tf_discrete import types
from tf_discrete.types import Estimate, Reduction, Tensor

ObjectiveFn = Callable[[Tensor], "Tensor | Estimate"]


def mean(values: Tensor) -> tf.Tensor:
    """Averages values [S, *B] over the samples, [*B]: with log p(x, z) / q(z | x) the ELBO.

    Example:
        >>> mean(tf.constant([[1.0], [3.0]])).numpy().tolist()
        [2.0]
    """
    return tf.reduce_mean(values, axis=0)


def log_mean_exp(values: Tensor) -> tf.Tensor:
    """Computes log mean exp of values [S, *B] over the samples, [*B]: the importance-weighted bound.

    Example:
        >>> log_mean_exp(tf.math.log([[1.0], [3.0]])).numpy().round(4).tolist()  # log 2
        [0.6930999755859375]

    Reference:
        Burda, Grosse, Salakhutdinov. Importance weighted autoencoders. 2015. arXiv:1509.00519.
    """
    count = tf.cast(tf.shape(values)[0], values.dtype)
    return tf.reduce_logsumexp(values, axis=0) - tf.math.log(count)


def evaluate(objective_fn: ObjectiveFn, z: Tensor, event_rank: int) -> Estimate:
    """Calls the objective and sorts out whether an inner layer has reduced the samples already."""
    result = objective_fn(z)
    samples_rank = z.shape.rank - event_rank
    if not isinstance(result, Estimate):
        values = types.at_least_float32(result)
        _check_rank(values, (samples_rank,), z)
        return Estimate(values, tf.zeros_like(values), tf.stop_gradient(values), True, None)
    _check_rank(result.value, (samples_rank, samples_rank - 1), z)
    if result.value.shape.rank == samples_rank:
        return result._replace(per_sample=tf.stop_gradient(result.value), reduction=None)
    return result


def reduced(evaluation: Estimate, reduce: Reduction | None) -> Estimate:
    """Applies `reduce` where no inner layer has done so."""
    inner = evaluation.reduction
    if inner is not None and reduce is not inner:
        raise ValueError(
            "Nested stochastic layers must be given one and the same reduction. Pass the outer one "
            f"to the inner call. Received: reduce={_name(reduce)}, of the inner layer {_name(inner)}"
        )
    if reduce is None or reduce is inner:
        return evaluation
    if reduce is not mean and not evaluation.pathwise:
        raise ValueError(
            "A non-linear reduction over the unreduced estimate of an inner score layer would give the "
            "right value and a wrong gradient. Give the inner layer the same reduction and draw its "
            f"noise with num_samples=None. Received: reduce={_name(reduce)}"
        )
    return Estimate(
        reduce(evaluation.value),
        mean(evaluation.auxiliary),
        evaluation.per_sample,
        evaluation.pathwise,
        reduce,
    )


def _check_rank(values: Tensor, ranks: tuple[int, ...], z: Tensor) -> None:
    if values.shape.rank not in ranks:
        raise ValueError(
            "objective_fn must return one value for each sample and example, [S, *B]; do not average "
            f"inside it. Received: values of shape {values.shape} for z of shape {z.shape}"
        )


def _name(reduce: Reduction | None) -> str:
    return "None" if reduce is None else reduce.__name__
