"""Exact enumeration: the expectation over all joint configurations, and its exact gradient."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tf_discrete._internal import checks
from tf_discrete.estimators import base, per_variable, reductions, score
from tf_discrete.estimators.registry import register
from tf_discrete.types import Config, Estimate, Seed, Tensor


@register("enumeration")
class Enumeration(score.ScoreEstimator):
    """Evaluates the objective at every configuration and weighs it with its probability.

    Value and gradient are exact; nothing is drawn. The objective sees K**N (2**N) configurations, with a
    backward pass through all, so time and memory grow with K**N.

    With `mode="per_variable"` the gradient for a variable is the expectation over its own categories,
    with the others at a sample, and the value is f at the sample: unbiased for every objective, exact for
    one variable. It takes 1 + N (K - 1) evaluations a sample, all but the first without a backward pass;
    their inputs take N**2 K**2 numbers a sample.

    Args:
        latents: Kind of latents, see `tf_discrete.distributions.names()`.
        max_configurations: Maximum number of evaluations per sample. Default: 1024.
        mode: "joint" or "per_variable". Default: "joint".

    Raises:
        ValueError: when it is called, too many configurations; the message has their numbers.

    Example:
        >>> estimator = Enumeration()
        >>> logits = tf.constant([[0.0, 0.0]])
        >>> noise = estimator.draw_noise(None, logits)
        >>> float(estimator.estimate(lambda z: z[..., 0, 1], logits, noise).value)
        0.5

    Reference:
        Titsias, Lazaro-Gredilla. Local expectation gradients for black box variational inference. 2015.
        arXiv:1503.01494.
    """

    spec = base.Spec(
        exact_for="any",
        relaxed=False,
        noise="none",
        evaluations="K**N; per variable 1 + N(K-1)",
        min_samples=1,
        reductions=("mean",),
        reference="exact",
    )

    def __init__(
        self,
        latents: str = "categorical",
        max_configurations: int = 1024,
        mode: str = "joint",
        **kwargs: Any,
    ):
        super().__init__(latents=latents, **kwargs)
        self.max_configurations = checks.whole("max_configurations", max_configurations)
        self.mode = checks.choice("mode", mode, ("joint", "per_variable"))
        if mode == "per_variable":
            self.spec = self.spec._replace(noise="discrete", evaluations="1 + N(K-1)")

    def _draw(self, seed: Seed | None, logits: tf.Tensor, num_samples: int | None) -> tf.Tensor:
        if self.mode == "joint":
            return tf.zeros([0])
        self._check_budget(logits)
        return self._draw_codes(seed, logits, num_samples)

    def _num_samples(self, noise: Tensor) -> int | None:
        return None if self.mode == "joint" else noise.shape[0]

    def _estimate(self, call: score.ScoreCall) -> Estimate:
        if not self._check_budget(call.logits):
            call = self._tiled(call)
            z = self.kind.over_categories(call.noise)
            distribution, summed = self.distribution(call.logits), z.shape[-1] - 1
            return self._attach(call, *per_variable.evaluate(call, distribution, z, summed))
        distribution = self.distribution(call.logits)
        configurations = distribution.enumerate()
        count = configurations.shape[0]
        for _ in range(call.logits.shape.rank - self.event_rank):
            configurations = configurations[:, tf.newaxis]
        lead = tf.shape(call.logits)[: -self.event_rank]
        event = configurations.shape[-self.event_rank :]
        z = tf.broadcast_to(configurations, tf.concat([[count], lead, event], axis=0))
        weights = tf.exp(distribution.log_prob(z))
        # An objective may have no value at a masked category; where nothing is weighed, the mode will do.
        possible = weights > 0
        for _ in range(self.event_rank):
            possible = possible[..., tf.newaxis]
        z = tf.where(possible, z, tf.stop_gradient(distribution.mode()))
        evaluation = reductions.evaluate(call.objective_fn, z, self.event_rank)
        if evaluation.reduction is not None:
            raise ValueError(
                "An inner layer of enumeration must keep the configurations apart. Give the inner call "
                f"reduce=None. Received: reduce={evaluation.reduction.__name__}"
            )
        value = _expectation(weights, evaluation.value)
        auxiliary = _expectation(tf.stop_gradient(weights), evaluation.auxiliary)
        return Estimate(
            value, auxiliary, evaluation.per_sample, evaluation.pathwise, reductions.mean
        )

    def get_config(self) -> Config:
        return {
            **super().get_config(),
            "max_configurations": self.max_configurations,
            "mode": self.mode,
        }

    def _check_budget(self, logits: Tensor) -> bool:
        """Returns whether the configurations are listed jointly."""
        sizes = self.kind.static_sizes(logits)
        return per_variable.is_joint(self.mode, sizes, sizes[1] - 1, self.max_configurations)


def _expectation(weights: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
    """Computes a sum over configurations, to which those of probability 0 (masked) contribute nothing."""
    return tf.reduce_sum(weights * tf.where(weights > 0, values, tf.zeros_like(values)), axis=0)
