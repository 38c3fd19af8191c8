"""The categorical VAE against enumeration, its files, and what it refuses."""

from __future__ import annotations

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.models import small_models
from tf_discrete import estimators, likelihoods, schedules, seeds
from tf_discrete.models import CategoricalVAE

LATENTS = {"categorical": {}, "bernoulli": small_models.BERNOULLI}


@keras.saving.register_keras_serializable("categorical_vae_test")
class OwnLikelihood(likelihoods.Likelihood):
    """Laplace pixels."""

    def log_prob(self, x, parameters):
        return -tf.reduce_sum(tf.abs(x - parameters), axis=-1)

    def mean(self, parameters):
        return parameters


@keras.saving.register_keras_serializable("categorical_vae_test")
def own_activation(x):
    return tf.sin(x)


class UnregisteredLayer(keras.layers.Layer):
    def call(self, inputs):
        return inputs


def own_networks(activation=own_activation, layer=None, outputs=4):
    """A user's encoder and decoder for data of shape (4,), 2 variables, 3 categories."""
    encoder = [keras.Input((4,)), keras.layers.Dense(6, activation=activation)]
    decoder = [keras.Input((2, 3)), keras.layers.Flatten(), keras.layers.Dense(outputs)]
    if layer is not None:
        encoder.append(layer)
    return {"encoder": keras.Sequential(encoder), "decoder": keras.Sequential(decoder)}


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
@pytest.mark.parametrize("chunk", [None, 7])
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
    assert small_models.make().rows_at_once() == 10_000
    large = CategoricalVAE(
        (28, 28, 1), num_variables=2, hidden_units=(2,), likelihood="categorical_intensity"
    )
    rows = large.rows_at_once()
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
        log_w = model.log_likelihood_given(x, z) + model.prior_law().log_prob(z) - log_q
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
        assert any(v is model.prior_logits for v in model.trainable_variables) == learned
        with tf.GradientTape() as tape:
            value = model.prior_logits.value
            tape.watch(value)
            loss = tf.reduce_sum(model.objective(x, seeds.base(0), training=True).loss)
        assert np.abs(tape.gradient(loss, value)).max() > 1e-3


def test_free_bits_are_charged():
    x = small_models.data()
    plain, free = (small_models.make(estimator="enumeration", free_bits=b) for b in (0.0, 0.5))
    kl = plain.posterior(x).kl_per_variable(plain.prior_law()).numpy()
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
    z = model.estimator.sample(logits, model.estimator.draw_noise(seed, logits, 8)).value
    expected = tf.reduce_mean(model.log_likelihood_given(x, z), axis=0)
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
        assert model.logits(x).dtype == model.prior_law().logits.dtype == wide
        assert model.objective(x, seeds.base(0), training=True).loss.dtype == wide
        assert model.hard_terms(x, seeds.base(0))["hard_elbo_nats"].dtype == wide
        assert model.log_likelihood(x, 3).dtype == wide
    finally:
        keras.config.set_dtype_policy(before)


def test_own_networks_of_another_precision():
    networks = own_networks()
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float64")
    try:
        model = CategoricalVAE(**{**small_models.ARGUMENTS, **networks})
    finally:
        keras.config.set_dtype_policy(before)
    x = small_models.data()
    assert model.objective(x, seeds.base(0), training=True).loss.dtype == tf.float64
    assert model.reconstruct(x).shape == (6, 4)


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
        mean, tf.sigmoid(model.decoder(model.prior_law().one_hot(codes))), rtol=1e-5
    )
    draws = np.stack([model.decode(codes, seed=seeds.base(i)).numpy() for i in range(400)])
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
    probs = model.prior_law().probs.numpy()
    if latents == "bernoulli":
        probs = np.stack([1 - probs, probs], axis=-1)
    assert np.abs(frequency - probs).max() < 4.5 * 0.5 / np.sqrt(20_000)
    np.testing.assert_array_equal(model.sample(3, seed=5), model.sample(3, seed=seeds.base(5)))
    assert (model.sample(30, seed=5).numpy() != model.sample(30, seed=6).numpy()).any()


# Files.


def essential(config):
    """A config as JSON has it, without the notes of what shapes a layer was built with."""
    if isinstance(config, dict):
        noted = ("build_config", "compile_config")
        return {key: essential(value) for key, value in config.items() if key not in noted}
    return [essential(item) for item in config] if isinstance(config, (list, tuple)) else config


