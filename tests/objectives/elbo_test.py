from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tests.estimators import problems
from tf_discrete import estimators, objectives, seeds
from tf_discrete.distributions import discrete


def setting(latents, dtype=tf.float64):
    logits = problems.generic_logits(latents, dtype)
    prior = discrete.get(latents)(0.5 * problems.generic_logits(latents, dtype, batch=1)[0])
    return logits, prior, problems.objective("network", latents, dtype)


def enumerated(latents, logits, prior, fn):
    """Expectation of fn and KL by their definitions, [B]."""
    law = discrete.get(latents)(logits)
    z = law.enumerate()[:, tf.newaxis]
    log_q = law.log_prob(z)
    expectation = tf.reduce_sum(tf.exp(log_q) * fn(z), axis=0)
    kl = tf.reduce_sum(tf.exp(log_q) * (log_q - prior.log_prob(z)), axis=0)
    return expectation.numpy(), kl.numpy()


def call(latents, logits, prior, fn, estimator="enumeration", num_samples=1, **options):
    made = estimators.get(estimator, latents=latents)
    noise = made.draw_noise(seeds.base(0), logits, num_samples)
    return objectives.elbo(made, logits, noise, fn, prior, **options)


@pytest.mark.parametrize("latents", ["categorical", "bernoulli"])
def test_value_by_enumeration(latents):
    logits, prior, fn = setting(latents)
    expectation, kl = enumerated(latents, logits, prior, fn)
    found = call(latents, logits, prior, fn, kl_weight=0.3)
    np.testing.assert_allclose(found.loss, 0.3 * kl - expectation, rtol=1e-9)
    np.testing.assert_allclose(found.terms["elbo_nats"], expectation - kl, rtol=1e-9)
    np.testing.assert_allclose(found.terms["reconstruction_nats"], -expectation, rtol=1e-9)
    np.testing.assert_allclose(found.terms["kl_nats"], kl, rtol=1e-9)
    assert found.loss.shape == found.auxiliary.shape == (3,)


@pytest.mark.parametrize("estimator", ["score_function", "straight_through", "gumbel_softmax"])
def test_examples_do_not_mix(estimator):
    """Each example's terms depend on its own logits and noise alone."""
    logits, prior, fn = setting("categorical")
    made = estimators.get(estimator)
    noise = made.draw_noise(seeds.base(0), logits, 2)
    whole = objectives.elbo(made, logits, noise, fn, prior)
    for i in range(3):
        one = objectives.elbo(made, logits[i : i + 1], noise[:, i : i + 1], fn, prior)
        np.testing.assert_allclose(one.loss[0], whole.loss[i], rtol=1e-9)
    empty = objectives.elbo(made, logits[:0], noise[:, :0], fn, prior)
    assert empty.loss.shape == (0,)


def test_free_bits_are_charged_and_give_no_gradient():
    logits, prior, fn = setting("categorical")
    kl = discrete.Categorical(logits).kl_per_variable(prior).numpy()
    bits = float(np.median(kl))
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(logits)
        free = call("categorical", logits, prior, lambda z: tf.zeros(tf.shape(z)[:-2], z.dtype))
        charged = call(
            "categorical",
            logits,
            prior,
            lambda z: tf.zeros(tf.shape(z)[:-2], z.dtype),
            free_bits=bits,
        )
    np.testing.assert_allclose(charged.loss, np.maximum(kl, bits).sum(-1), rtol=1e-9)
    np.testing.assert_allclose(charged.terms["kl_nats"], kl.sum(-1), rtol=1e-9)
    np.testing.assert_allclose(charged.terms["elbo_nats"], -kl.sum(-1), rtol=1e-9)
    gradient = tape.gradient(charged.loss, logits).numpy()
    below = kl < bits
    assert below.any() and (~below).any()
    assert (gradient[below] == 0).all()
    expected = tape.gradient(free.loss, logits).numpy()
    np.testing.assert_allclose(gradient[kl > bits], expected[kl > bits], rtol=1e-9)


def test_weight_of_the_kl_in_another_precision():
    logits, prior, fn = setting("categorical")
    found = call("categorical", logits, prior, fn, kl_weight=tf.constant(0.5, tf.float32))
    assert found.loss.dtype == tf.float64
    same = call("categorical", logits, prior, fn, kl_weight=0.5)
    np.testing.assert_allclose(found.loss, same.loss, rtol=1e-12)
