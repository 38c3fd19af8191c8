"""MuProp: the score function with a first-order Taylor baseline and its correction."""

from __future__ import annotations

import tensorflow as tf

from tf_discrete.estimators import base, sampling, score
from tf_discrete.estimators.registry import register
from tf_discrete.types import Estimate


@register("muprop")
class MuProp(score.ScoreEstimator):
    """Subtracts the tangent of f at the mean of q, and adds its exact expectation.

    With m = E_q[z] (the probabilities) and h(z) = f(m) + f'(m) . (z - m),
    gradient = (f(z) - h(z)) * d log q(z) / d logits + f'(m) . d m / d logits. Unbiased for every
    objective, and without any variance where f is linear. Two evaluations a sample, one of them at the
    relaxed point m, with a backward pass.

    Args:
        latents: Kind of latents, see `tf_discrete.distributions.names()`.

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

    def _gradient(
        self, call: score.ScoreCall, z: tf.Tensor, estimate: Estimate
    ) -> score.ScoreGradient:
        distribution = self.distribution(call.logits)
        mean = tf.stop_gradient(distribution.probs)
        # As many copies of the mean as samples, for an inner layer draws its noise by their number.
        with tf.GradientTape() as tape:
            tape.watch(mean)
            control = call.evaluate(mean)
            total = tf.reduce_sum(control.value)
        slope = tf.convert_to_tensor(tape.gradient(total, mean, unconnected_gradients="zero"))
        event = list(range(-self.event_rank, 0))
        tangent = tf.reduce_sum(slope * (z - mean), axis=event)
        difference = tf.cast(estimate.per_sample - control.per_sample, call.logits.dtype)
        credit = sampling.expand(call.weight * difference - tangent, self.event_rank)
        return score.ScoreGradient(credit * distribution.score(z) + distribution.probs_vjp(slope))
