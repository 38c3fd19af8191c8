"""Decides whether an estimator is biased: samples grow until one side is certain.

An estimator is either biased, when the simultaneous confidence intervals of its mean gradient leave out the
exact one, or exact, when they lie within `smallest` of it. The probability of a wrong answer is at most
`error_probability`, whichever side is true. Biases between 0 and `smallest` may be decided either way.

The noise is randomised quasi-Monte Carlo. The estimators take all uniform noise from one function,
`noise.open_uniform`; here it returns points of a Sobol sequence, shifted at random. Each replicate has its
own shift, so it is an unbiased mean of its own, and the spread of the replicates gives the standard error.
That takes 4 to 400 times fewer samples than independent noise. Noise of any other source stays independent.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import scipy.stats
import tensorflow as tf

from tests.estimators import problems
from tf_discrete import estimators, seeds
from tf_discrete.distributions import noise as noise_lib
from tf_discrete.estimators import expectations

SMALLEST = 0.01
"""Share of the largest element of the exact gradient of an example."""
ERROR_PROBABILITY = 1e-4
REPLICATES = (32, 64, 128, 256, 512, 1024, 2048)
"""Numbers of replicates at which the decision is tried."""
POINTS = 4096
"""Of one replicate."""
_DIMENSIONS = 64


class Decision(NamedTuple):
    """A decision and what it rests on.

    Attributes:
        biased: whether a bias is seen; False if the gradient is exact within `smallest`; None if neither
            is certain after all replicates.
        bias: float64 [*B, N(, K)], mean minus exact gradient, as a share of the largest element of the
            exact gradient of the example.
        half_width: of the confidence intervals of `bias`.
        num_draws: gradients that were drawn.
    """

    biased: bool | None
    bias: np.ndarray
    half_width: np.ndarray
    num_draws: int


def decide(
    estimator: estimators.Estimator,
    objective_fn: Any,
    logits: tf.Tensor,
    *,
    smallest: float = SMALLEST,
    error_probability: float = ERROR_PROBABILITY,
    seed: int = 0,
) -> Decision:
    """Draws gradients of an estimator until it is biased or exact.

    Args:
        estimator: any.
        objective_fn: maps z [S, *B, N(, K)] to values [S, *B], of few enough configurations to enumerate.
        logits: float32 [*B, N(, K)].
        smallest: a bias that must be seen, as a share of the largest element of the gradient of an example.
        error_probability: of a wrong answer.
        seed: of the noise.
    """
    exact = _exact(estimator, objective_fn, logits)
    own = tuple(range(logits.shape.rank - estimator.event_rank, logits.shape.rank))
    scale = np.abs(exact).max(axis=own, keepdims=True)
    mean_gradient = _mean_gradient(estimator, objective_fn, logits)
    means: list[np.ndarray] = []
    # Two-sided intervals of all elements at all looks hold at once (Bonferroni).
    tail = error_probability / (2 * exact.size * len(REPLICATES))
    for count in REPLICATES:
        while len(means) < count:
            replicate = seeds.fold(seeds.base(seed), "replicate", len(means))
            means.append(mean_gradient(replicate).numpy().astype(np.float64))
        bias = (np.mean(means, axis=0) - exact) / scale
        error = np.std(means, axis=0, ddof=1) / np.sqrt(count) / scale
        rounding = 1e-5  # Of float32 sums; far below any bias of interest.
        half_width = scipy.stats.t.isf(tail, count - 1) * error + rounding
        for biased, certain in (
            (True, np.any(np.abs(bias) > half_width)),
            (False, np.all(np.abs(bias) + half_width < smallest)),
        ):
            if certain:
                return Decision(biased, bias, half_width, count * POINTS)
    return Decision(None, bias, half_width, count * POINTS)


def check_declaration(
    make: Callable[[float | None], estimators.Estimator],
    temperatures: Sequence[float | None],
    *,
    num_examples: int = 1,
) -> None:
    """Holds an estimator to its `spec.exact_for`, in both directions.

    It must be exact at every temperature that `spec.exact_temperatures` speaks of, and one degree above what
    it declares it must be biased at one of them.

    Args:
        make: makes the estimator at a temperature; None is its default.
        temperatures: that are tried; [None] of an estimator without a temperature.
        num_examples: points at which the gradient is taken.
    """
    latents, spec = make(None).latents, make(None).spec
    declared = problems.DEGREES[spec.exactness(latents)]
    if spec.exact_temperatures == "default":
        temperatures = [None]
    logits = problems.generic_logits(latents, tf.float32, batch=num_examples)

    def found(objective: str, temperature: float | None) -> Decision:
        f = problems.objective(objective, latents, tf.float32)
        return decide(make(temperature), f, logits)

    # The last of these, whose coefficients are random, has terms of all degrees below its own.
    exact = [name for name, degree in problems.OBJECTIVES.items() if degree <= declared]
    above = [name for name, degree in problems.OBJECTIVES.items() if degree == declared + 1]
    for objective in exact[-1:]:
        for temperature in temperatures:
            decision = found(objective, temperature)
            where = f"{objective} objective at temperature={temperature}: {decision}"
            assert decision.biased is not None, f"undecided for the {where}"
            assert not decision.biased, f"declared exact, yet biased for the {where}"
    for objective in above:
        decisions = (found(objective, temperature) for temperature in temperatures)
        assert any(decision.biased for decision in decisions), (
            f"declared biased, yet exact for the {objective} objective: the declaration is too modest"
        )


def _exact(estimator: estimators.Estimator, objective_fn: Any, logits: tf.Tensor) -> np.ndarray:
    """The gradient under the distribution of the estimator's samples."""
    found = expectations.exact_under(
        objective_fn, logits, estimator.distribution, 1, estimators.mean
    )
    return found.gradient.numpy().astype(np.float64)


