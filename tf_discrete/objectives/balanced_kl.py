"""KL balancing with free nats: the KL of world models, whose prior is learned faster than the posterior."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from tf_discrete import distributions, types
from tf_discrete._internal import checks
from tf_discrete.types import Tensor


class BalancedKL(NamedTuple):
    """The KL of world models, for each example and time step.

    Attributes:
        loss: float [...], the weighted sum of the two terms, minimised.
        dynamics_nats: float [...], the term that trains the prior, unweighted.
        representation_nats: float [...], the term that trains the posterior, unweighted. Its value is that of
            `dynamics_nats`; only the gradients differ.
        kl_nats: float [...], KL(posterior || prior) before free nats, without a gradient, for the log.
    """

    loss: tf.Tensor
    dynamics_nats: tf.Tensor
    representation_nats: tf.Tensor
    kl_nats: tf.Tensor


def balanced_kl(
    posterior_logits: Tensor,
    prior_logits: Tensor,
    dynamics_scale: float = 1.0,
    representation_scale: float = 0.1,
    free_nats: float = 1.0,
    latents: str = "categorical",
) -> BalancedKL:
    """Computes KL(posterior || prior) with separate gradients for the two, clipped from below.

        dynamics       = max(free_nats, KL(stop_gradient(posterior) || prior))
        representation = max(free_nats, KL(posterior || stop_gradient(prior)))
        loss           = dynamics_scale * dynamics + representation_scale * representation

    The KL is exact and summed over the N variables before it is clipped, so a state has `free_nats` in
    total, not one for each variable, and it is clipped before any mean over batch or time. Where the KL is
    below `free_nats` neither side has a gradient. `objectives.elbo` has free bits of the other form, a
    minimum for each variable. Steps that a mask excludes must be left out of your mean: nothing is averaged
    here.

    | source | dynamics_scale | representation_scale | free_nats |
    | --- | --- | --- | --- |
    | DreamerV2, KL balancing of 0.8 | 0.8 | 0.2 | 0 |
    | DreamerV3, first version of the article | 0.5 | 0.1 | 1 |
    | DreamerV3, its current code | 1.0 | 0.1 | 1 |

    DreamerV3 mixes 1 % of a uniform distribution into both arguments: apply `distributions.unimix` first.

    Args:
        posterior_logits: float [..., N, K] of categorical latents, [..., N] of Bernoulli ones, any
            number of leading axes.
        prior_logits: float, of a shape that broadcasts to that of `posterior_logits`.
        dynamics_scale: Number >= 0, weight of the term that trains the prior. Default: 1.0.
        representation_scale: Number >= 0, weight of the term that trains the posterior. Default: 0.1.
        free_nats: Number >= 0, KL in nats below which a state is not trained. Default: 1.0.
        latents: Kind of latents, see `tf_discrete.distributions.names()`. Default: "categorical".

    Returns:
        kl: `BalancedKL`, [...] each.

    Raises:
        ValueError: A number is negative, a kind is unknown, or the prior has other variables or categories.

    Example:
        >>> from tf_discrete import distributions, objectives
        >>> posterior = distributions.unimix(tf.random.normal([5, 7, 32, 16]))   # batch, time, N, K
        >>> prior = distributions.unimix(tf.zeros([5, 7, 32, 16]))
        >>> objectives.balanced_kl(posterior, prior).loss.shape
        TensorShape([5, 7])

    Reference:
        Hafner, Lillicrap, Norouzi, Ba. Mastering Atari with discrete world models. 2020. arXiv:2010.02193.
        Hafner, Pasukonis, Ba, Lillicrap. Mastering diverse domains through world models. 2023.
        arXiv:2301.04104.
    """
    dynamics_scale = checks.number("dynamics_scale", dynamics_scale, lowest=0)
    representation_scale = checks.number("representation_scale", representation_scale, lowest=0)
    free_nats = checks.number("free_nats", free_nats, lowest=0)
    kind = distributions.get(latents)
    posterior = types.floats("posterior_logits", posterior_logits)
    prior = types.floats("prior_logits", prior_logits)
    _check_shapes(posterior.shape, prior.shape, kind.event_rank)

    def kl(posterior: tf.Tensor, prior: tf.Tensor) -> tf.Tensor:
        return tf.reduce_sum(kind(posterior).kl_per_variable(kind(prior)), axis=-1)

    to_prior = kl(tf.stop_gradient(posterior), prior)
    to_posterior = kl(posterior, tf.stop_gradient(prior))
    least = types.cast(free_nats, to_prior.dtype)
    dynamics, representation = tf.maximum(to_prior, least), tf.maximum(to_posterior, least)
    loss = dynamics_scale * dynamics + representation_scale * representation
    return BalancedKL(loss, dynamics, representation, tf.stop_gradient(to_prior))


def _check_shapes(posterior: tf.TensorShape, prior: tf.TensorShape, event_rank: int) -> None:
    if posterior.rank is None or prior.rank is None:
        return
    variables = posterior[-event_rank:].is_compatible_with(prior[-event_rank:])
    if prior.rank > posterior.rank or not variables:
        raise ValueError(
            "The prior must have the variables and categories of the posterior, and no more axes. Received: "
            f"posterior_logits.shape={posterior}, prior_logits.shape={prior}"
        )
