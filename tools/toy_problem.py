"""The toy problem of REBAR and RELAX: minimise E[(b - t)^2] over the logit of one bit, seconds to run.

Its categorical analogue gives category k of K the value v_k = k / (K - 1): minimise E[(v - t)^2]. With
K = 2 that is the bit again. At t = 0.45 the losses of the two bits differ by 0.1, at t = 0.499 by 0.002,
so that a noisy or biased gradient cannot tell them apart.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from tf_discrete import distributions, estimators, seeds
from tf_discrete.estimators import diagnostics
from tf_discrete.schedules import scheduled_values

LATENTS = ("bernoulli", "categorical")
RATES = {"logits": 0.02, "learned": 0.002}


class Curve(NamedTuple):
    """One estimator on one problem, at several steps of its own training.

    Attributes:
        steps: int [P].
        loss: float [P], the exact expectation of the objective under the distribution that is drawn.
        variance: float [P], of one gradient, the sum over the logits.
        evaluations: of the objective for one gradient.
    """

    steps: np.ndarray
    loss: np.ndarray
    variance: np.ndarray
    evaluations: int


def objective(target: float, latents: str) -> Callable[[tf.Tensor], tf.Tensor]:
    """(v(z) - target)^2 of one variable: z [..., 1] with v = z, or z [..., 1, K] with v_k = k / (K - 1)."""
    kind = distributions.get(latents)

    def evaluate(z: tf.Tensor) -> tf.Tensor:
        categories = kind.over_categories(z)[..., 0, :]
        values = tf.linspace(tf.zeros([], z.dtype), tf.ones([], z.dtype), categories.shape[-1])
        return (tf.reduce_sum(categories * values, axis=-1) - target) ** 2

    return evaluate


def train(
    name: str,
    latents: str,
    target: float,
    num_categories: int = 10,
    steps: int = 2000,
    points: int = 20,
    draws: int = 1000,
    seed: int = 0,
) -> Curve:
    """Trains the logits, and what the estimator learns, by Adam from the uniform distribution.

    Args:
        name: of the estimator.
        latents: "bernoulli" or "categorical".
        target: t.
        num_categories: K of the categorical problem.
        steps: of training, each with one gradient of the fewest samples that the estimator takes.
        points: at which loss and variance are measured, and the start.
        draws: of the gradient for each variance.
        seed: of all draws and initial weights.
    """
    keras.utils.set_random_seed(seed)
    estimator = estimators.get(name, latents=latents)
    f = objective(target, latents)
    event = distributions.get(latents).logits_shape(1, num_categories)
    logits = tf.Variable(tf.zeros([1, *event]))
    estimator.build(tf.TensorShape([1, *event]))
    learned = [variable.value for variable in estimator.trainable_variables]
    optimizers = [keras.optimizers.Adam(rate) for rate in RATES.values()]
    for optimizer, variables in zip(optimizers, ([logits], learned), strict=True):
        optimizer.build(variables)
    every = steps // points

    @tf.function
    def advance(start: tf.Tensor) -> None:
        for step in tf.range(start, start + every):
            for value in scheduled_values(estimator):
                value.update(step)
            with tf.GradientTape() as tape:
                drawn = estimator.draw_noise(
                    seeds.fold(seeds.base(seed), "train", step), logits, estimator.min_samples
                )
                estimate = estimator.estimate(f, tf.convert_to_tensor(logits), drawn, training=True)
                loss = tf.reduce_sum(estimate.value) + tf.reduce_sum(estimate.auxiliary)
            ours, *theirs = tape.gradient(loss, [logits, *learned], unconnected_gradients="zero")
            optimizers[0].apply_gradients([(ours, logits)])
            if learned:
                optimizers[1].apply_gradients(zip(theirs, learned, strict=True))

    seen: list[tuple[float, float]] = []
    for point in range(points + 1):
        if point:
            advance(tf.constant((point - 1) * every))
        measured = diagnostics.measure(
            estimator,
            f,
            logits,
            seeds.fold(seeds.base(seed), "look", point),
            draws,
            chunk_size=draws,
        )
        distribution: Any = estimator.distribution(tf.convert_to_tensor(logits))
        loss = float(diagnostics.exact_gradient(f, distribution.logits, latents).value[0])
        seen.append((loss, measured.total_variance))
    loss, variance = np.array(seen).T
    return Curve(every * np.arange(points + 1), loss, variance, measured.num_evaluations)