def _mean_gradient(estimator: estimators.Estimator, objective_fn: Any, logits: tf.Tensor) -> Any:
    """A function of the seed: the mean gradient of one replicate, [*B, N(, K)]."""
    tiled = tf.broadcast_to(logits, [POINTS, *logits.shape])

    @tf.function(autograph=False)
    def mean_of(noise: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            tape.watch(tiled)
            value = estimator.estimate(objective_fn, tiled, noise).value
        gradient = tape.gradient(value, tiled, unconnected_gradients="zero")
        return tf.reduce_mean(gradient, axis=0)

    def replicate(seed: tf.Tensor) -> tf.Tensor:
        with _low_discrepancy():
            noise = estimator.draw_noise(seed, tiled, estimator.min_samples)
        return mean_of(noise)

    return replicate


@functools.cache
def _points() -> np.ndarray:
    return scipy.stats.qmc.Sobol(_DIMENSIONS, rng=0).random(POINTS).astype(np.float32)


@contextlib.contextmanager
def _low_discrepancy() -> Iterator[None]:
    """Replaces the uniform noise of tensors that have one axis for the points of a replicate.

    Noise of a new seed takes the next dimensions of the sequence; noise of a seed that was used before is the
    same again, so that an estimator which uses one seed twice is as wrong here as it is elsewhere.
    """
    independent = noise_lib.open_uniform
    dimensions: dict[bytes, slice] = {}
    used = 0

    def uniform(seed: Any, shape: Any, dtype: tf.DType = tf.float32) -> tf.Tensor:
        nonlocal used
        sizes = [int(size) for size in shape]
        key = np.asarray(seed).tobytes()
        needed = int(np.prod(sizes)) // POINTS
        if sizes.count(POINTS) != 1 or (key not in dimensions and used + needed > _DIMENSIONS):
            return independent(seed, shape, dtype)
        if key not in dimensions:
            dimensions[key] = slice(used, used + needed)
            used += needed
        points = _points()[:, dimensions[key]]
        shifted = np.mod(points + independent(seed, [1, points.shape[1]]).numpy(), 1.0)
        shifted = np.clip(shifted, 2.0**-26, 1.0 - 2.0**-24)
        axis = sizes.index(POINTS)
        others = [size for i, size in enumerate(sizes) if i != axis]
        return tf.cast(np.moveaxis(shifted.reshape([POINTS, *others]), 0, axis), dtype)

    noise_lib.open_uniform = uniform
    try:
        yield
    finally:
        noise_lib.open_uniform = independent
