"""The categorical VAE against enumeration, in training and in use."""

from __future__ import annotations

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.models import small_models
from tf_discrete import seeds
from tf_discrete.models import CategoricalVAE

LATENTS = {"categorical": {}, "bernoulli": small_models.BERNOULLI}


# Against enumeration.


@pytest.mark.parametrize("latents", LATENTS)
@pytest.mark.parametrize("prior", ["uniform", "learned"])
def test_elbo_by_enumeration(latents, prior):
    model = small_models.make(estimator="enumeration", prior=prior, **LATENTS[latents])
    x = small_models.data()
    terms = model.objective(x, seeds.base(0), training=True)
    expected = small_models.truth(model, x)
    np.testing.assert_allclose(terms.terms["elbo_nats"], expected["elbo"], rtol=1e-5)
    np.testing.assert_allclose(terms.loss, -expected["elbo"], rtol=1e-5)
    assert (expected["elbo"] < expected["log_p"]).all()


@pytest.mark.parametrize("latents", LATENTS)
def test_hard_terms_and_one_sample_bound_are_unbiased_for_the_elbo(latents):
    model = small_models.make(prior="learned", **LATENTS[latents])
    x, draws = small_models.data(count=3), 4000
    expected = small_models.truth(model, x)
    many = tf.repeat(x, draws, axis=0)
    hard = model.hard_terms(many, seeds.base(1))["hard_elbo_nats"].numpy().reshape(3, draws)
    # The KL is exact there, so its spread is not that of log w; use that of the draws themselves.
    error = hard.std(axis=1, ddof=1) / np.sqrt(draws)
    assert (np.abs(hard.mean(axis=1) - expected["elbo"]) < 4.5 * error).all()
    one = model.log_likelihood(many, 1, seed=2).numpy().reshape(3, draws)
    error = np.sqrt(expected["elbo_variance"] / draws)
    assert (np.abs(one.mean(axis=1) - expected["elbo"]) < 4.5 * error).all()


@pytest.mark.parametrize("latents", LATENTS)
@pytest.mark.parametrize("chunk", [None, 300])
def test_log_likelihood_tends_to_the_exact_one_from_below(latents, chunk):
    model = small_models.make(prior="learned", **LATENTS[latents])
    x = small_models.data(count=4)
    expected = small_models.truth(model, x)
    samples = 2000
    found = model.log_likelihood(x, samples, seed=3, chunk=chunk).numpy()
    # log of a mean of weights with mean 1: bias -var / 2m, standard deviation sqrt(var / m).
    deviation = np.sqrt(expected["weight_variance"] / samples)
    assert (deviation < 0.2).all()
    assert (np.abs(found - expected["log_p"]) < 4.5 * deviation + deviation**2).all()
    # Over many repetitions the bound of few samples lies between the ELBO and the truth.
    many = tf.repeat(x, 2000, axis=0)
    few = model.log_likelihood(many, 5, seed=4, chunk=chunk).numpy().reshape(4, -1)
    error = few.std(axis=1) / np.sqrt(2000)
    assert (few.mean(axis=1) + 3 * error < expected["log_p"]).all()
    assert (few.mean(axis=1) - 3 * error > expected["elbo"]).all()


def test_log_likelihood_in_chunks_that_fit_into_memory(monkeypatch):
    model = small_models.make()
    asked = []

    def log_weights(x, num_samples, seed):
        asked.append(num_samples)
        return tf.zeros([num_samples, len(x)])

    monkeypatch.setattr(model, "log_weights", log_weights)
    for batch, samples, expected in [
        (1, 250, [100, 100, 50]),
        (1000, 25, [10, 10, 5]),
        (20_000, 3, [1, 1, 1]),
        (0, 3, [3]),
    ]:
        asked.clear()
        model.log_likelihood(tf.zeros([batch, 4]), samples)
        assert asked == expected


def test_rows_follow_from_the_size_of_the_parameters():
    assert small_models.make().max_decoder_rows() == 10_000
    large = CategoricalVAE(
        (28, 28, 1), num_variables=2, hidden_units=(2,), likelihood="categorical_intensity"
    )
    rows = large.max_decoder_rows()
    assert rows == 2**25 // (28 * 28 * 256)


