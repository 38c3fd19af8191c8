"""Importance-weighted bounds of several samples, discrete and relaxed, per example in nats."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import tensorflow as tf

from tf_discrete import seeds, types
from tf_discrete.estimators import reductions
from tf_discrete.objectives import stochastic_layers
from tf_discrete.objectives.stochastic_layers import Latents, StochasticLayers
from tf_discrete.types import ObjectiveTerms, Seed, Tensor


def importance_weighted(
    layers: StochasticLayers,
    log_likelihood_fn: Callable[[Tensor], Tensor],
    seed: Seed | None = None,
    num_samples: int = 1,
    *,
    noise: Tensor | None = None,
    kl_weight: float | Tensor = 1.0,
    context: Tensor | None = None,
    training: bool = False,
) -> ObjectiveTerms:
    """Computes E[log mean_m p(x, z_m) / q(z_m | x)] for discrete z, by estimators of `log_mean_exp`.

    With `vimco` or a score function the gradient is without bias, in q, p(x | z) and p(z): log q stands
    inside the objective of the estimators, so both its score and its own gradient count.

    Args:
        layers: Stochastic layers, see `StochasticLayers` and `one_layer`; no estimator is relaxed.
        log_likelihood_fn: Maps samples z_1 [S, B, N_1(, K)] to log p(x | z_1), [S, B].
        seed: int32 [2]; None with `noise` of a single layer. Default: None.
        num_samples: m. Default: 1.
        noise: Of the first layer's estimator, for m samples, instead of noise from `seed`. Default: None.
        kl_weight: Scalar weight of log p(z) - log q(z | x). Default: 1.0.
        context: float [B, D], for learned baselines. Default: None.
        training: Whether baselines and control variates learn from this call. Default: False.

    Returns:
        terms: `loss`, minus the bound, and the parts multi_sample_bound_nats, elbo_nats (of one sample),
            reconstruction_nats and kl_nats, as exact as those of `elbo`.

    Raises:
        ValueError: An estimator that does not take the reduction, or too few samples.

    Example:
        >>> from tf_discrete import distributions, estimators, seeds
        >>> prior = distributions.Categorical(tf.zeros([2, 3]))
        >>> layer = stochastic_layers.one_layer(estimators.get("vimco"), tf.zeros([5, 2, 3]), prior)
        >>> terms = importance_weighted(
        ...     layer, lambda z: -tf.reduce_sum(z[..., 0], axis=-1), seeds.base(0), num_samples=4
        ... )
        >>> terms.loss.shape
        TensorShape([5])

    Reference:
        Burda, Grosse, Salakhutdinov. Importance weighted autoencoders. 2015. arXiv:1509.00519.
        Mnih, Rezende. Variational inference for Monte Carlo objectives. 2016. arXiv:1602.06725.
    """
    first_logits = layers.logits_fn(())
    parts: list[tuple[Tensor, Tensor]] = []

    def log_weight(z: Latents, logits: Latents) -> tf.Tensor:
        posteriors, priors = layers.posteriors(logits), layers.priors(z)
        log_likelihood = log_likelihood_fn(z[0])
        weight = types.cast(kl_weight, posteriors[0].logits.dtype)
        parts.append((log_likelihood, stochastic_layers.negative_kl(z, posteriors, priors)))
        return log_likelihood + weight * stochastic_layers.log_ratio(z, posteriors, priors)

    estimate = layers.estimate(
        first_logits,
        log_weight,
        seed,
        num_samples,
        noise,
        reduce=reductions.log_mean_exp,
        context=context,
        training=training,
    )
    # Estimators that take this reduction evaluate the objective at their samples, and once.
    log_likelihood, negative_kl = parts[0]
    if len(layers.estimators) > 1:
        negative_kl = reductions.mean(negative_kl)
    return ObjectiveTerms(
        loss=-estimate.value,
        auxiliary=estimate.auxiliary,
        terms=_terms(estimate.value, -reductions.mean(log_likelihood), -negative_kl),
    )


def relaxed_importance_weighted(
    layers: StochasticLayers,
    log_likelihood_fn: Callable[[Tensor], Tensor],
    seed: Seed | None = None,
    num_samples: int = 1,
    *,
    noise: Tensor | None = None,
    prior_temperature: float | Tensor | Sequence[float | Tensor] = 0.5,
    kl_weight: float | Tensor = 1.0,
    doubly_reparameterized: bool = False,
) -> ObjectiveTerms:
    """Computes E[log mean_m p(x, z_m) / q(z_m | x)] for relaxed z, with the densities of the relaxation.

    Args:
        layers: Stochastic layers with relaxed pathwise estimators that have a density.
        log_likelihood_fn: Maps samples z_1 [S, B, N_1(, K)] to log p(x | z_1), [S, B].
        seed: int32 [2]; None with `noise` of a single layer. Default: None.
        num_samples: m. Default: 1.
        noise: Of the first layer's estimator, instead of noise from `seed`. Default: None.
        prior_temperature: Of p, one for all layers or one for each. Default: 0.5.
        kl_weight: Scalar weight of log p(z) - log q(z | x). Default: 1.0.
        doubly_reparameterized: Whether the score of q is reparameterised a second time, that of each layer
            with all samples after it. The gradient for q is then still without bias, and does not drown in
            noise as m grows; it costs one more forward evaluation, and one more pass of the maps between
            layers. Default: False.

    Returns:
        terms: As `importance_weighted`; kl_nats is the Monte Carlo estimate of the relaxed KL.

    Reference:
        Maddison, Mnih, Teh. The Concrete distribution. 2016. arXiv:1611.00712, appendix C.
        Tucker, Lawson, Gu, Maddison. Doubly reparameterized gradient estimators for Monte Carlo
        objectives. 2018. arXiv:1810.04152.
        Bauer, Mnih. Generalized doubly reparameterized gradient estimators. 2021. arXiv:2101.11046.
    """
    first_logits = layers.logits_fn(())
    if noise is None:
        own = seeds.fold(seed, "layer", 0)
        noise = layers.estimators[0].draw_noise(own, first_logits, num_samples)

    def parts(
        logits: Tensor, factor: Tensor | None = None
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        drawn = stochastic_layers.relaxed_samples(layers, logits, seed, num_samples, noise, factor)
        log_likelihood, ratio = stochastic_layers.relaxed_terms(
            layers, *drawn, log_likelihood_fn, prior_temperature
        )
        weight = types.cast(kl_weight, ratio.dtype)
        return log_likelihood, ratio, log_likelihood + weight * ratio

    factor = None
    if doubly_reparameterized:
        *_, log_weights = parts(tf.stop_gradient(first_logits))
        factor = doubly_reparameterized_factor(log_weights, kl_weight)
    log_likelihood, ratio, log_weights = parts(first_logits, factor)
    bound = reductions.log_mean_exp(log_weights)
    return ObjectiveTerms(
        loss=-bound,
        auxiliary=tf.zeros_like(bound),
        terms=_terms(bound, -reductions.mean(log_likelihood), -reductions.mean(ratio)),
    )


def doubly_reparameterized_factor(log_weights: Tensor, kl_weight: Tensor) -> tf.Tensor:
    """Returns the factor of the path from each sample to q if the score of q is left out, [S, B].

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
