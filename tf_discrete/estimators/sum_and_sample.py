"""Sum-and-sample: the most probable configurations exactly, one sample for the rest."""

from __future__ import annotations

import dataclasses
from typing import Any

import tensorflow as tf

from tf_discrete._internal import checks
from tf_discrete.distributions import noise as noise_lib
from tf_discrete.estimators import base, per_variable, reductions, sampling, score
from tf_discrete.estimators.registry import register
from tf_discrete.types import Config, Estimate, Seed, Tensor


@register("sum_and_sample")
class SumAndSample(score.ScoreEstimator):
    """Sums over the k most probable joint configurations, and samples from all others.

    With C these configurations, and z' drawn from q restricted to the others, whose probability is
    1 - q(C),
    value = sum over c in C of q(c) f(c) + (1 - q(C)) f(z'),
    gradient = sum over c in C of q(c) (f(c) - b) s(c) + (1 - q(C)) (f(z') - b) s(z'), where
    s(z) = d log q(z) / d logits and b is the mean of f over C under q. Unbiased for every objective, value
    and gradient, with no more variance than one plain sample has; with k = all it is enumeration, and
    nothing is drawn. k + S evaluations for S samples of the rest. The probabilities of all K**N
    configurations are listed, so noise and memory grow with K**N.

    Where these are too many, the same is done for one variable at a time, with the others at a sample:
    C are then the k most probable categories of the variable, and the value is f at the sample. It is
    unbiased too, takes 1 + N k evaluations a sample, all but the first without a backward pass, and its
    memory is linear in K: the inputs of the evaluations, N**2 k K numbers a sample.

    Args:
        latents: Kind of latents, see `tf_discrete.distributions.names()`.
        num_summed: k, at least 1. Default: 2.
        max_configurations: most joint configurations that are listed, and most evaluations a sample of
            one variable at a time. Default: 4096.
        mode: "joint", "per_variable", or "auto": joint within `max_configurations`, else per variable.
            Default: "auto".

    Raises:
        ValueError: when it is called, too many configurations; the message has their numbers.

    Example:
        >>> from tf_discrete import seeds
        >>> estimator, logits = SumAndSample(num_summed=3), tf.zeros([2, 1, 10])
        >>> noise = estimator.draw_noise(seeds.base(0), logits)
        >>> estimator.estimate(lambda z: z[..., 0, 1], logits, noise).value.shape
        TensorShape([2])

    Reference:
        Liu, Regier, Tripuraneni, Jordan, McAuliffe. Rao-Blackwellized stochastic gradients for discrete
        distributions. 2018. arXiv:1810.04777.
        Titsias, Lazaro-Gredilla. Local expectation gradients for black box variational inference. 2015
        (one variable at a time). arXiv:1503.01494.
    """

    spec = base.Spec(
        exact_for="any",
        relaxed=False,
        noise="continuous",
        evaluations="1 + k / S; per variable 1 + N k",
        min_samples=1,
        reductions=("mean",),
        reference="Liu et al. 2018, arXiv:1810.04777",
        draws=0,
    )

    def __init__(
        self,
        latents: str = "categorical",
        num_summed: int = 2,
        max_configurations: int = 4096,
        mode: str = "auto",
        **kwargs: Any,
    ):
        super().__init__(latents=latents, **kwargs)
        self.num_summed = checks.whole("num_summed", num_summed)
        self.max_configurations = checks.whole("max_configurations", max_configurations)
        self.mode = checks.choice("mode", mode, ("auto", "joint", "per_variable"))
        if mode == "per_variable":
            self.spec = self.spec._replace(evaluations="1 + N k", draws=1)

    def _draw(self, seed: Seed, logits: tf.Tensor, num_samples: int | None) -> tf.Tensor:
        """Gumbel noise for all that is listed: float [S, *B, K**N], or [S, *B, N, K] per variable."""
        variables, categories = self.kind.static_sizes(logits)
        joint = self._is_joint(logits)
        event = [categories**variables] if joint else [variables, categories]
        shape = sampling.noise_shape(logits, num_samples)[: -self.event_rank]
        return noise_lib.gumbel(seed, tf.concat([shape, event], axis=0), logits.dtype)

    @property
    def noise_rank(self) -> int:
        return 2  # Per variable: a number for each category, whatever the kind.

    def _estimate(self, call: score.ScoreCall) -> Estimate:
        if not self._is_joint(call.logits):
            call = self._tiled(call)
            distribution = self.distribution(call.logits)
            perturbed = tf.stop_gradient(distribution.category_log_probs) + call.noise
            summed = min(self.num_summed, perturbed.shape[-1] - 1)
            return self._attach(call, *per_variable.evaluate(call, distribution, perturbed, summed))
        logits, noise = call.logits, call.noise
        count = noise.shape[-1]
        own_samples = noise.shape.rank > logits.shape.rank - self.event_rank + 1
        if not own_samples:
            noise = noise[tf.newaxis]
        distribution, log_probs = self.distribution(logits), self._joint_log_probs(logits)
        order = tf.argsort(log_probs, axis=-1, direction="DESCENDING", stable=True)
        summed = min(self.num_summed, count)
        index, weight = _summed(order, log_probs, summed)
        if summed < count:
            drawn, rest = _drawn(order, log_probs, summed, noise)
            index = tf.concat([index, drawn], axis=0)
            weight = tf.concat([weight, tf.broadcast_to(rest, tf.shape(drawn))], axis=0)
        # Impossible values contribute nothing; the objective sees the most probable configuration instead.
        z = self._values(tf.where(weight > 0, index, index[:1]), logits)
        evaluation = reductions.evaluate(call.objective_fn, z, self.event_rank)
        if evaluation.reduction is not None:
            raise ValueError(
                "An inner layer of sum-and-sample must keep the configurations apart. Give the inner call "
                f"reduce=None. Received: reduce={evaluation.reduction.__name__}"
            )
        values = evaluation.value
        fixed = tf.stop_gradient(values)
        baseline = tf.reduce_sum((weight * fixed)[:summed], axis=0) / tf.reduce_sum(
            weight[:summed], axis=0
        )
        credit = sampling.expand(weight * (fixed - baseline), self.event_rank)
        value = _combined(weight * values, summed)
        gradient = _combined(credit * distribution.score(z), summed)
        auxiliary = _combined(weight * evaluation.auxiliary, summed)
        if not own_samples:
            value, gradient, auxiliary = value[0], gradient[0], auxiliary[0]
        elif call.reduce is not None:
            value, gradient, auxiliary = (reductions.mean(x) for x in (value, gradient, auxiliary))
        else:
            call = dataclasses.replace(call, logits=tf.broadcast_to(logits, tf.shape(gradient)))
        estimate = Estimate(value, auxiliary, evaluation.per_sample, False, call.reduce)
        return self._attach(call, estimate, score.ScoreGradient(gradient))

    def get_config(self) -> Config:
        return {
            **super().get_config(),
            "num_summed": self.num_summed,
            "max_configurations": self.max_configurations,
            "mode": self.mode,
        }

    def _is_joint(self, logits: Tensor) -> bool:
        sizes = self.kind.static_sizes(logits)
        return per_variable.is_joint(self.mode, sizes, self.num_summed, self.max_configurations)

    def _joint_log_probs(self, logits: tf.Tensor) -> tf.Tensor:
        """log q of every joint configuration, [*B, K**N], the last variable changing fastest."""
        log_probs = tf.stop_gradient(self.distribution(logits).category_log_probs)
        joint = log_probs[..., 0, :]
        for variable in range(1, log_probs.shape[-2]):
            pairs = joint[..., :, tf.newaxis] + log_probs[..., variable, tf.newaxis, :]
            joint = tf.reshape(pairs, tf.concat([tf.shape(joint)[:-1], [-1]], axis=0))
        return joint

    def _values(self, index: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        """Configurations [*A, N(, K)] from their places [*A] in the list."""
        variables, categories = self.kind.static_sizes(logits)
        places = [categories ** (variables - 1 - n) for n in range(variables)]
        codes = index[..., tf.newaxis] // tf.constant(places) % categories
        return self.distribution(logits).from_digits(codes)


def _summed(order: tf.Tensor, log_probs: tf.Tensor, summed: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Places and probabilities of the most probable configurations, both [k, *B]."""
    first = order[..., :summed]
    weight = tf.exp(tf.gather(log_probs, first, batch_dims=first.shape.rank - 1))
    axes = [first.shape.rank - 1, *range(first.shape.rank - 1)]
    return tf.transpose(first, axes), tf.transpose(weight, axes)


def _drawn(
    order: tf.Tensor, log_probs: tf.Tensor, summed: int, noise: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Places drawn among all other configurations, [S, *B], and their joint probability, [*B]."""
    others = tf.argsort(order, axis=-1) >= summed
    log_rest = tf.where(others, log_probs, tf.cast(-float("inf"), log_probs.dtype))
    drawn = tf.argmax(log_rest + noise, axis=-1, output_type=tf.int32)
    return drawn, tf.reduce_sum(tf.exp(log_rest), axis=-1)


def _combined(terms: tf.Tensor, summed: int) -> tf.Tensor:
    """The sum of the first terms plus each of the others, [S, ...]; [1, ...] if there are no others."""
    total = tf.reduce_sum(terms[:summed], axis=0, keepdims=True)
    return total if terms.shape[0] == summed else total + terms[summed:]