def round_trip(model, tmp_path):
    """Saves, loads, and trains both on with the same data: nothing must be lost."""
    x = small_models.data(model.data_shape)
    model.compile(keras.optimizers.Adam(0.01), run_eagerly=True)
    model.fit(x, verbose=0, shuffle=False)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    again.run_eagerly = True
    assert essential(again.get_config()) == essential(model.get_config())
    for one in (model, again):
        one.fit(x, verbose=0, shuffle=False, epochs=2)
    assert len(model.weights) == len(again.weights)
    names = [[variable.name for variable in one.weights] for one in (model, again)]
    assert names[0] == names[1]
    for one, two in zip(model.weights, again.weights, strict=True):
        np.testing.assert_array_equal(one, two, err_msg=one.path)
    np.testing.assert_array_equal(model.sample(3), again.sample(3))
    np.testing.assert_array_equal(model.log_likelihood(x, 4), again.log_likelihood(x, 4))
    return again


@pytest.mark.parametrize(
    "name,latents",
    [(name, kind) for kind in LATENTS for name in estimators.names(latents=kind)],
)
def test_round_trip_of_every_estimator(name, latents, tmp_path):
    again = round_trip(small_models.make(estimator=name, **LATENTS[latents]), tmp_path)
    assert type(again.estimator) is estimators.get_class(name)


@pytest.mark.parametrize(
    "changes",
    [
        {"prior": "learned", "seed": 7, "monitor_every": 3, "free_bits": 0.2},
        {"objective": "relaxed_elbo", "prior_temperature": 0.7, "num_samples": 3},
        {
            "temperature": schedules.Exponential(1.0, 0.3, 0.2, 2),
            "kl_weight": schedules.Linear(0.0, 0.5, 5),
        },
        {"likelihood": "gaussian"},
        {"likelihood": likelihoods.Gaussian(scale=None)},
        {"likelihood": likelihoods.CategoricalIntensity(levels=3)},
        {"likelihood": "cosine_similarity"},
        {"likelihood": "own"},
        {"encoder": "conv", "data_shape": (9, 8, 3), "likelihood": "categorical_intensity"},
        {"encoder": "mlp", "decoder": "conv", "data_shape": (5, 6, 1)},
        {"encoder": "own"},
        {"encoder": "own", "decoder": "mlp"},
    ],
    ids=lambda changes: "-".join(f"{key}={value}" for key, value in changes.items())[:40],
)
def test_round_trip_of_everything_else(changes, tmp_path):
    if changes.get("likelihood") == "own":
        changes = {**changes, "likelihood": OwnLikelihood()}

        def draw(self, parameters, seed):
            return parameters

        OwnLikelihood.sample = draw
    if changes.get("encoder") == "own":
        changes = {**own_networks(), **{k: v for k, v in changes.items() if k != "encoder"}}
    round_trip(small_models.make(**changes), tmp_path)


# Refusals.


def refused_networks(**changes):
    return {**own_networks(**changes)}


