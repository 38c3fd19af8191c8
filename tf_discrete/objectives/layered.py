"""log p(z_1, ..., z_L) - log q(z_1, ..., z_L | x) of several stochastic layers, per example in nats."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from tf_discrete.distributions import Discrete
from tf_discrete.objectives.relaxed_elbo import log_ratio
from tf_discrete.types import Tensor


def layered_log_ratio(
    draws: Sequence[Tensor], posteriors: Sequence[Discrete], priors: Sequence[Discrete]
) -> tf.Tensor:
    """Sum over layers of log p(z_l | z_{l+1}) - log q(z_l | z_{l-1}) at draws of all layers, [*A].

    Args:
        draws: z_1, ..., z_L, float [*A, N_l(, K)]; continued linearly where they are not hard.
        posteriors: q(z_l | z_{l-1}) of each layer.
        priors: p(z_l | z_{l+1}) of each, p(z_L) the last.
    """
    return tf.add_n(
        [
            p.multilinear_log_prob(z) - q.multilinear_log_prob(z)
            for z, q, p in zip(draws, posteriors, priors, strict=True)
        ]
    )


def layered_negative_kl(
    draws: Sequence[Tensor], posteriors: Sequence[Discrete], priors: Sequence[Discrete]
) -> tf.Tensor:
    """The same in the mean over draws, with what can be had exactly in the place of its estimate, [*A].

    Given the draws below it, the entropy of each q(z_l | z_{l-1}) is exact, and so is the KL of the last
    layer; log p(z_l | z_{l+1}) of the others stays at the draws. What belongs to the first layer alone
    depends on no draw and is left out: it is `exact_part` of it.

    Args:
        draws: z_1, ..., z_L, float [*A, N_l(, K)].
        posteriors: q(z_l | z_{l-1}) of each layer.
        priors: p(z_l | z_{l+1}) of each, p(z_L) the last.
    """
    total = tf.zeros(tf.shape(draws[-1])[: -posteriors[0].event_rank], posteriors[0].logits.dtype)
    for depth, (z, q, p) in enumerate(zip(draws, posteriors, priors, strict=True)):
        if depth + 1 < len(draws):
            total += p.multilinear_log_prob(z)
        if depth:
            total += exact_part(q, p, depth + 1 == len(draws))
    return total


def exact_part(posterior: Discrete, prior: Discrete, last: bool) -> tf.Tensor:
    """What is exact of one layer, [*A]: minus its KL to p(z_L) if it is the last, else its entropy."""
    return -posterior.kl_divergence(prior) if last else posterior.entropy()


def layered_relaxed_log_ratio(
    latents: str,
    log_values: Sequence[Tensor],
    logits: Sequence[Tensor],
    prior_logits: Sequence[Tensor],
    temperatures: Sequence[Tensor],
    prior_temperatures: Sequence[Tensor],
) -> tf.Tensor:
    """`layered_log_ratio` of relaxed draws in log space, by the densities of the relaxations, [*A].

    Args:
        latents: "categorical" or "bernoulli".
        log_values: of each layer, float [*A, N_l(, K)].
        logits: of q(z_l | z_{l-1}) of each layer.
        prior_logits: of p(z_l | z_{l+1}) of each, of p(z_L) the last.
        temperatures: of q, one for each layer.
        prior_temperatures: of p, one for each layer.
    """
    layers = zip(log_values, logits, prior_logits, temperatures, prior_temperatures, strict=True)
    return tf.add_n([log_ratio(latents, *layer) for layer in layers])
