"""The evidence lower bound with the exact discrete KL, per example in nats."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from tf_discrete import types
from tf_discrete.distributions import Discrete
from tf_discrete.estimators import backward, base
from tf_discrete.types import ObjectiveTerms, Tensor


def elbo(
    estimator: base.Estimator,
    logits: Tensor,
    noise: Tensor,
    log_likelihood_fn: Callable[[Tensor], Tensor],
    prior: Discrete,
    *,
    kl_weight: float | Tensor = 1.0,
    free_bits: float = 0.0,
    context: Tensor | None = None,
    training: bool = False,
) -> ObjectiveTerms:
    """E_q[log p(x | z)] - KL(q(z | x) || p(z)), the expectation by any estimator.

    The KL is the exact one between the discrete distributions, also where the estimator is relaxed: then
    the value is no bound of the discrete model, and the hard path is reported beside it.

    An estimator with variance normalisation divides the gradient for the logits by its `gradient_scale`.
    The gradient of the KL for the logits is then divided by the same number, so that the two parts keep
    their proportion: the encoder's gradient is that of the ELBO up to one positive number. Values, and the
    gradients for the decoder and the prior, are not scaled.

    Args:
        estimator: of the expectation.
        logits: float [B, N(, K)], of q.
        noise: of the estimator.
        log_likelihood_fn: maps z [S, B, N(, K)] to log p(x | z), [S, B].
        prior: p(z), logits broadcastable against `logits`.
        kl_weight: scalar weight of the KL in the loss.
        free_bits: nats of KL that each variable has for free: its KL counts as at least so much.
        context: float [B, D], for learned baselines.
        training: whether baselines and control variates learn from this call. Default: False.

    Returns:
        terms: `loss` = -E[log p(x | z)] + kl_weight * KL, and the parts elbo_nats, reconstruction_nats
            and kl_nats (the true KL, unweighted).

    Reference:
        Kingma, Welling. Auto-encoding variational Bayes. 2013. arXiv:1312.6114.
        Kingma et al. Improving variational inference with inverse autoregressive flow. 2016
        (free bits). arXiv:1606.04934.
    """
    # Read before the estimate, which moves the scale in training.
    outside = backward.divide_gradient(logits, estimator.gradient_scale)
    estimate = estimator.estimate(
        log_likelihood_fn, logits, noise, context=context, training=training
    )
    kl_per_variable = estimator.law(outside).kl_per_variable(prior)
    kl = tf.reduce_sum(kl_per_variable, axis=-1)
    charged = tf.reduce_sum(tf.maximum(kl_per_variable, free_bits), axis=-1) if free_bits else kl
    return ObjectiveTerms(
        loss=types.cast(kl_weight, charged.dtype) * charged - estimate.value,
        auxiliary=estimate.auxiliary,
        terms={
            "elbo_nats": estimate.value - kl,
            "reconstruction_nats": -estimate.value,
            "kl_nats": kl,
        },
    )
