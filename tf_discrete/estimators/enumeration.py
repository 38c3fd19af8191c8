"""Exact enumeration: the expectation over all joint configurations, and its exact gradient."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tf_discrete import types
from tf_discrete.estimators import base
from tf_discrete.estimators.registry import register
from tf_discrete.types import Estimate, Reduction, Seed, Tensor


@register("enumeration")
class Enumeration(base.ScoreEstimator):
    """Evaluates the objective at every configuration and weighs it with its probability.

    Value and gradient are exact; nothing is drawn. The objective sees K**N (2**N) configurations.

    Args:
        latents: "categorical" or "bernoulli".
        max_configurations: refuse more than so many. Default: 1024.

    Example:
        >>> estimator = Enumeration()
        >>> logits = tf.constant([[0.0, 0.0]])
        >>> noise = estimator.draw_noise(None, logits)
        >>> float(estimator.estimate(lambda z: z[..., 0, 1], logits, noise).value)
        0.5
    """

    spec = base.Spec(
        supports=("categorical", "bernoulli"),
        exact_for="any",
        relaxed=False,
        noise="none",
        evaluations="K**N",
        min_samples=1,
        reductions=("mean",),
        reference="exact",
    )

    def __init__(self, latents: str = "categorical", max_configurations: int = 1024, **kwargs: Any):
        super().__init__(latents=latents, **kwargs)
        if max_configurations < 1:
            raise ValueError(
                "max_configurations must be at least 1. "
                f"Received: max_configurations={max_configurations!r}"
            )
        self.max_configurations = max_configurations

    def draw_noise(
        self, seed: Seed | None, logits: Tensor, num_samples: int | None = 1
    ) -> tf.Tensor:
        return tf.zeros([0])

    def estimate(
        self,
        objective_fn: base.ObjectiveFn,
        logits: Tensor,
        noise: Tensor,
        *,
        reduce: Reduction | None = base.mean,
        context: Tensor | None = None,
        control_fn: Callable[..., Tensor] | None = None,
        training: bool = False,
    ) -> Estimate:
        self.check(None, reduce)
        law = self.law(types.at_least_float32(logits))
        configurations = law.enumerate()
        count = configurations.shape[0]
        if count > self.max_configurations:
            raise ValueError(
                "Enumeration evaluates the objective at every joint configuration. Raise "
                "max_configurations, use fewer variables, or an estimator that samples. "
                f"Received: {count} configurations, max_configurations={self.max_configurations}"
            )
        lead = logits.shape.rank - self.event_rank
        for _ in range(lead):
            configurations = configurations[:, tf.newaxis]
        z = tf.broadcast_to(configurations, tf.concat([[count], tf.shape(logits)], axis=0))
        evaluation = base.evaluate(objective_fn, z, self.event_rank)
        if evaluation.reduction is not None:
            raise ValueError(
                "An inner layer of enumeration must keep the configurations apart. Give the inner call "
                f"reduce=None. Received: reduce={evaluation.reduction.__name__}"
            )
        weights = tf.exp(law.log_prob(z))
        value = _expectation(weights, evaluation.value)
        auxiliary = _expectation(tf.stop_gradient(weights), evaluation.auxiliary)
        return Estimate(value, auxiliary, evaluation.per_sample, evaluation.pathwise, base.mean)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "max_configurations": self.max_configurations}


def _expectation(weights: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
    """Weighted sum over configurations, in which those of probability 0 (masked) have no say."""
    return tf.reduce_sum(weights * tf.where(weights > 0, values, tf.zeros_like(values)), axis=0)
