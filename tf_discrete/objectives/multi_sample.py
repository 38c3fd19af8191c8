"""Importance-weighted bounds of several samples, discrete and relaxed, per example in nats."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tf_discrete import types
from tf_discrete.distributions import Discrete
from tf_discrete.estimators import backward, base, sampling
from tf_discrete.objectives.relaxed_elbo import log_ratio
from tf_discrete.types import ObjectiveTerms, Tensor


def importance_weighted(
    estimator: base.Estimator,
    logits: Tensor,
    noise: Tensor,
    log_likelihood_fn: Callable[[Tensor], Tensor],
    prior: Discrete,
    *,
    kl_weight: float | Tensor = 1.0,
    context: Tensor | None = None,
    training: bool = False,
) -> ObjectiveTerms:
    """E[log mean_m p(x, z_m) / q(z_m | x)] for hard z, by any estimator that takes `log_mean_exp`.

    With `vimco` or a score function the gradient is without bias, in q, p(x | z) and p(z): log q stands
    inside the objective of the estimator, so both its score and its own gradient count.

    Args:
        estimator: of the expectation, not a relaxed one.
        logits: float [B, N(, K)], of q.
        noise: of the estimator, for m samples.
        log_likelihood_fn: maps z [S, B, N(, K)] to log p(x | z), [S, B].
        prior: p(z), logits broadcastable against `logits`.
        kl_weight: scalar weight of log p(z) - log q(z | x).
        context: float [B, D], for learned baselines.
        training: whether baselines and control variates learn from this call. Default: False.

    Returns:
        terms: `loss`, minus the bound, and the parts multi_sample_bound_nats, elbo_nats (of one sample),
            reconstruction_nats and kl_nats (the exact one).

    Raises:
        ValueError: an estimator that does not take the reduction, or too few samples.

    Reference:
        Burda, Grosse, Salakhutdinov. Importance weighted autoencoders. 2015. arXiv:1509.00519.
        Mnih, Rezende. Variational inference for Monte Carlo objectives. 2016. arXiv:1602.06725.
    """
    law = estimator.law(logits)
    inside = estimator.law(backward.divide_gradient(logits, estimator.gradient_scale))
    weight = types.cast(kl_weight, law.logits.dtype)

    def log_weight(z: Tensor) -> tf.Tensor:
        ratio = prior.multilinear_log_prob(z) - inside.multilinear_log_prob(z)
        return log_likelihood_fn(z) + weight * ratio

    estimate = estimator.estimate(
        log_weight, logits, noise, reduce=base.log_mean_exp, context=context, training=training
    )
    kl = law.kl_divergence(prior)
    reconstruction = -(base.mean(estimate.per_sample) + weight * kl)
    return ObjectiveTerms(
        loss=-estimate.value,
        auxiliary=estimate.auxiliary,
        terms=_terms(estimate.value, reconstruction, kl),
    )


def relaxed_importance_weighted(
    estimator: Any,
    logits: Tensor,
    noise: Tensor,
    log_likelihood_fn: Callable[[Tensor], Tensor],
    prior_logits: Tensor,
    *,
    temperature: Tensor,
    prior_temperature: Tensor,
    kl_weight: float | Tensor = 1.0,
    doubly_reparameterized: bool = False,
) -> ObjectiveTerms:
    """E[log mean_m p(x, z_m) / q(z_m | x)] for relaxed z, with the densities of the relaxation.

    Args:
        estimator: a relaxed pathwise one with a density.
        logits: float [B, N(, K)], of q.
        noise: of the estimator, [S, B, N(, K)].
        log_likelihood_fn: maps z [S, B, N(, K)] to log p(x | z), [S, B].
        prior_logits: of p, broadcastable against `logits`.
        temperature: of q.
        prior_temperature: of p.
        kl_weight: scalar weight of log p(z) - log q(z | x).
        doubly_reparameterized: whether the score of q is reparameterised a second time. The gradient for
            q is then still without bias, and does not drown in noise as m grows; it costs one more
            forward evaluation. Default: False.

    Returns:
        terms: as `importance_weighted`; kl_nats is the Monte Carlo estimate of the relaxed KL.

    Reference:
        Maddison, Mnih, Teh. The Concrete distribution. 2016. arXiv:1611.00712, appendix C.
        Tucker, Lawson, Gu, Maddison. Doubly reparameterized gradient estimators for Monte Carlo
        objectives. 2018. arXiv:1810.04152.
    """
    log_value = estimator.sample(logits, noise).log_value
    weight = types.cast(kl_weight, log_value.dtype)
    laws = (prior_logits, temperature, prior_temperature)

    def parts(log_value: Tensor, logits: Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        z = estimator.relaxable_kind.to_simplex(log_value)
        return log_likelihood_fn(z), log_ratio(estimator.latents, log_value, logits, *laws)

    if doubly_reparameterized:
        log_likelihood, ratio = parts(tf.stop_gradient(log_value), logits)
        factor = doubly_reparameterized_factor(log_likelihood + weight * ratio, weight)
        log_value = backward.scale_gradient(
            log_value, sampling.expand(factor, estimator.event_rank)
        )
        logits = tf.stop_gradient(logits)
    log_likelihood, ratio = parts(log_value, logits)
    bound = base.log_mean_exp(log_likelihood + weight * ratio)
    return ObjectiveTerms(
        loss=-bound,
        auxiliary=tf.zeros_like(bound),
        terms=_terms(bound, -base.mean(log_likelihood), -base.mean(ratio)),
    )


def doubly_reparameterized_factor(log_weights: Tensor, kl_weight: Tensor) -> tf.Tensor:
    """What the path from each draw back to q is multiplied by, once the score of q is left out, [S, B].

    With share_s = w_s / sum w, E[share * d log q / d logits] = E[(1 - share) * share * d log w / dz *
    dz / d logits]: the score's part is that of the path, times kl_weight * (1 - share), with its sign turned.

    Args:
        log_weights: log p(x | z) + kl_weight * (log p(z) - log q(z | x)), [S, B]; not differentiated.
        kl_weight: scalar.

    Reference:
        Tucker, Lawson, Gu, Maddison. Doubly reparameterized gradient estimators for Monte Carlo objectives.
        2018. arXiv:1810.04152

    Example:
        >>> doubly_reparameterized_factor(tf.math.log([[1.0], [3.0]]), 1.0).numpy().round(4).tolist()
        [[0.25], [0.75]]
    """
    share = tf.nn.softmax(tf.stop_gradient(log_weights), axis=0)
    return 1.0 - types.cast(kl_weight, share.dtype) * (1.0 - share)


def _terms(bound: Tensor, reconstruction: Tensor, kl: Tensor) -> dict[str, Tensor]:
    return {
        "multi_sample_bound_nats": bound,
        "elbo_nats": -reconstruction - kl,
        "reconstruction_nats": reconstruction,
        "kl_nats": kl,
    }
