"""MuProp: the score function with a first-order Taylor baseline and its correction."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from tf_discrete import types
from tf_discrete.estimators import backward, base, sampling
from tf_discrete.estimators.registry import register
from tf_discrete.types import Estimate, Reduction, Seed, Tensor


@register("muprop")
class MuProp(base.ScoreEstimator):
    """Subtracts the tangent of f at the mean of q, and adds its exact expectation.

    With m = E_q[z] (the probabilities) and h(z) = f(m) + f'(m) . (z - m),
    gradient = (f(z) - h(z)) * d log q(z) / d logits + f'(m) . d m / d logits. Unbiased for every
    objective, and without any variance where f is linear. Two evaluations a sample, one of them at the
    relaxed point m, with a backward pass.

    Args:
        latents: "categorical" or "bernoulli".

    Example:
        >>> from tf_discrete import seeds
        >>> estimator, logits = MuProp(), tf.zeros([3, 5, 4])
        >>> noise = estimator.draw_noise(seeds.base(0), logits)
        >>> estimator.estimate(lambda z: tf.reduce_sum(z[..., 0], -1), logits, noise).value.shape
        TensorShape([3])

    Reference:
        Gu, Levine, Sutskever, Mnih. MuProp: unbiased backpropagation for stochastic neural networks.
        2015. arXiv:1511.05176.
    """

    spec = base.Spec(
        exact_for="any",
        relaxed=False,
        noise="discrete",
        evaluations="2",
        min_samples=1,
        reductions=("mean",),
        reference="Gu, Levine, Sutskever, Mnih 2015, arXiv:1511.05176",
    )

    def draw_noise(self, seed: Seed, logits: Tensor, num_samples: int | None = 1) -> tf.Tensor:
        return sampling.draw_codes(self.law(logits), seed, num_samples)

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
        self.check(noise.shape[0], reduce)
        logits = tf.broadcast_to(types.at_least_float32(logits), tf.shape(noise))
        law = self.law(logits)
        estimate = base.reduced(base.evaluate(objective_fn, noise, self.event_rank), reduce)
        mean = tf.stop_gradient(law.probs)
        # As many copies of the mean as samples, for an inner layer draws its noise by their number.
        with tf.GradientTape() as tape:
            tape.watch(mean)
            control = base.reduced(base.evaluate(objective_fn, mean, self.event_rank), reduce)
            total = tf.reduce_sum(control.value)
        slope = tf.convert_to_tensor(tape.gradient(total, mean, unconnected_gradients="zero"))
        weight = sampling.sample_weight(noise, reduce, logits.dtype)
        event = list(range(-self.event_rank, 0))
        tangent = tf.reduce_sum(slope * (noise - mean), axis=event)
        credit = weight * tf.cast(estimate.per_sample - control.per_sample, logits.dtype) - tangent
        gradient = sampling.expand(credit, self.event_rank) * law.score(noise)
        gradient += law.probs_vjp(slope)
        value = backward.attach(estimate.value, logits, gradient, self.event_rank)
        return estimate._replace(value=value, pathwise=False)
