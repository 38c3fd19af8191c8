"""`ScoreEstimator`: the estimators that need the objective in hand, and what their calls have in common."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from tf_discrete.estimators import backward, base, reductions, sampling
from tf_discrete.types import Estimate, Reduction, Tensor


@dataclasses.dataclass(frozen=True)
class ScoreCall:
    """One call of `ScoreEstimator.estimate`, with checked arguments.

    Attributes:
        objective_fn: As in `Estimator.estimate`.
        given: float [*B, *logits_shape], the logits as they were given, of at least float32.
        logits: float [S, *B, *logits_shape], the same for each sample.
        noise: As in `Estimator.estimate`, likewise `reduce`, `context`, `control_fn` and `training`.
        event_rank: Number of axes of one value.
    """

    objective_fn: reductions.ObjectiveFn
    given: tf.Tensor
    logits: tf.Tensor
    noise: tf.Tensor
    reduce: Reduction | None
    context: Tensor | None
    control_fn: Callable[..., Tensor] | None
    training: bool
    event_rank: int

    def evaluate(self, z: Tensor) -> Estimate:
        """Evaluates the objective at values [S, *B, *value_shape] and reduces the samples."""
        return reductions.reduced(
            reductions.evaluate(self.objective_fn, z, self.event_rank), self.reduce
        )

    @property
    def weight(self) -> tf.Tensor:
        """Returns the weight of one sample's gradient in the estimate: 1 / S under `mean`, else 1."""
        return sampling.sample_weight(self.noise, self.reduce, self.logits.dtype)


class ScoreGradient(NamedTuple):
    """The gradient that a score estimator adds to the value of the objective.

    Attributes:
        logits: float [S, *B, *logits_shape], the gradient for `ScoreCall.logits`; not differentiated.
        auxiliary: float [S, *B], minimised too; None where nothing is learned.
    """

    logits: tf.Tensor
    auxiliary: tf.Tensor | None = None


class ScoreEstimator(base.Estimator):
    """An estimator that needs the objective: only `estimate`. A layer refuses it.

    A subclass supplies `_gradient`, and `_sample` where its noise is not the sample itself. What is given to
    `estimate` is checked, widened and broadcast to the samples here; here the objective is evaluated and
    reduced, and the gradient attached to its value.
    """

    family = "score"

    def estimate(
        self,
        objective_fn: reductions.ObjectiveFn,
        logits: Tensor,
        noise: Tensor,
        *,
        reduce: Reduction | None = reductions.mean,
        context: Tensor | None = None,
        control_fn: Callable[..., Tensor] | None = None,
        training: bool = False,
    ) -> Estimate:
        self.check(self._num_samples(noise), reduce)
        wide = self._wide(logits)
        return self._estimate(
            ScoreCall(
                objective_fn,
                wide,
                wide,
                noise,
                reduce,
                context,
                control_fn,
                training,
                self.event_rank,
            )
        )

    def _num_samples(self, noise: Tensor) -> int | None:
        """S of the noise; None where it does not depend on S."""
        return noise.shape[0]

    def _estimate(self, call: ScoreCall) -> Estimate:
        """The estimate of a call whose logits are those given; for estimators of more than one sample."""
        call = self._tiled(call)
        z = self._sample(call)
        estimate = call.evaluate(z)
        return self._attach(call, estimate, self._gradient(call, z, estimate))

    def _sample(self, call: ScoreCall) -> tf.Tensor:
        """The values at which the objective is evaluated, [S, *B, *value_shape]. Default: the noise."""
        return call.noise

    def _gradient(self, call: ScoreCall, z: tf.Tensor, estimate: Estimate) -> ScoreGradient:
        """Returns the gradient for the logits.

        Args:
            call: The call.
            z: What `_sample` returned.
            estimate: The objective at `z`, reduced, without a gradient for the logits.
        """
        raise NotImplementedError

    def _tiled(self, call: ScoreCall) -> ScoreCall:
        """Returns the call with its logits for each sample of the noise."""
        return dataclasses.replace(call, logits=self._tile(call.given, call.noise))

    def _attach(self, call: ScoreCall, estimate: Estimate, gradient: ScoreGradient) -> Estimate:
        """Returns the estimate with a gradient for `call.logits`."""
        auxiliary, extra = estimate.auxiliary, gradient.auxiliary
        if extra is not None:
            auxiliary += extra if call.reduce is None else reductions.mean(extra)
        value = backward.attach(estimate.value, call.logits, gradient.logits, self.event_rank)
        return estimate._replace(value=value, auxiliary=auxiliary, pathwise=False)