def test_log_weights_are_those_of_the_codes_that_were_drawn():
    model = small_models.make(prior="learned")
    x = small_models.data(count=3)
    expected = small_models.truth(model, x)["log_w"]
    found = model.log_weights(x, 50, seeds.base(0)).numpy()
    assert found.shape == (50, 3)
    for i in range(3):
        distance = np.abs(found[:, i, np.newaxis] - expected[np.newaxis, :, i]).min(axis=1)
        assert distance.max() < 1e-4


# Training.


def test_the_gradient_of_enumeration_is_that_of_the_exact_elbo():
    model = small_models.make(estimator="enumeration", prior="learned")
    x = small_models.data()
    variables = [variable.value for variable in model.trainable_variables]
    with tf.GradientTape(persistent=True) as tape:
        loss = tf.reduce_sum(model.objective(x, seeds.base(0), training=True).loss)
        posterior = model.posterior(x)
        z = tf.repeat(posterior.enumerate()[:, tf.newaxis], len(x), axis=1)
        log_q = posterior.log_prob(z)
        log_w = (
            model.conditional_log_likelihood(x, z) + model.prior_distribution().log_prob(z) - log_q
        )
        exact = -tf.reduce_sum(tf.exp(log_q) * log_w)
    found, expected = tape.gradient(loss, variables), tape.gradient(exact, variables)
    assert len(found) == 9  # Two layers each, and the prior.
    for one, two in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-3, atol=1e-4)
        assert np.abs(two).max() > 1e-3


@pytest.mark.parametrize("objective", ["elbo", "relaxed_elbo"])
def test_only_a_learned_prior_is_learned(objective):
    x = small_models.data()
    for prior, learned in (("learned", True), ("uniform", False)):
        model = small_models.make(prior=prior, objective=objective)
        assert any(v is model.prior.last.logits for v in model.trainable_variables) == learned
        with tf.GradientTape() as tape:
            value = model.prior.last.logits.value
            tape.watch(value)
            loss = tf.reduce_sum(model.objective(x, seeds.base(0), training=True).loss)
        assert np.abs(tape.gradient(loss, value)).max() > 1e-3


def test_free_bits_are_charged():
    x = small_models.data()
    plain, free = (small_models.make(estimator="enumeration", free_bits=b) for b in (0.0, 0.5))
    kl = plain.posterior(x).kl_per_variable(plain.prior_distribution()).numpy()
    assert (kl < 0.5).any() and (kl > 0.5).any()
    losses = [model.objective(x, seeds.base(0), True).loss.numpy() for model in (plain, free)]
    extra = np.maximum(kl, 0.5).sum(-1) - kl.sum(-1)
    np.testing.assert_allclose(losses[1] - losses[0], extra, rtol=1e-3, atol=1e-5)


def test_several_samples_average():
    x = small_models.data()
    model = small_models.make(num_samples=8)
    seed = seeds.base(0)
    found = model.objective(x, seed, training=True)
    logits = model.logits(x)
    own = seeds.fold(seed, "layer", 0)
    z = model.estimator.sample(logits, model.estimator.draw_noise(own, logits, 8)).value
    expected = tf.reduce_mean(model.conditional_log_likelihood(x, z), axis=0)
    np.testing.assert_allclose(found.terms["reconstruction_nats"], -expected, rtol=1e-5)
    assert found.loss.shape == (6,)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "float64"])
@pytest.mark.parametrize("objective", ["elbo", "relaxed_elbo"])
def test_laws_are_wide_whatever_the_policy(policy, objective):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        model = small_models.make(objective=objective, prior="learned")
        wide = tf.float64 if policy == "float64" else tf.float32
        x = small_models.data()
        assert model.logits(x).dtype == model.prior_distribution().logits.dtype == wide
        assert model.objective(x, seeds.base(0), training=True).loss.dtype == wide
        assert model.hard_terms(x, seeds.base(0))["hard_elbo_nats"].dtype == wide
        assert model.log_likelihood(x, 3).dtype == wide
    finally:
        keras.config.set_dtype_policy(before)


# What a trained model is for.


