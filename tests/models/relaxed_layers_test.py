"""The relaxed objectives of two layers, by TFP's densities of what each layer has drawn."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from tests.models import small_models
from tests.models.layered_models import LATENTS, make
from tf_discrete import seeds
from tf_discrete.objectives.stochastic_layers import relaxed_samples

tfd = tfp.distributions


def relaxed_distributions(latents, temperature, logits):
    if latents == "bernoulli":
        return tfd.Independent(tfd.Logistic(logits / temperature, 1 / temperature), 1)
    return tfd.Independent(tfd.ExpRelaxedOneHotCategorical(temperature, logits), 1)


@pytest.mark.parametrize("latents", LATENTS)
@pytest.mark.parametrize("code_values", ["zero_one", "plus_minus"])
def test_relaxed_bounds_pair_each_layer_with_its_temperature_and_prior(latents, code_values):
    sizes = {"categorical": (2, 1), "bernoulli": (2, 3)}[latents]
    options = {
        "temperature": (0.9, 0.7),
        "prior_temperature": (0.6, 0.4),
        "code_values": code_values,
    }
    options |= {"num_samples": 5, "prior": "learned", "kl_weight": 0.3}
    model = make(latents, objective="relaxed_importance_weighted", **options)
    x, seed = small_models.data(), seeds.base(4)
    layers = model._stochastic_layers(model.chain.logits(0, x, True), True)
    samples, logits = relaxed_samples(layers, layers.logits_fn(()), seed, 5)

    def outputs(network, sample, shape):
        z = 2 * sample.value - 1 if code_values == "plus_minus" else sample.value
        rows = tf.reshape(z, [-1, *z.shape[2:]])
        return tf.reshape(network(rows), [5, len(x), *shape])

    # Layer 2's logits come from draws of layer 1, and p(z_1 | z_2) from draws of layer 2.
    k = () if latents == "bernoulli" else (3,)
    second = outputs(model.chain.maps[1], samples[0], (sizes[1], *k))
    np.testing.assert_allclose(logits[1], second, rtol=1e-5)
    maps = model.prior.maps
    first_prior = outputs(maps[0], samples[1], (sizes[0], *k))
    prior_logits = first_prior, model.prior.last.logits
    pixels = tfd.Bernoulli(outputs(model.decoder, samples[0], (4,)))
    log_weights = tfd.Independent(pixels, 1).log_prob(x)
    for depth, sample in enumerate(samples):
        q = relaxed_distributions(latents, options["temperature"][depth], logits[depth])
        p = relaxed_distributions(latents, options["prior_temperature"][depth], prior_logits[depth])
        log_weights += 0.3 * (p.log_prob(sample.log_value) - q.log_prob(sample.log_value))
    found = model.objective(x, seed, True)
    bound = tf.reduce_logsumexp(log_weights, axis=0) - np.log(5)
    np.testing.assert_allclose(-found.loss, bound, rtol=1e-5)
    one = make(latents, objective="relaxed_elbo", **options).objective(x, seed, True)
    np.testing.assert_allclose(-one.loss, tf.reduce_mean(log_weights, axis=0), rtol=1e-5)


def gradients_of_groups(model, x, groups):
    """Losses and gradients of the mean loss for `groups` seeds: of q's weights and of p's, [G, numbers]."""
    learns = [v for one in model.chain.maps for v in one.trainable_variables]
    others = [
        *model.decoder.trainable_variables,
        *model.prior.trainable_variables,
    ]

    @tf.function(autograph=False)
    def of(seed):
        with tf.GradientTape(persistent=True) as tape:
            loss = tf.reduce_mean(model.objective(x, seed, training=True).loss)
        found = [tape.gradient(loss, [v.value for v in group]) for group in (learns, others)]
        return loss, *(tf.concat([tf.reshape(g, [-1]) for g in one], axis=0) for one in found)

    every = [of(seeds.fold(seeds.base(0), "group", k)) for k in range(groups)]
    return [np.stack(one) for one in zip(*every, strict=True)]


def both_gradients(latents, samples, rows, groups):
    """Of the relaxed bound of two layers, with the score once and twice reparameterised."""
    x = tf.repeat(small_models.data(count=1), rows, axis=0)
    options = {"num_samples": samples, "prior": "learned", "kl_weight": 0.7, "temperature": 0.8}
    options |= {"code_values": "plus_minus", "hidden_units": (3,), "prior_temperature": (0.6, 0.4)}
    return [
        gradients_of_groups(make(latents, objective=objective, **options), x, groups)
        for objective in ("relaxed_importance_weighted", "doubly_reparameterized")
    ]


@pytest.mark.parametrize(
    "latents", ["bernoulli", pytest.param("categorical", marks=pytest.mark.slow)]
)
def test_the_second_reparameterisation_keeps_value_and_mean_gradient(latents):
    """z-tests at 5 standard errors of 100 groups, in all some 2 % of the gradient they compare."""
    (losses, once, p_once), (same_losses, twice, p_twice) = both_gradients(latents, 4, 1000, 100)
    np.testing.assert_allclose(losses, same_losses, rtol=1e-5)
    np.testing.assert_allclose(p_once, p_twice, rtol=1e-3, atol=1e-5)
    difference = once - twice
    error = difference.std(axis=0, ddof=1) / 10
    assert error.max() > 0
    assert (np.abs(difference.mean(axis=0)) < 5 * error + 1e-6).all()
    assert np.linalg.norm(error) < 0.02 * np.linalg.norm(once.mean(axis=0))


@pytest.mark.slow
def test_the_second_reparameterisation_wins_as_samples_grow():
    (_, once, _), (_, twice, _) = both_gradients("bernoulli", 64, 50, 60)
    assert twice.var(axis=0).sum() < 0.7 * once.var(axis=0).sum()
