"""DAPS: policy search. Samples are weighted by a softmax of their returns, not by the returns themselves."""

from __future__ import annotations

import math
from typing import Any

import keras
import tensorflow as tf

from tf_discrete._internal import checks
from tf_discrete.estimators import base, sampling, score
from tf_discrete.estimators.registry import register
from tf_discrete.schedules import ScheduledVariable
from tf_discrete.types import Config, Estimate, ScheduleLike, Tensor, cast


@register("daps")
class DAPS(score.ScoreEstimator):
    """Moves q towards the better of its samples, with weights that a trust region keeps from one sample.

        a_s = (f(z_s) - beta log q(z_s)) / (eta + beta),  w = softmax(a_1, ..., a_S),  beta = entropy_weight
        gradient = (eta + beta) S / (S - 1) sum_s (w_s - 1 / S) d log q(z_s)/dlogits - beta dH(q)/dlogits

    In the paper the encoder maximises sum_s w_s log q(z_s): q moves towards q exp((f - beta log q) / (eta +
    beta)), the best distribution near q for E[f] + beta H. This is that gradient, in the units of f and less
    its entropy part, which the loss has exactly: with the KL to a uniform prior of weight beta in the loss,
    as `objectives.elbo` adds it with kl_weight = entropy_weight, the sum is the paper's direction. The 1 / S
    has no effect on the mean. The gradient is that of E[f] in the limit of a large eta, and biased for
    every objective else: the smaller eta, the more it is the gradient of the best sample. Where q is
    proportional to exp(f / beta), the optimum of E[f] + beta H, the weights are equal and the sum is 0 for
    every set of samples, whatever eta is.

    log eta is learned: it keeps the mean effective sample size 1 / sum_s w_s^2 of the batch, between 1 and S,
    at 1 + ess_target (S - 1). (The paper gives it as a share of S: 0.33 of 8 samples is an `ess_target` of
    0.234.) One evaluation a sample, at least 2 samples; f needs no derivative.

    Args:
        latents: Kind of latents, see `tf_discrete.distributions.names()`.
        ess_target: Number in (0, 1), effective sample size: 0 is that of one sample, 1 that of all.
            Default: 0.25.
        entropy_weight: Positive float or schedule, beta: the weight of the KL in the loss. Default: 1.0.
        initial_eta: Positive number, eta before training; the authors start from 100. Default: 1.0.

    Raises:
        ValueError: an argument out of range.

    Example:
        >>> from tf_discrete import seeds
        >>> estimator, logits = DAPS(), tf.zeros([3, 5, 4])
        >>> noise = estimator.draw_noise(seeds.base(0), logits, num_samples=8)
        >>> estimate = estimator.estimate(lambda z: tf.reduce_sum(z[..., 0], -1), logits, noise)
        >>> estimate.value.shape, estimate.auxiliary.shape
        (TensorShape([3]), TensorShape([3]))

    Reference:
        Drolet, Al-Hafez, Bhatt, Peters, Arenz. Discrete variational autoencoding via policy search. 2025.
        arXiv:2509.24716.
    """

    spec = base.Spec(
        exact_for="none",
        relaxed=False,
        noise="discrete",
        evaluations="1",
        min_samples=2,
        reductions=("mean",),
        reference="Drolet, Al-Hafez, Bhatt, Peters, Arenz 2025, arXiv:2509.24716",
    )

    def __init__(
        self,
        latents: str = "categorical",
        ess_target: float = 0.25,
        entropy_weight: ScheduleLike = 1.0,
        initial_eta: float = 1.0,
        **kwargs: Any,
    ):
        super().__init__(latents=latents, **kwargs)
        self.ess_target = checks.number("ess_target", ess_target, above=0.0, below=1.0)
        self.entropy_weight = ScheduledVariable(
            entropy_weight, name="entropy_weight", positive=True
        )
        self.initial_eta = checks.positive("initial_eta", initial_eta)
        start = keras.initializers.Constant(math.log(self.initial_eta))
        self.log_eta = self.add_weight(shape=(), initializer=start, name="log_eta")

    def _gradient(
        self, call: score.ScoreCall, z: tf.Tensor, estimate: Estimate
    ) -> score.ScoreGradient:
        distribution = self.distribution(call.logits)
        beta = cast(self.entropy_weight.value, call.logits.dtype)
        returns = estimate.per_sample - beta * distribution.log_prob(z)
        step_size = tf.exp(cast(tf.convert_to_tensor(self.log_eta), beta.dtype)) + beta
        weights, excess = sample_weights(tf.stop_gradient(returns) / step_size)
        count = tf.cast(tf.shape(returns)[0], returns.dtype)
        # Under `mean` one sample has 1 / S of the value, so its part of the gradient is S times as large.
        credit = call.weight * step_size * count * count / (count - 1.0) * excess
        gradient = sampling.expand(credit, self.event_rank) * distribution.score(z)
        gradient -= call.weight * beta * self._entropy_gradient(call.logits)
        ess = 1.0 / tf.reduce_sum(tf.square(weights), axis=0)
        loss = tf.square((tf.reduce_mean(ess) - 1.0) / (count - 1.0) - self.ess_target)
        return score.ScoreGradient(
            tf.stop_gradient(gradient), loss * tf.ones_like(estimate.per_sample)
        )

    def _entropy_gradient(self, logits: tf.Tensor) -> tf.Tensor:
        logits = tf.stop_gradient(logits)
        with tf.GradientTape() as tape:
            tape.watch(logits)
            entropy = self.distribution(logits).entropy()
        return tape.gradient(entropy, logits)

    def get_config(self) -> Config:
        return {
            **super().get_config(),
            "ess_target": self.ess_target,
            "entropy_weight": self.entropy_weight.get_config()["schedule"],
            "initial_eta": self.initial_eta,
        }


def sample_weights(returns: Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the softmax over the samples, and by how much it exceeds 1 / S, both float [S, *B].

    The excess keeps its digits where the returns differ little.

    Example:
        >>> weights, excess = sample_weights(tf.math.log([[1.0], [3.0]]))
        >>> weights.numpy().round(2).tolist(), excess.numpy().round(2).tolist()
        ([[0.25], [0.75]], [[-0.25], [0.25]])
    """
    returns = tf.convert_to_tensor(returns)
    below = tf.math.expm1(returns - tf.reduce_max(returns, axis=0, keepdims=True))
    total = tf.reduce_sum(1.0 + below, axis=0, keepdims=True)
    mean = tf.reduce_mean(below, axis=0, keepdims=True)
    return (1.0 + below) / total, (below - mean) / total