@pytest.mark.parametrize("latents", LATENTS)
def test_codes_are_the_most_probable_ones(latents):
    model = small_models.make(**LATENTS[latents])
    x = small_models.data()
    probs = model.encode_probs(x).numpy()
    codes = model.encode(x).numpy()
    if latents == "categorical":
        np.testing.assert_allclose(probs.sum(-1), 1.0, rtol=1e-5)
        np.testing.assert_array_equal(codes, probs.argmax(-1))
    else:
        assert probs.shape == (6, 2)
        np.testing.assert_array_equal(codes, probs > 0.5)


@pytest.mark.parametrize("latents", LATENTS)
def test_decode_gives_the_mean_or_a_draw(latents):
    model = small_models.make(**LATENTS[latents])
    codes = tf.constant(list(itertools.product(range(2), repeat=2)))
    mean = model.decode(codes).numpy()
    np.testing.assert_allclose(
        mean, tf.sigmoid(model.decoder(model.prior_distribution().one_hot(codes))), rtol=1e-5
    )
    draws = model.decode(tf.tile(codes, [400, 1]), seed=seeds.base(0)).numpy()
    draws = draws.reshape(400, *mean.shape)
    assert set(np.unique(draws)) == {0.0, 1.0}
    error = np.sqrt(mean * (1 - mean) / 400)
    assert (np.abs(draws.mean(0) - mean) < 4.5 * error + 1e-6).all()
    x = small_models.data()
    np.testing.assert_array_equal(model.reconstruct(x), model.decode(model.encode(x)))
    np.testing.assert_array_equal(model(x), model.reconstruct(x))


@pytest.mark.parametrize("latents", LATENTS)
def test_samples_follow_the_prior(latents):
    model = small_models.make(prior="learned", **LATENTS[latents])
    codes = model.sample_codes(20_000, seeds.base(0)).numpy()
    assert codes.dtype == np.int32
    frequency = np.stack([(codes == k).mean(0) for k in range(model.num_categories)], axis=-1)
    probs = model.prior_distribution().probs.numpy()
    if latents == "bernoulli":
        probs = np.stack([1 - probs, probs], axis=-1)
    assert np.abs(frequency - probs).max() < 4.5 * 0.5 / np.sqrt(20_000)
    np.testing.assert_array_equal(model.sample(3, seed=5), model.sample(3, seed=seeds.base(5)))
    assert (model.sample(30, seed=5).numpy() != model.sample(30, seed=6).numpy()).any()


# Bounds of several samples.


@pytest.mark.parametrize(
    "estimator,objective",
    [
        ("vimco", "importance_weighted"),
        ("straight_through", "importance_weighted"),
        ("gumbel_softmax", "relaxed_importance_weighted"),
        ("gumbel_softmax", "doubly_reparameterized"),
    ],
)
def test_multi_sample_objectives_train(estimator, objective):
    model = small_models.make(
        estimator=estimator, objective=objective, num_samples=5, prior="learned", monitor_every=1
    )
    model.compile(optimizer=keras.optimizers.Adam(0.01), run_eagerly=True)
    before = [variable.numpy() for variable in model.trainable_variables]
    many = tf.repeat(small_models.data(), 50, axis=0)  # So that the bounds are near their means.
    logs = model.train_on_batch(many, return_dict=True)
    assert logs["loss"] == pytest.approx(-logs["multi_sample_bound_nats"])
    assert logs["multi_sample_bound_nats"] > logs["elbo_nats"]
    for old, variable in zip(before, model.trainable_variables, strict=True):
        assert np.abs(old - variable.numpy()).max() > 0, variable.path


def test_the_bound_of_vimco_is_that_of_the_evaluation():
    model = small_models.make(estimator="vimco", objective="importance_weighted", num_samples=5)
    x = tf.repeat(small_models.data(count=3), 2000, axis=0)
    trained = -model.objective(x, seeds.base(0), training=False).loss.numpy().reshape(3, -1)
    scored = model.log_likelihood(x, 5, seed=1).numpy().reshape(3, -1)
    error = np.hypot(trained.std(axis=1), scored.std(axis=1)) / np.sqrt(2000)
    assert (np.abs(trained.mean(axis=1) - scored.mean(axis=1)) < 4.5 * error).all()
