"""`StochasticLayers`: the layers that an objective reads, and log p(z) - log q(z | x) of their samples."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, cast

import tensorflow as tf

from tf_discrete import distributions, seeds
from tf_discrete.distributions import Discrete
from tf_discrete.estimators import backward, base, nested, sampling
from tf_discrete.types import Estimate, Sample, Seed, Tensor

Latents = tuple[Tensor, ...]


class StochasticLayers(NamedTuple):
    """q: x -> z_1 -> ... -> z_L and p: z_L -> ... -> z_1, of L >= 1 layers in a row.

    Attributes:
        estimators: One for each layer, the first layer's first.
        logits_fn: Maps samples of the layers before, (z_1, ..., z_{l-1}), to the logits of
            q(z_l | z_{l-1}); `()` to those of q(z_1 | x), float [B, N_1(, K)].
        prior_logits_fn: Maps samples of all layers to the logits of p(z_l | z_{l+1}) of each layer, of
            p(z_L) the last.
        frozen_logits_fn: As `logits_fn` for l >= 2, without a gradient for the weights of the map. Only the
            doubly reparameterised bound of several layers reads it.
    """

    estimators: Sequence[base.Estimator]
    logits_fn: Callable[[Latents], Tensor]
    prior_logits_fn: Callable[[Latents], Sequence[Tensor]]
    frozen_logits_fn: Callable[[Latents], Tensor] | None = None

    def posterior(self, depth: int, logits: Tensor) -> Discrete:
        """Returns q(z_l | z_{l-1}) for terms that read the logits next to the estimator of the layer.

        Variance normalisation divides the gradient that the estimator gives. These terms divide theirs by
        the same number, so the direction of the whole gradient is kept.
        """
        estimator = self.estimators[depth]
        return estimator.distribution(backward.divide_gradient(logits, estimator.gradient_scale))

    def posteriors(self, logits: Sequence[Tensor]) -> list[Discrete]:
        """`posterior` of every layer."""
        return [self.posterior(depth, one) for depth, one in enumerate(logits)]

    def priors(self, samples: Latents) -> list[Discrete]:
        """Returns p(z_l | z_{l+1}) of each layer, p(z_L) the last."""
        return [self.estimators[0].kind(logits) for logits in self.prior_logits_fn(samples)]

    def estimate(
        self,
        first_logits: Tensor,
        objective_fn: Callable[[Latents, Latents], Tensor],
        seed: Seed | None,
        num_samples: int,
        noise: Tensor | None,
        **options: Any,
    ) -> Estimate:
        """`estimators.nested_estimate` of these layers, given the logits of the first."""
        return nested.nested_estimate(
            self.estimators,
            lambda before: self.logits_fn(before) if before else first_logits,
            objective_fn,
            seed,
            num_samples,
            noise=noise,
            **options,
        )


def one_layer(estimator: base.Estimator, logits: Tensor, prior: Discrete) -> StochasticLayers:
    """Returns a single layer with the logits of q(z | x) and the prior p(z).

    Example:
        >>> from tf_discrete import estimators, objectives
        >>> from tf_discrete.distributions import Categorical
        >>> layer = one_layer(
        ...     estimators.get("enumeration"), tf.zeros([5, 2, 3]), Categorical(tf.zeros([2, 3]))
        ... )
        >>> objectives.elbo(layer, lambda z: tf.reduce_sum(z, axis=[-2, -1])).loss.numpy().round(4)
        array([-2., -2., -2., -2., -2.], dtype=float32)
    """
    return StochasticLayers([estimator], lambda before: logits, lambda samples: [prior.logits])


def log_ratio(
    samples: Sequence[Tensor], posteriors: Sequence[Discrete], priors: Sequence[Discrete]
) -> tf.Tensor:
    """Sum over layers of log p(z_l | z_{l+1}) - log q(z_l | z_{l-1}) at samples of all layers, [*A].

    Args:
        samples: z_1, ..., z_L, float [*A, N_l(, K)]; continued linearly where they are not one-hot.
        posteriors: q(z_l | z_{l-1}) of each layer.
        priors: p(z_l | z_{l+1}) of each, p(z_L) the last.
    """
    return tf.add_n(
        [
            p.multilinear_log_prob(z) - q.multilinear_log_prob(z)
            for z, q, p in zip(samples, posteriors, priors, strict=True)
        ]
    )


def negative_kl(
    samples: Sequence[Tensor], posteriors: Sequence[Discrete], priors: Sequence[Discrete]
) -> tf.Tensor:
    """Minus KL(q(z | x) || p(z)) at samples of all layers, as far as possible in closed form, [*A].

    Given the samples below it, the entropy of each q(z_l | z_{l-1}) is exact, and so is the KL of the last
    layer; log p(z_l | z_{l+1}) of the others is taken at the samples. With one layer all of it is exact.

    Args:
        samples: z_1, ..., z_L, float [*A, N_l(, K)].
        posteriors: q(z_l | z_{l-1}) of each layer.
        priors: p(z_l | z_{l+1}) of each, p(z_L) the last.
    """
    first = exact_part(posteriors[0], priors[-1], len(samples) == 1)
    return first + upper_negative_kl(samples, posteriors, priors) if len(samples) > 1 else first


def upper_negative_kl(
    samples: Sequence[Tensor], posteriors: Sequence[Discrete], priors: Sequence[Discrete]
) -> tf.Tensor:
    """`negative_kl` of two layers or more without the entropy of the first, which no sample changes."""
    last = len(samples) - 1
    parts = [p.multilinear_log_prob(z) for z, p in zip(samples[:-1], priors[:-1], strict=True)]
    for depth in range(1, last + 1):
        parts.append(exact_part(posteriors[depth], priors[-1], depth == last))
    return sum(parts[1:], parts[0])


def exact_part(posterior: Discrete, last_prior: Discrete, last: bool) -> tf.Tensor:
    """Returns the exact term of a layer, [*A]: minus its KL to p(z_L) if it is the last, else its entropy."""
    return -posterior.kl_divergence(last_prior) if last else posterior.entropy()


def relaxed_samples(
    layers: StochasticLayers,
    first_logits: Tensor,
    seed: Seed | None,
    num_samples: int,
    noise: Tensor | None = None,
    factor: Tensor | None = None,
) -> tuple[list[Sample], list[Tensor]]:
    """Relaxed samples of all layers, [S, B, N_l(, K)] each, and the logits that score them.

    Args:
        layers: With pathwise estimators.
        first_logits: Of q(z_1 | x), float [B, N_1(, K)].
        seed: int32 [2].
        num_samples: S.
        noise: Of the first layer, instead of noise from `seed`. Default: None.
        factor: [S, B], for a doubly reparameterised bound: what the maps learn from a sample is multiplied
            by it, and from the returned logits they learn nothing. Gradients of samples before pass
            through both. Default: None, for maps that learn from both as usual.
    """
    values: Latents = ()
    samples: list[Sample] = []
    all_logits: list[Tensor] = []
    for depth, layer in enumerate(layers.estimators):
        before = values if factor is None else tuple(tf.stop_gradient(z) for z in values)
        learning = layers.logits_fn(before) if depth else first_logits
        drawn = noise if depth == 0 else None
        if drawn is None:
            own = seeds.fold(seed, "layer", depth)
            drawn = layer.draw_noise(own, learning, None if depth else num_samples)
        sampled = logits = learning
        if factor is not None:
            logits = cast(Any, layers.frozen_logits_fn)(values) if depth else None
            logits = tf.stop_gradient(learning) if logits is None else logits
            scale = sampling.expand(factor, layer.event_rank)
            learning += tf.zeros_like(drawn)  # For each sample, in the first layer too.
            sampled = backward.scale_gradient(learning, scale) + _gradient_alone(logits)
        sample = cast(base.PathwiseEstimator, layer).sample(sampled, drawn)
        values = (*values, sample.value)
        samples.append(sample)
        all_logits.append(logits)
    return samples, all_logits


def relaxed_terms(
    layers: StochasticLayers,
    samples: Sequence[Sample],
    logits: Sequence[Tensor],
    log_likelihood_fn: Callable[[Tensor], Tensor],
    prior_temperature: float | Tensor | Sequence[float | Tensor],
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns log p(x | z_1) and log p(z) - log q(z | x) of relaxed samples, by their densities, [S, B]."""
    values = tuple(sample.value for sample in samples)
    log_likelihood = log_likelihood_fn(values[0])
    count = len(samples)
    of_prior = prior_temperature if isinstance(prior_temperature, (list, tuple)) else None
    parts = zip(
        cast(Sequence[Any], layers.estimators),  # With a density, hence a temperature.
        samples,
        logits,
        layers.prior_logits_fn(values),
        of_prior or [prior_temperature] * count,
        strict=True,
    )
    ratios = [
        relaxed_log_ratio(layer.latents, z.log_value, q, p, layer.temperature.value, temperature)
        for layer, z, q, p, temperature in parts
    ]
    return log_likelihood, tf.add_n(ratios)


def relaxed_log_ratio(
    latents: str,
    log_value: Tensor,
    logits: Tensor,
    prior_logits: Tensor,
    temperature: Tensor,
    prior_temperature: Tensor,
) -> tf.Tensor:
    """log p(z) - log q(z | x) of relaxed samples in log space, [S, B]: the densities of the relaxations."""
    kind = distributions.get_relaxable(latents)
    log_q = kind(logits).relaxed_log_prob(log_value, temperature)
    return kind(prior_logits).relaxed_log_prob(log_value, prior_temperature) - log_q


def _gradient_alone(value: tf.Tensor) -> tf.Tensor:
    """Zeros with the gradient of `value`."""
    return value - tf.stop_gradient(value)
