"""Diagnostics: the bias and the spread of any estimator against the exact gradient.

For objectives small enough to enumerate: `measure` compares many samples with the exact gradient and says
what it could have seen. `exact_gradient` and `expected_gradient` are without any Monte Carlo error.
"""

from __future__ import annotations

import math
import statistics
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tf_discrete import seeds, types
from tf_discrete._internal import checks
from tf_discrete.estimators import base, expectations, reductions
from tf_discrete.estimators.expectations import Expectation as Expectation
from tf_discrete.estimators.expectations import exact_gradient as exact_gradient
from tf_discrete.estimators.expectations import expected_gradient as expected_gradient
from tf_discrete.types import Estimate, Reduction, Seed, Tensor


class Measurement(NamedTuple):
    """A comparison of many gradient samples of an estimator with the exact gradient.

    Attributes:
        exact: float64 [*B, N(, K)], the exact gradient for the logits.
        mean: float64 [*B, N(, K)], the mean of the sampled gradients.
        bias: mean - exact.
        standard_error: Standard error of the mean, for each element; never below what rounding leaves.
        z_scores: bias / standard_error.
        critical_z: largest |z| that chance explains, at the family-wise error over all elements.
        detectable_bias: for each element, the bias that exceeds `critical_z` with probability
            1 - family_wise_error.
        variance: Variance of one sampled gradient, for each element.
        total_variance: sum of `variance`, the trace of the covariance.
        signal_to_noise: norm of `mean` over the square root of `total_variance`.
        cosine: Cosine of the angle between `mean` and `exact`.
        num_gradients: Number of sampled gradients.
        num_evaluations: Number of evaluations of the objective, for one sampled gradient.
    """

    exact: np.ndarray
    mean: np.ndarray
    bias: np.ndarray
    standard_error: np.ndarray
    z_scores: np.ndarray
    critical_z: float
    detectable_bias: np.ndarray
    variance: np.ndarray
    total_variance: float
    signal_to_noise: float
    cosine: float
    num_gradients: int
    num_evaluations: int

    @property
    def is_biased(self) -> bool:
        """Returns whether some element's bias is larger than chance explains."""
        return bool(np.any(np.abs(self.z_scores) > self.critical_z))


def gradient_samples(
    estimator: base.Estimator,
    objective_fn: reductions.ObjectiveFn,
    logits: Tensor,
    seed: Seed,
    num_gradients: int,
    num_samples: int | None = None,
    *,
    reduce: Reduction = reductions.mean,
    chunk_size: int = 4096,
) -> tf.Tensor:
    """Returns independent samples of an estimator's gradient for the logits.

    Args:
        estimator: any.
        objective_fn: maps z [S, *B, N(, K)] to values [S, *B]; called with one more leading batch axis.
        logits: float [*B, N(, K)].
        seed: int32 [2].
        num_gradients: Number of samples of the gradient.
        num_samples: S of each gradient. Default: the fewest that the estimator takes.
        reduce: As in `Estimator.estimate`. Default: `mean`.
        chunk_size: Number of gradients that are sampled at once. Default: 4096.

    Returns:
        gradients: float [num_gradients, *B, N(, K)].

    Raises:
        ValueError: A number of gradients or a chunk size below 1, or too few samples for the estimator.

    Example:
        >>> from tf_discrete import estimators
        >>> estimator = estimators.get("gumbel_softmax", temperature=0.5)
        >>> gradient_samples(
        ...     estimator, lambda z: z[..., 0, 1] ** 2, tf.zeros([1, 3]), seeds.base(0), num_gradients=100
        ... ).shape
        TensorShape([100, 1, 3])
    """
    logits = types.at_least_float32(logits)
    num_gradients = checks.whole("num_gradients", num_gradients)
    chunk_size = checks.whole("chunk_size", chunk_size)
    samples = estimator.min_samples if num_samples is None else num_samples
    chunks = []
    for start in range(0, num_gradients, chunk_size):
        count = min(chunk_size, num_gradients - start)
        tiled = tf.broadcast_to(logits, tf.concat([[count], tf.shape(logits)], axis=0))
        noise = estimator.draw_noise(seeds.fold(seed, "diagnostics", start), tiled, samples)
        with tf.GradientTape() as tape:
            tape.watch(tiled)
            value = estimator.estimate(objective_fn, tiled, noise, reduce=reduce).value
        chunks.append(tape.gradient(value, tiled, unconnected_gradients="zero"))
    return tf.concat(chunks, axis=0)


