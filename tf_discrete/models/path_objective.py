"""The bounds of a model whose code is a path: its digits are stochastic layers in a row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tf_discrete import estimators, types
from tf_discrete.distributions import Discrete
from tf_discrete.models import tree_paths
from tf_discrete.models.path_chain import PathChain
from tf_discrete.models.path_prior import PathPrior
from tf_discrete.models.tree_paths import over_children
from tf_discrete.types import ObjectiveTerms, Reduction, Seed, Tensor

LogLikelihoodFn = Callable[[Tensor], Tensor]
Digits = tuple[Tensor, ...]


class PathObjective:
    """The bounds of one batch, and their gradients, by the estimators of the digits.

    The KL at a node, of the distribution of its digit, is exact. So KL(q(z | x) || p(z)) is that of the first
    digit, exact, plus the expectation of the KLs of the later digits at the nodes of the path. An estimator
    with variance normalisation divides the gradient for the logits of its digit by its `gradient_scale`, and
    the gradient of all else that reads these logits is divided by the same number.

    Args:
        chain: q.
        prior: p(z).
        log_likelihood_fn: Maps values [S, B, D, r] to log p(x | z), [S, B].
        context: What the encoder gives, float [B, D, r].
        seed: int32 [2].
        num_samples: S.
        kl_weight: Scalar weight of the KL in the loss.
        features: float [B, F], for the learned baseline of the first digit.
        training: Whether baselines and control variates learn from this call.
    """

    def __init__(
        self,
        chain: PathChain,
        prior: PathPrior,
        log_likelihood_fn: LogLikelihoodFn,
        context: tf.Tensor,
        seed: Seed,
        num_samples: int,
        kl_weight: float | Tensor,
        features: Tensor,
        training: bool,
    ):
        self.chain, self.prior, self.log_likelihood_fn = chain, prior, log_likelihood_fn
        self.context, self.seed, self.num_samples = context, seed, num_samples
        self.kl_weight = types.cast(kl_weight, context.dtype)
        self.features, self.training = features, training
        # Read before the estimate, which moves them in training.
        self.scales = [layer.gradient_scale for layer in chain.estimators]

    def elbo(self) -> ObjectiveTerms:
        """E[log p(x | z)] - KL(q(z | x) || p(z)), the KL exact at each node of the path."""
        # One weight for each example: the derivative for it is minus the KL of the later digits.
        weights = tf.fill(tf.shape(self.context)[:1], self.kl_weight)

        def objective(z: Digits, logits: Digits) -> tf.Tensor:
            value = tree_paths.join(z)
            return self.log_likelihood_fn(value) - weights * self._later_kl(value, logits)

        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(weights)
            estimate = self._estimate(objective, estimators.mean)
        # The estimate is linear in what it is the mean of, so this splits its value whatever the estimators.
        later = -tf.stop_gradient(tape.gradient(estimate.value, weights))
        first = self._kl_at(0, self.chain.root(self.context), self._logits(()))
        return ObjectiveTerms(
            self.kl_weight * first - estimate.value,
            estimate.auxiliary,
            _terms(estimate.value + self.kl_weight * later, first + later),
        )

    def importance_weighted(self) -> ObjectiveTerms:
        """E[log mean_m p(x, z_m) / q(z_m | x)], see `objectives.importance_weighted`."""
        parts: list[tuple[Tensor, Tensor]] = []

        def log_weight(z: Digits, logits: Digits) -> tf.Tensor:
            value = tree_paths.join(z)
            log_likelihood = self.log_likelihood_fn(value)
            ratio: Any = 0.0
            for depth, one in enumerate(logits):
                own = value[..., depth, tf.newaxis, :]
                ratio += self._prior(depth, value).multilinear_log_prob(own)
                ratio -= self._posterior(depth, one).multilinear_log_prob(own)
            first = self._kl_at(0, value[..., :0, :], logits[0])
            parts.append((log_likelihood, first + self._later_kl(value, logits)))
            return log_likelihood + self.kl_weight * ratio

        estimate = self._estimate(log_weight, estimators.log_mean_exp)
        # Estimators that take this reduction evaluate the objective at their samples, and once.
        log_likelihood, kl = (estimators.mean(part) for part in parts[0])
        return ObjectiveTerms(
            -estimate.value,
            estimate.auxiliary,
            {"multi_sample_bound_nats": estimate.value, **_terms(log_likelihood, kl)},
        )

    def _estimate(
        self, objective_fn: Callable[[Digits, Digits], Tensor], reduce: Reduction
    ) -> types.Estimate:
        return estimators.nested_estimate(
            self.chain.estimators,
            self._logits,
            objective_fn,
            self.seed,
            self.num_samples,
            reduce=reduce,
            context=self.features,
            training=self.training,
        )

    def _logits(self, before: Digits) -> tf.Tensor:
        """Returns the logits of the digit after others, [*A, 1, r]."""
        prefix = tree_paths.join(before) if before else self.chain.root(self.context)
        return self.chain.digit_logits(len(before), self.context, prefix)[..., tf.newaxis, :]

    def _posterior(self, depth: int, logits: Tensor) -> Discrete:
        return self.chain.node(depth, logits, self.scales[depth])

    def _prior(self, depth: int, value: Tensor) -> Discrete:
        return over_children(self.prior.logits(depth, value[..., :depth, :]))

    def _kl_at(self, depth: int, value: Tensor, logits: Tensor) -> tf.Tensor:
        """Returns the KL of a digit at the nodes that values [*A, D, r] lead to, [*A]."""
        return self._posterior(depth, logits).kl_divergence(self._prior(depth, value))

    def _later_kl(self, value: Tensor, logits: Digits) -> tf.Tensor:
        """Sums the KLs of all digits but the first, [*A]."""
        parts = [self._kl_at(depth, value, one) for depth, one in enumerate(logits) if depth]
        return sum(parts[1:], parts[0]) if parts else tf.zeros(tf.shape(value)[:-2], value.dtype)


def _terms(log_likelihood: Tensor, kl: Tensor) -> dict[str, Tensor]:
    return {
        "elbo_nats": log_likelihood - kl,
        "reconstruction_nats": -log_likelihood,
        "kl_nats": kl,
    }
