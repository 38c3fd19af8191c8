"""Evidence lower bounds of one sample, discrete and relaxed, per example in nats."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import tensorflow as tf

from tf_discrete import types
from tf_discrete.estimators import reductions
from tf_discrete.objectives import stochastic_layers
from tf_discrete.objectives.stochastic_layers import Latents, StochasticLayers
from tf_discrete.types import ObjectiveTerms, Seed, Tensor


def elbo(
    layers: StochasticLayers,
    log_likelihood_fn: Callable[[Tensor], Tensor],
    seed: Seed | None = None,
    num_samples: int = 1,
    *,
    noise: Tensor | None = None,
    kl_weight: float | Tensor = 1.0,
    free_bits: float = 0.0,
    context: Tensor | None = None,
    training: bool = False,
) -> ObjectiveTerms:
    """Computes E_q[log p(x | z_1)] - KL(q(z | x) || p(z)), the expectation by any estimators.

    The KL is that of the discrete distributions, also where an estimator is relaxed: the value is then not
    a bound on the discrete model, and the discrete ELBO is reported next to it. With one layer the KL is
    exact. With several, the entropies of q and the KL of the last layer are exact given the samples below
    them; log p(z_l | z_{l+1}) of the other layers is taken at the samples.

    An estimator with variance normalisation divides the gradient for the logits by its `gradient_scale`.
    The gradient of the KL for the logits is then divided by the same number, so that the two parts keep
    their proportion: the encoder's gradient is that of the ELBO up to one positive number. Values, and the
    gradients for the decoder and the prior, are not scaled.

    Args:
        layers: Stochastic layers, see `StochasticLayers` and `one_layer`.
        log_likelihood_fn: Maps samples z_1 [S, B, N_1(, K)] to log p(x | z_1), [S, B].
        seed: int32 [2]; None for layers that draw nothing, or with `noise`. Default: None.
        num_samples: S, of the first layer; each has one of every other. Default: 1.
        noise: Of the first layer's estimator, instead of noise from `seed`. Default: None.
        kl_weight: Scalar weight of the KL in the loss. Default: 1.0.
        free_bits: Minimum KL of each variable in nats: a smaller KL counts as this one. With one layer
            only. Default: 0.0.
        context: float [B, D], for learned baselines. Default: None.
        training: Whether baselines and control variates learn from this call. Default: False.

    Returns:
        terms: `loss` = -E[log p(x | z_1)] + kl_weight * KL, and the parts elbo_nats, reconstruction_nats
            and kl_nats (the true KL, unweighted).

    Example:
        >>> from tf_discrete import distributions, estimators, seeds
        >>> prior = distributions.Categorical(tf.zeros([2, 3]))
        >>> layer = stochastic_layers.one_layer(estimators.get("reinmax"), tf.zeros([5, 2, 3]), prior)
        >>> terms = elbo(layer, lambda z: -tf.reduce_sum(z[..., 0], axis=-1), seeds.base(0))
        >>> terms.loss.shape, sorted(terms.terms)
        (TensorShape([5]), ['elbo_nats', 'kl_nats', 'reconstruction_nats'])

    Reference:
        Kingma, Welling. Auto-encoding variational Bayes. 2013. arXiv:1312.6114.
        Kingma et al. Improving variational inference with inverse autoregressive flow. 2016
        (free bits). arXiv:1606.04934.
    """
    first_logits = layers.logits_fn(())
    several = len(layers.estimators) > 1
    # Read before the estimate, which moves the scale in training.
    outside = layers.posterior(0, first_logits)
    weight = weights = types.cast(kl_weight, outside.logits.dtype)
    if (
        several
    ):  # One weight for each example: the derivative for it is minus the KL inside, see below.
        weights = tf.fill(tf.shape(first_logits)[: -outside.event_rank], weight)

    def objective_fn(z: Latents, logits: Latents) -> tf.Tensor:
        log_likelihood = log_likelihood_fn(z[0])
        if not several:
            return log_likelihood
        inside = stochastic_layers.upper_negative_kl(z, layers.posteriors(logits), layers.priors(z))
        return log_likelihood + weights * inside

    with tf.GradientTape(watch_accessed_variables=False) as tape:
        if several:
            tape.watch(weights)
        estimate = layers.estimate(
            first_logits,
            objective_fn,
            seed,
            num_samples,
            noise,
            reduce=reductions.mean,
            context=context,
            training=training,
        )
    if several:
        exact = outside.entropy()
        # The estimate is linear in what it is the mean of, so this splits its value whatever the estimators.
        inside = tf.stop_gradient(tape.gradient(estimate.value, weights))
        return ObjectiveTerms(
            -(estimate.value + weight * exact),
            estimate.auxiliary,
            _terms(weight * inside - estimate.value, -(inside + exact)),
        )
    kl_per_variable = outside.kl_per_variable(layers.priors(())[-1])
    kl = tf.reduce_sum(kl_per_variable, axis=-1)
    charged = tf.reduce_sum(tf.maximum(kl_per_variable, free_bits), axis=-1) if free_bits else kl
    return ObjectiveTerms(
        types.cast(kl_weight, charged.dtype) * charged - estimate.value,
        estimate.auxiliary,
        _terms(-estimate.value, kl),
    )


def relaxed_elbo(
    layers: StochasticLayers,
    log_likelihood_fn: Callable[[Tensor], Tensor],
    seed: Seed | None = None,
    num_samples: int = 1,
    *,
    noise: Tensor | None = None,
    prior_temperature: float | Tensor | Sequence[float | Tensor] = 0.5,
    kl_weight: float | Tensor = 1.0,
) -> ObjectiveTerms:
    """Computes E_q[log p(x | z_1) + log p(z) - log q(z | x)] for relaxed z, in log space.

    This is a bound of the relaxed model, unlike the ELBO with a categorical KL and relaxed samples.

    Args:
        layers: Stochastic layers with relaxed pathwise estimators that have a density.
        log_likelihood_fn: Maps samples z_1 [S, B, N_1(, K)] to log p(x | z_1), [S, B].
        seed: int32 [2]; None with `noise` of a single layer. Default: None.
        num_samples: S. Default: 1.
        noise: Of the first layer's estimator, instead of noise from `seed`. Default: None.
        prior_temperature: Of p, one for all layers or one for each. Default: 0.5.
        kl_weight: Scalar weight of log q - log p in the loss. Default: 1.0.

    Returns:
        terms: As `elbo`; kl_nats is the Monte Carlo estimate of the relaxed KL.

    Example:
        >>> from tf_discrete import distributions, estimators, seeds
        >>> prior = distributions.Categorical(tf.zeros([2, 3]))
        >>> estimator = estimators.get("gumbel_softmax", temperature=0.5)
        >>> layer = stochastic_layers.one_layer(estimator, tf.zeros([5, 2, 3]), prior)
        >>> relaxed_elbo(layer, lambda z: -tf.reduce_sum(z[..., 0], axis=-1), seeds.base(0)).loss.shape
        TensorShape([5])

    Reference:
        Maddison, Mnih, Teh. The Concrete distribution. 2016. arXiv:1611.00712, appendix C.
    """
    first_logits = layers.logits_fn(())
    drawn = stochastic_layers.relaxed_samples(layers, first_logits, seed, num_samples, noise)
    log_likelihood, ratio = stochastic_layers.relaxed_terms(
        layers, *drawn, log_likelihood_fn, prior_temperature
    )
    reconstruction, kl = -reductions.mean(log_likelihood), -reductions.mean(ratio)
    return ObjectiveTerms(
        reconstruction + types.cast(kl_weight, kl.dtype) * kl,
        tf.zeros_like(kl),
        _terms(reconstruction, kl),
    )


def _terms(reconstruction: Tensor, kl: Tensor) -> dict[str, Tensor]:
    return {
        "elbo_nats": -reconstruction - kl,
        "reconstruction_nats": reconstruction,
        "kl_nats": kl,
    }
