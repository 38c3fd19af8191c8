from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tests.estimators import problems
from tf_discrete import distributions, estimators, objectives, seeds


def setting(latents, dtype=tf.float64):
    logits = problems.generic_logits(latents, dtype)
    prior = distributions.get(latents)(0.5 * problems.generic_logits(latents, dtype, batch=1)[0])
    return logits, prior, problems.objective("network", latents, dtype)


def enumerated(latents, logits, prior, fn):
    """Expectation of fn and KL by their definitions, [B]."""
    distribution = distributions.get(latents)(logits)
    z = distribution.enumerate()[:, tf.newaxis]
    log_q = distribution.log_prob(z)
    expectation = tf.reduce_sum(tf.exp(log_q) * fn(z), axis=0)
    kl = tf.reduce_sum(tf.exp(log_q) * (log_q - prior.log_prob(z)), axis=0)
    return expectation.numpy(), kl.numpy()


def call(latents, logits, prior, fn, estimator="enumeration", num_samples=1, **options):
    made = estimators.get(estimator, latents=latents)
    noise = made.draw_noise(seeds.base(0), logits, num_samples)
    layer = objectives.one_layer(made, logits, prior)
    return objectives.elbo(layer, fn, noise=noise, **options)


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
    whole = objectives.elbo(objectives.one_layer(made, logits, prior), fn, noise=noise)
    for i in range(3):
        layer = objectives.one_layer(made, logits[i : i + 1], prior)
        one = objectives.elbo(layer, fn, noise=noise[:, i : i + 1])
        np.testing.assert_allclose(one.loss[0], whole.loss[i], rtol=1e-9)
    layer = objectives.one_layer(made, logits[:0], prior)
    empty = objectives.elbo(layer, fn, noise=noise[:, :0])
    assert empty.loss.shape == (0,)


def test_free_bits_are_charged_and_give_no_gradient():
    logits, prior, fn = setting("categorical")
    kl = distributions.Categorical(logits).kl_per_variable(prior).numpy()
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


def normalised(name, latents, **arguments):
    """An estimator whose running standard deviation is 7 and whose baseline has seen batches."""
    made = estimators.get(name, latents=latents, **arguments)
    made.build((None, *problems.generic_logits(latents).shape[1:]))
    for update in (made.baseline.update, made.spread.update):
        update(tf.constant([[-5.0, 9.0]]))
    return made


@pytest.mark.parametrize("latents", ["categorical", "bernoulli"])
@pytest.mark.parametrize(
    "name,arguments",
    [
        ("nvil", {"decay": 0.0}),
        ("score_function", {"baseline": "none", "variance_normalization": True, "decay": 0.0}),
        ("score_function", {"baseline": "learned", "variance_normalization": True, "decay": 0.0}),
    ],
)
def test_variance_normalization_keeps_the_direction_of_the_encoder(latents, name, arguments):
    """Enumerated over all draws: the encoder's gradient over 7; decoder's, prior's and values as they are."""
    made = normalised(name, latents, **arguments)
    inputs = tf.constant(np.random.RandomState(3).normal(size=[3, 4]))
    shape = problems.generic_logits(latents).shape[1:]
    encoder = tf.Variable(np.random.RandomState(4).normal(size=[4, *shape]))
    prior = tf.Variable(0.5 * problems.generic_logits(latents, batch=1)[0])
    decoder = problems.network_weights(latents)

    def fn(z):
        return problems.network(problems.as_vectors(z, latents), *decoder)

    def gradients(estimator, enumerate_draws):
        with tf.GradientTape() as tape:
            logits = tf.tensordot(inputs, encoder, 1)
            noise, weights = (
                estimator.draw_noise(seeds.base(0), logits),
                tf.ones([1, 1], tf.float64),
            )
            if enumerate_draws:
                distribution = estimator.distribution(logits)
                codes = distribution.enumerate()[:, tf.newaxis]
                weights = tf.stop_gradient(tf.exp(distribution.log_prob(codes)))
                logits = tf.broadcast_to(logits, [len(codes), *logits.shape])
                noise = tf.broadcast_to(codes, logits.shape)[tf.newaxis]
            layer = objectives.one_layer(estimator, logits, distributions.get(latents)(prior))
            terms = objectives.elbo(layer, fn, noise=noise, kl_weight=0.6)
            loss = tf.reduce_sum(weights * terms.loss)
        return loss, tape.gradient(loss, [encoder, prior, *decoder])

    exact_loss, exact = gradients(estimators.get("enumeration", latents=latents), False)
    loss, found = gradients(made, True)
    assert float(made.gradient_scale) == 7.0
    np.testing.assert_allclose(loss, exact_loss, rtol=1e-12)
    ours, theirs = (np.ravel(g[0]) for g in (found, exact))
    cosine = ours @ theirs / np.linalg.norm(ours) / np.linalg.norm(theirs)
    assert abs(cosine - 1.0) < 1e-6
    np.testing.assert_allclose(7.0 * ours, theirs, atol=7.0 * problems.rounding(made))
    for other, expected in zip(found[1:], exact[1:], strict=True):
        assert np.abs(expected).max() > 1e-2
        np.testing.assert_allclose(other, expected, atol=1e-9)


def test_the_scale_of_a_training_step_is_the_one_before_the_batch():
    """The same noise with and without the KL: the difference is its gradient over the old scale."""
    logits, prior, fn = setting("categorical")
    found = []
    for kl_weight in (1.0, 0.0):
        made = normalised(
            "score_function",
            "categorical",
            baseline="none",
            variance_normalization=True,
            decay=0.0,
        )
        noise = made.draw_noise(seeds.base(0), logits, 1)
        with tf.GradientTape() as tape:
            tape.watch(logits)
            layer = objectives.one_layer(made, logits, prior)
            loss = objectives.elbo(layer, fn, noise=noise, kl_weight=kl_weight, training=True).loss
        found.append(tape.gradient(loss, logits))
        assert float(made.gradient_scale) == 1.0  # The batch varies little.
    with tf.GradientTape() as tape:
        tape.watch(logits)
        kl = distributions.Categorical(logits).kl_divergence(prior)
    np.testing.assert_allclose(7.0 * (found[0] - found[1]), tape.gradient(kl, logits), atol=1e-9)
