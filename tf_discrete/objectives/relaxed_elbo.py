"""The evidence lower bound of the relaxed model: densities of the relaxation for q and p."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from tf_discrete import distributions, types
from tf_discrete.estimators import base
from tf_discrete.types import ObjectiveTerms, Tensor


def relaxed_elbo(
    estimator: base.PathwiseEstimator,
    logits: Tensor,
    noise: Tensor,
    log_likelihood_fn: Callable[[Tensor], Tensor],
    prior_logits: Tensor,
    *,
    temperature: Tensor,
    prior_temperature: Tensor,
    kl_weight: float | Tensor = 1.0,
) -> ObjectiveTerms:
    """E_q[log p(x | z) + log p(z) - log q(z | x)] for relaxed z, scored in log space.

    This is a bound of the relaxed model, unlike the ELBO with a categorical KL and relaxed draws.

    Args:
        estimator: a relaxed pathwise one.
        logits: float [B, N(, K)], of q.
        noise: of the estimator, [S, B, N(, K)].
        log_likelihood_fn: maps z [S, B, N(, K)] to log p(x | z), [S, B].
        prior_logits: of p, broadcastable against `logits`.
        temperature: of q.
        prior_temperature: of p.
        kl_weight: scalar weight of log q - log p in the loss.

    Returns:
        terms: as `tf_discrete.objectives.elbo`; kl_nats is the Monte Carlo estimate of the relaxed KL.

    Reference:
        Maddison, Mnih, Teh. The Concrete distribution. 2016. arXiv:1611.00712, appendix C.
    """
    sample = estimator.sample(logits, noise)
    reconstruction = -base.mean(log_likelihood_fn(sample.value))
    laws = (prior_logits, temperature, prior_temperature)
    kl = -base.mean(log_ratio(estimator.latents, sample.log_value, logits, *laws))
    return ObjectiveTerms(
        loss=reconstruction + types.cast(kl_weight, kl.dtype) * kl,
        auxiliary=tf.zeros_like(kl),
        terms={
            "elbo_nats": -reconstruction - kl,
            "reconstruction_nats": reconstruction,
            "kl_nats": kl,
        },
    )


def log_ratio(
    latents: str,
    log_value: Tensor,
    logits: Tensor,
    prior_logits: Tensor,
    temperature: Tensor,
    prior_temperature: Tensor,
) -> tf.Tensor:
    """log p(z) - log q(z | x) of relaxed draws in log space, [S, B]: the densities of the relaxations."""
    kind = distributions.get_relaxable(latents)
    log_q = kind(logits).relaxed_log_prob(log_value, temperature)
    return kind(prior_logits).relaxed_log_prob(log_value, prior_temperature) - log_q