def measure(
    estimator: base.Estimator,
    objective_fn: reductions.ObjectiveFn,
    logits: Tensor,
    seed: Seed,
    num_gradients: int = 10_000,
    num_samples: int | None = None,
    *,
    reduce: Reduction = reductions.mean,
    family_wise_error: float = 1e-6,
    chunk_size: int = 4096,
) -> Measurement:
    """Samples an estimator's gradient many times and compares it with the exact one.

    Args:
        estimator: any.
        objective_fn: maps z [S, *B, N(, K)] to values [S, *B]; called with one more leading batch axis.
        logits: float [*B, N(, K)].
        seed: int32 [2].
        num_gradients: Number of samples of the gradient, at least 2. Default: 10 000.
        num_samples: S of each gradient. Default: the fewest that the estimator takes.
        reduce: As in `Estimator.estimate`. Default: `mean`.
        family_wise_error: Probability that an unbiased estimator is called biased. Default: 1e-6.
        chunk_size: Number of gradients that are sampled at once. Default: 4096.

    Returns:
        measurement: see `Measurement`.

    Raises:
        ValueError: fewer than 2 gradients, of which there is no variance, an error probability outside of
            (0, 1), a chunk size below 1, or an objective too large to enumerate.

    Example:
        >>> from tf_discrete import estimators
        >>> def f(z):
        ...     return (z[..., 0, 1] - 0.4) ** 2
        >>> result = measure(estimators.get("score_function"), f, tf.zeros([1, 3]), seeds.base(0))
        >>> result.is_biased, result.num_evaluations
        (False, 2)
    """
    num_gradients = checks.whole("num_gradients", num_gradients, lowest=2)
    family_wise_error = checks.number("family_wise_error", family_wise_error, above=0, below=1)
    chunk_size = checks.whole("chunk_size", chunk_size)
    samples = estimator.min_samples if num_samples is None else num_samples
    exact_samples = 1 if reduce is reductions.mean else samples
    exact = expectations.exact_under(
        objective_fn, logits, estimator.distribution, exact_samples, reduce
    ).gradient
    evaluations = 0

    def counted(z: tf.Tensor) -> Tensor | Estimate:
        nonlocal evaluations
        evaluations += z.shape[0]
        return objective_fn(z)

    drawn = gradient_samples(
        estimator,
        counted,
        logits,
        seed,
        num_gradients,
        samples,
        reduce=reduce,
        chunk_size=chunk_size,
    )
    rounding = 64.0 * np.finfo(drawn.dtype.as_numpy_dtype).eps
    return _compare(
        drawn.numpy().astype(np.float64),
        exact.numpy().astype(np.float64),
        rounding,
        family_wise_error,
        evaluations // math.ceil(num_gradients / chunk_size),
    )


def _compare(
    drawn: np.ndarray,
    exact: np.ndarray,
    rounding: float,
    family_wise_error: float,
    num_evaluations: int,
) -> Measurement:
    mean, variance = drawn.mean(axis=0), drawn.var(axis=0, ddof=1)
    floor = rounding * np.sqrt(np.mean(drawn**2) + np.mean(exact**2)) + np.finfo(np.float64).tiny
    standard_error = np.sqrt(variance / len(drawn) + floor**2)
    quantile = statistics.NormalDist().inv_cdf
    critical_z = -quantile(family_wise_error / (2 * exact.size))
    norms = np.linalg.norm(mean) * np.linalg.norm(exact)
    return Measurement(
        exact=exact,
        mean=mean,
        bias=mean - exact,
        standard_error=standard_error,
        z_scores=(mean - exact) / standard_error,
        critical_z=critical_z,
        detectable_bias=(critical_z - quantile(family_wise_error)) * standard_error,
        variance=variance,
        total_variance=float(variance.sum()),
        signal_to_noise=float(np.linalg.norm(mean) / np.sqrt(variance.sum() + floor**2)),
        cosine=float(np.sum(mean * exact) / norms) if norms > 0 else math.nan,
        num_gradients=len(drawn),
        num_evaluations=num_evaluations,
    )
