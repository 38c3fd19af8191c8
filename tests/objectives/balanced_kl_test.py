"""KL balancing and free nats: values and gradients against their definitions in NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tf_discrete import distributions, objectives

GENERATOR = np.random.default_rng(0)
# Two examples of three steps, four variables of five categories; the first example is close to its prior.
PRIOR = GENERATOR.normal(size=[2, 3, 4, 5])
POSTERIOR = PRIOR + GENERATOR.normal(size=PRIOR.shape) * np.reshape([0.3, 2.0], [2, 1, 1, 1])


def log_softmax(logits: np.ndarray) -> np.ndarray:
    return logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))


def written_out(posterior: np.ndarray, prior: np.ndarray) -> tuple[np.ndarray, ...]:
    """KL [B, T], and its gradients for the logits of posterior and prior."""
    log_q, log_p = log_softmax(posterior), log_softmax(prior)
    q, ratio = np.exp(log_q), log_q - log_p
    each = (q * ratio).sum(axis=-1, keepdims=True)
    return each.sum(axis=(-2, -1)), q * (ratio - each), np.exp(log_p) - q


def computed(**options) -> tuple[objectives.BalancedKL, np.ndarray, np.ndarray]:
    """The result for PRIOR and POSTERIOR, and the gradients of the summed loss."""
    posterior, prior = tf.constant(POSTERIOR), tf.constant(PRIOR)
    with tf.GradientTape() as tape:
        tape.watch([posterior, prior])
        found = objectives.balanced_kl(posterior, prior, **options)
        total = tf.reduce_sum(found.loss)
    return found, *(g.numpy() for g in tape.gradient(total, [posterior, prior]))


@pytest.mark.parametrize(
    "scales, free_nats",
    [((1.0, 0.1), 1.0), ((0.5, 0.1), 1.0), ((0.8, 0.2), 0.0), ((0.0, 1.0), 0.5)],
)
def test_each_side_has_its_own_gradient_unless_the_total_is_below_the_free_nats(scales, free_nats):
    kl, to_posterior, to_prior = written_out(POSTERIOR, PRIOR)
    if free_nats:
        assert (kl < free_nats).any() and (kl > free_nats).any()
    trained = (kl > free_nats)[..., None, None]
    found, of_posterior, of_prior = computed(
        dynamics_scale=scales[0], representation_scale=scales[1], free_nats=free_nats
    )
    clipped = np.maximum(kl, free_nats)
    np.testing.assert_allclose(found.kl_nats, kl, rtol=1e-12)
    np.testing.assert_allclose(found.dynamics_nats, clipped, rtol=1e-12)
    np.testing.assert_allclose(found.representation_nats, clipped, rtol=1e-12)
    np.testing.assert_allclose(found.loss, sum(scales) * clipped, rtol=1e-12)
    np.testing.assert_allclose(
        of_posterior, scales[1] * trained * to_posterior, rtol=1e-9, atol=1e-15
    )
    np.testing.assert_allclose(of_prior, scales[0] * trained * to_prior, rtol=1e-9, atol=1e-15)


def test_the_defaults_are_those_of_the_code_of_dreamer_v3():
    np.testing.assert_array_equal(
        computed()[0].loss,
        computed(dynamics_scale=1.0, representation_scale=0.1, free_nats=1.0)[0].loss,
    )


def test_the_free_nats_are_of_the_sum_over_the_variables():
    # Four variables of 0.5 nats each are above 1 nat together, though each is below it.
    prior = np.zeros([1, 4, 2])
    probs = 0.5 + np.sqrt(0.2)
    posterior = np.tile(np.log([probs, 1 - probs]), [1, 4, 1])
    found = objectives.balanced_kl(posterior, prior)
    each = probs * np.log(2 * probs) + (1 - probs) * np.log(2 * (1 - probs))
    assert each < 1 < 4 * each
    np.testing.assert_allclose(found.dynamics_nats, [4 * each], rtol=1e-12)


def test_mixed_with_the_uniform_distribution_as_dreamer_v3_does():
    probs = np.exp(log_softmax(POSTERIOR)), np.exp(log_softmax(PRIOR))
    q, p = (0.99 * one + 0.01 / 5 for one in probs)
    wanted = np.maximum((q * np.log(q / p)).sum(axis=(-2, -1)), 1.0)
    found = objectives.balanced_kl(distributions.unimix(POSTERIOR), distributions.unimix(PRIOR))
    np.testing.assert_allclose(found.loss, 1.1 * wanted, rtol=1e-12)


def test_the_gradients_of_mixed_logits_are_differences_of_what_dreamer_v3_computes():
    """`dyn` and `rep` as in its rssm.py and outs.py: sums over variables, then a maximum, no mean before."""

    def kl(posterior, prior):
        q, p = (0.99 * np.exp(log_softmax(one)) + 0.01 / 5 for one in (posterior, prior))
        return (q * np.log(q / p)).sum(axis=(-2, -1))

    def differences(function, at):
        found = np.zeros_like(at)
        for index in np.ndindex(at.shape):
            step = np.zeros_like(at)
            step[index] = 1e-5
            found[index] = (function(at + step) - function(at - step)).sum() / 2e-5
        return found

    trained = (kl(POSTERIOR, PRIOR) > 1.0)[..., None, None]
    assert trained.any() and not trained.all()
    posterior, prior = tf.constant(POSTERIOR), tf.constant(PRIOR)
    with tf.GradientTape() as tape:
        tape.watch([posterior, prior])
        mixed = distributions.unimix(posterior), distributions.unimix(prior)
        total = tf.reduce_sum(objectives.balanced_kl(*mixed).loss)
    of_posterior, of_prior = tape.gradient(total, [posterior, prior])
    wanted = 0.1 * trained * differences(lambda logits: kl(logits, PRIOR), POSTERIOR)
    np.testing.assert_allclose(of_posterior, wanted, rtol=1e-6, atol=1e-9)
    wanted = 1.0 * trained * differences(lambda logits: kl(POSTERIOR, logits), PRIOR)
    np.testing.assert_allclose(of_prior, wanted, rtol=1e-6, atol=1e-9)


def test_bernoulli_latents_and_a_prior_without_batch():
    posterior, prior = np.array([[2.0, -1.0], [0.1, 0.2]]), np.array([0.0, 0.5])
    q, p = 1 / (1 + np.exp(-posterior)), 1 / (1 + np.exp(-prior))
    wanted = (q * np.log(q / p) + (1 - q) * np.log((1 - q) / (1 - p))).sum(axis=-1)
    found = objectives.balanced_kl(posterior, prior, free_nats=0.0, latents="bernoulli")
    np.testing.assert_allclose(found.kl_nats, wanted, rtol=1e-12)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"dynamics_scale": -1.0}, "dynamics_scale must be.*Received: dynamics_scale=-1.0"),
        ({"representation_scale": -1.0}, "Received: representation_scale=-1.0"),
        ({"free_nats": -0.5}, "Received: free_nats=-0.5"),
        ({"latents": "gaussian"}, "latents"),
        ({"prior_logits": np.zeros([4, 6])}, "variables and categories.*prior_logits.shape="),
        ({"prior_logits": np.zeros([1, 2, 3, 4, 5])}, "no more axes"),
    ],
)
def test_bad_arguments(options, message):
    arguments = {"posterior_logits": POSTERIOR, "prior_logits": PRIOR, **options}
    with pytest.raises(ValueError, match=message):
        objectives.balanced_kl(**arguments)