REFUSED = {
    "num_categories": (
        lambda: {"num_categories": 1},
        r"num_categories must be at least 2\. Received: num_categories=1",
    ),
    "num_variables": (
        lambda: {"num_variables": 0},
        r"num_variables must be at least 1\. Received: num_variables=0",
    ),
    "bernoulli": (
        lambda: {"latents": "bernoulli"},
        r"Bernoulli latents have 2 categories\. Set num_categories=2\. Received: num_categories=3",
    ),
    "latents": (lambda: {"latents": "ternary"}, "latents must be one of .*latents='ternary'"),
    "temperature": (
        lambda: {"temperature": 0.0},
        r"temperature must be positive at every step.*Received: temperature=0\.0",
    ),
    "temperature of a schedule": (
        lambda: {"temperature": schedules.Linear(1.0, 0.0, 10)},
        r"temperature must be positive at every step.*Received: temperature=0\.0",
    ),
    "temperature without taker": (
        lambda: {"temperature": 1.0, "estimator": "score_function"},
        r"ScoreFunction has no temperature; leave it out\. Received: temperature=1\.0",
    ),
    "temperature beside an object": (
        lambda: {"temperature": 1.0, "estimator": estimators.get("gumbel_softmax")},
        "temperature goes with an estimator given by name.*Received: temperature=1.0",
    ),
    "latents of the estimator": (
        lambda: {"estimator": estimators.get("gumbel_softmax", latents="bernoulli")},
        "must have the same kind of latents.*estimator.latents='bernoulli'",
    ),
    "estimator": (
        lambda: {"estimator": "reinmaxx"},
        "Unknown estimator. Did you mean 'reinmax'.*Received: estimator='reinmaxx'",
    ),
    "num_samples": (
        lambda: {"estimator": "score_function", "num_samples": 1},
        "ScoreFunction needs at least 2 samples. Set num_samples. Received: num_samples=1",
    ),
    "objective": (
        lambda: {"objective": "elboo"},
        "objective must be one of elbo, relaxed_elbo, importance_weighted, .*Received: objective='elboo'",
    ),
    "prior": (
        lambda: {"prior": "normal"},
        "prior must be one of uniform, learned. Received: prior='normal'",
    ),
    "relaxed objective": (
        lambda: {"objective": "relaxed_elbo", "estimator": "reinmax"},
        "needs a relaxed estimator such as gumbel_softmax. Received: estimator=ReinMax",
    ),
    "relaxed objective without a density": (
        lambda: {
            "objective": "relaxed_elbo",
            "estimator": "semantic_hashing",
            "latents": "bernoulli",
            "num_categories": 2,
        },
        "needs a relaxed estimator such as gumbel_softmax. Received: estimator=SemanticHashing",
    ),
    "free bits of the relaxed objective": (
        lambda: {"objective": "relaxed_elbo", "free_bits": 0.5},
        "free_bits needs the exact KL of objective='elbo'. Received: .*free_bits=0.5",
    ),
    "free_bits": (
        lambda: {"free_bits": -0.5},
        "free_bits must not be negative. Received: free_bits=-0.5",
    ),
    "prior_temperature": (
        lambda: {"prior_temperature": 0.0},
        r"prior_temperature must be positive\. Received: prior_temperature=0\.0",
    ),
    "kl_weight": (
        lambda: {"kl_weight": -1.0},
        r"kl_weight must not be negative at any step\..*Received: kl_weight=-1\.0",
    ),
    "likelihood": (
        lambda: {"likelihood": lambda x, parameters: x},
        "A likelihood is one of bernoulli, .*Received: likelihood=<function",
    ),
    "encoder name": (
        lambda: {"encoder": "resnet"},
        "encoder must be one of conv, mlp, or a Keras model. Received: encoder='resnet'",
    ),
    "decoder name": (
        lambda: {"decoder": "resnet"},
        "decoder must be one of conv, mlp, or a Keras model. Received: decoder='resnet'",
    ),
    "function as encoder": (
        lambda: {"encoder": lambda x: x, "decoder": "mlp"},
        "or a Keras model; a function cannot be saved. Received: encoder=<function",
    ),
    "no decoder": (
        lambda: {"encoder": own_networks()["encoder"]},
        "With an encoder of your own give a decoder too.*Received: decoder=None",
    ),
    "activation that is a lambda": (
        lambda: refused_networks(activation=lambda x: x),
        "encoder must be made of classes and functions that Keras can save.*'<lambda>'",
    ),
    "layer that is a lambda": (
        lambda: refused_networks(layer=keras.layers.Lambda(lambda x: x)),
        "encoder must be made of .* Decorate yours.*Received: encoder with '<lambda>'",
    ),
    "layer that is not registered": (
        lambda: refused_networks(layer=UnregisteredLayer()),
        "encoder must be made of .*Received: encoder with 'UnregisteredLayer'",
    ),
    "size of the decoder": (
        lambda: refused_networks(outputs=5),
        r"decoder must give 4 values for each example of shape \(2, 3\)\. .*\(None, 5\)",
    ),
    "conv for vectors": (
        lambda: {"encoder": "conv"},
        r"read images \[height, width, channels\].*Received: data_shape=\(4,\)",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_at_construction(case):
    make, message = REFUSED[case]
    with pytest.raises(ValueError, match=message):
        CategoricalVAE(**{**small_models.ARGUMENTS, **make()})


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
    logs = model.train_on_batch(small_models.data(), return_dict=True)
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


@pytest.mark.parametrize(
    "changes,message",
    [
        (
            {"objective": "importance_weighted"},
            "weighs hard draws.*relaxed_importance_weighted.*Received: estimator=GumbelSoftmax",
        ),
        (
            {"objective": "importance_weighted", "estimator": "rebar", "num_samples": 5},
            "REBAR takes the reductions mean.*such as vimco.*Received: reduce=log_mean_exp",
        ),
        (
            {"objective": "doubly_reparameterized", "estimator": "reinmax"},
            "objective='doubly_reparameterized' takes the density.*estimator=ReinMax",
        ),
        (
            {"objective": "importance_weighted", "estimator": "vimco", "free_bits": 0.5},
            "free_bits needs the exact KL.*objective='importance_weighted', free_bits=0.5",
        ),
        ({"num_samples": 0}, "num_samples must be at least 1. Received: num_samples=0"),
    ],
)
def test_bad_multi_sample_arguments_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        small_models.make(**changes)
