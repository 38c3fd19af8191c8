"""The categorical VAE of several stochastic layers: against enumeration, its terms and its files."""

from __future__ import annotations

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.models import small_models
from tests.models.layered_models import LATENTS, make
from tf_discrete import estimators, seeds
from tf_discrete.models import AutoregressivePrior, CategoricalVAE


def paths(model, x):
    """Of all choices of all layers: log q(z | x) and log p(x, z), [Z, B], differentiable."""
    log_q, draws = choices(model, x)
    priors = model.prior.priors_given(tuple(model.latent_spec.uniform().code(z) for z in draws))
    log_p = tf.add_n([p.log_prob(z) for p, z in zip(priors, draws, strict=True)])
    return log_q, log_p + model.conditional_log_likelihood(x, draws[0])


def choices(model, x):
    """All choices of all layers, and log q(z | x) of each, [Z, B]."""
    batch = len(x)
    log_q, draws = tf.zeros([1, batch]), []
    for depth, layer in enumerate(model.chain.estimators):
        if depth:
            logits = model.chain.logits(depth, draws[-1])
        else:
            logits = model.chain.logits(0, x)[tf.newaxis]
        distribution = layer.distribution(logits)
        choices = distribution.enumerate()
        count, before = len(choices), logits.shape[0]
        spread = tf.tile(
            choices[:, tf.newaxis, tf.newaxis], [1, before, batch] + [1] * distribution.event_rank
        )
        log_q = tf.reshape(log_q + distribution.log_prob(spread), [-1, batch])
        draws = [tf.tile(z, [count] + [1] * (z.shape.rank - 1)) for z in draws]
        draws.append(tf.reshape(spread, [-1, batch, *spread.shape[3:]]))
    return log_q, draws


# Against enumeration.


@pytest.mark.parametrize("latents", LATENTS)
@pytest.mark.parametrize("prior", ["uniform", "learned"])
def test_enumeration_gives_the_exact_elbo_and_its_gradient(latents, prior):
    model, x = make(latents, estimator="enumeration", prior=prior), small_models.data(count=3)
    variables = [variable.value for variable in model.trainable_variables]
    with tf.GradientTape(persistent=True) as tape:
        loss = model.objective(x, seeds.base(0), training=True).loss
        log_q, log_p = paths(model, x)
        exact = -tf.reduce_sum(tf.exp(log_q) * (log_p - log_q), axis=0)
    np.testing.assert_allclose(loss, exact, rtol=1e-5)
    assert len(variables) == 8 + (prior == "learned")
    for one, two in zip(
        tape.gradient(loss, variables), tape.gradient(exact, variables), strict=True
    ):
        np.testing.assert_allclose(one, two, rtol=1e-3, atol=1e-4)
        assert np.abs(two).max() > 1e-3


@pytest.mark.parametrize("latents", LATENTS)
def test_hard_terms_and_bounds(latents):
    model, x, draws = make(latents, 0.5, prior="learned"), small_models.data(count=3), 4000
    log_q, log_p = (value.numpy().astype(np.float64) for value in paths(model, x))
    elbo = (np.exp(log_q) * (log_p - log_q)).sum(0)
    exact = np.log(np.exp(log_p).sum(0))
    many = tf.repeat(x, draws, axis=0)
    hard = model.hard_terms(many, seeds.base(1))["hard_elbo_nats"].numpy().reshape(3, draws)
    error = hard.std(axis=1, ddof=1) / np.sqrt(draws)
    assert (np.abs(hard.mean(axis=1) - elbo) < 4.5 * error).all()
    one = model.log_likelihood(many, 1, seed=2).numpy().reshape(3, draws)
    error = one.std(axis=1, ddof=1) / np.sqrt(draws)
    assert (np.abs(one.mean(axis=1) - elbo) < 4.5 * error).all()
    # log of a mean of weights with mean 1: bias -var / 2m, standard deviation sqrt(var / m).
    variance = (np.exp(log_q) * np.exp(2 * (log_p - log_q - exact))).sum(0) - 1
    deviation = np.sqrt(variance / 10_000)
    assert (deviation < 0.1).all()
    found = model.log_likelihood(x, 10_000, seed=3, chunk=10_000).numpy()
    assert (np.abs(found - exact) < 4.5 * deviation + deviation**2).all()
    assert (elbo < exact).all()


@pytest.mark.parametrize("objective", ["elbo", "importance_weighted"])
def test_score_estimators_train_both_layers_without_bias(objective):
    model = make(
        "bernoulli", estimator="vimco", objective=objective, num_variables=1, prior="learned"
    )
    x, draws = small_models.data(count=1), 20_000
    variables = [variable.value for variable in model.trainable_variables]
    with tf.GradientTape() as tape:
        log_q, log_p = paths(model, x)
        pairs = np.array(list(itertools.product(range(len(log_q)), repeat=2))).T
        reduce = estimators.mean if objective == "elbo" else estimators.log_mean_exp
        weight = tf.exp(tf.reduce_sum(tf.gather(log_q, pairs), axis=0))
        exact = tf.reduce_sum(weight * reduce(tf.gather(log_p - log_q, pairs)))
    expected = tape.gradient(exact, variables)
    many = tf.repeat(x, draws, axis=0)
    found = [[] for _ in variables]
    for repeat in range(8):  # Each a mean over the batch, so their spread is that of a mean.
        with tf.GradientTape() as tape:
            mean = -tf.reduce_mean(model.objective(many, seeds.base(repeat), training=True).loss)
        for one, gradient in zip(found, tape.gradient(mean, variables), strict=True):
            one.append(gradient.numpy())
    for one, truth in zip(found, expected, strict=True):
        error = np.std(one, axis=0, ddof=1) / np.sqrt(8)
        assert error.max() < 0.1 * max(np.abs(truth).max(), 0.05)
        # Student's t with 7 degrees of freedom: 10 is passed once in 50 000 numbers; and rounding.
        assert (
            np.abs(np.mean(one, axis=0) - truth) < 10 * error + 1e-3 * np.abs(truth) + 1e-6
        ).all()


# Of the terms.


@pytest.mark.parametrize("latents", LATENTS)
def test_the_kl_is_that_of_enumeration(latents):
    model, x = make(latents, estimator="enumeration", prior="learned"), small_models.data(count=3)
    log_q, log_p = paths(model, x)
    _, draws = choices(model, x)
    likelihood = model.conditional_log_likelihood(x, draws[0])
    terms = model.objective(x, seeds.base(0), training=False).terms
    q = tf.exp(log_q)
    expected = -tf.reduce_sum(q * likelihood, axis=0)
    np.testing.assert_allclose(terms["reconstruction_nats"], expected, rtol=1e-4)
    kl = tf.reduce_sum(q * (log_q - log_p + likelihood), axis=0)
    np.testing.assert_allclose(terms["kl_nats"], kl, rtol=1e-4)


@pytest.mark.parametrize(
    "estimator,objective",
    [
        ("vimco", "importance_weighted"),
        ("gumbel_softmax", "relaxed_importance_weighted"),
        ("gumbel_softmax", "doubly_reparameterized"),
        ("gumbel_softmax", "relaxed_elbo"),
    ],
)
def test_every_objective_reports_the_parts(estimator, objective):
    for sizes in (2, (2, 1)):
        arguments = {"estimator": estimator, "objective": objective, "num_samples": 3}
        model = make(num_variables=sizes, **arguments)
        terms = model.objective(small_models.data(), seeds.base(0), training=False).terms
        total = -terms["reconstruction_nats"] - terms["kl_nats"]
        np.testing.assert_allclose(terms["elbo_nats"], total, rtol=1e-6)
        if objective != "relaxed_elbo":
            assert np.mean(terms["multi_sample_bound_nats"]) > np.mean(terms["elbo_nats"])


# Layers of different sizes, and networks of all sorts.


def test_layers_of_different_categories():
    arguments = {"num_variables": (2, 1), "num_categories": (2, 4), "estimator": "enumeration"}
    model, x = make(prior="learned", **arguments), small_models.data(count=3)
    log_q, log_p = paths(model, x)
    exact = -tf.reduce_sum(tf.exp(log_q) * (log_p - log_q), axis=0)
    terms = model.objective(x, seeds.base(0), training=True)
    np.testing.assert_allclose(terms.loss, exact, rtol=1e-5)
    assert model.num_categories == 4 and model.categories_per_variable == (2, 2, 4)
    probs, codes = model.encode_probs(x).numpy(), model.encode(x).numpy()
    assert probs.shape == (3, 3, 4) and (probs[:, :2, 2:] == 0).all()
    np.testing.assert_array_equal(codes, probs.argmax(-1))
    assert np.isfinite(model.posterior(x).entropy()).all()
    sampled = model.sample_codes(200, 3).numpy()
    assert sampled[:, :2].max() == 1 and sampled[:, 2].max() == 3
    assert model.decode(sampled).shape == (200, 4)
    with pytest.raises(ValueError, match=r"\[0, num_categories\) = \[0, 2\).*maximum=2"):
        model.decode([[2, 0, 3]])
    with pytest.raises(ValueError, match=r"as many categories.*categories_per_variable=\(2, 2, 4"):
        AutoregressivePrior.for_model(model, units=2)
    again = type(model).from_config(model.get_config())
    assert again.get_config() == model.get_config()


def own_networks():
    encoder = [keras.Input((4, 4, 1)), keras.layers.Flatten(), keras.layers.Dense(6)]
    decoder = [keras.Input((2, 3)), keras.layers.Flatten(), keras.layers.Dense(16)]
    return {"encoder": keras.Sequential(encoder), "decoder": keras.Sequential(decoder)}


@pytest.mark.one_in(2)
@pytest.mark.parametrize("networks", ["conv", "own"])
@pytest.mark.parametrize("hidden_units", [(), (3,)])
def test_any_first_network_goes_with_several_layers(networks, hidden_units, tmp_path):
    given = own_networks() if networks == "own" else {"encoder": "conv"}
    shape = (4, 4, 1)
    model = CategoricalVAE(shape, (2, 1), 3, hidden_units=hidden_units, centering=True, **given)
    model.compile("adam", run_eagerly=True)
    x = small_models.data(shape)
    assert np.isfinite(list(model.train_on_batch(x, return_dict=True).values())).all()
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again.log_likelihood(x, 3), model.log_likelihood(x, 3))
    assert model.reconstruct(x).shape == x.shape


def test_the_number_of_layers_follows_from_any_argument():
    assert CategoricalVAE((4,), hidden_units=()).num_layers == 1
    for changes in (
        {"num_layers": 2},
        {"num_variables": (3, 2)},
        {"num_categories": (3, 2)},
        {"estimator": ["vimco", "nvil"]},
        {"temperature": (1.0, 0.5)},
        {"prior_temperature": (1.0, 0.5)},
    ):
        assert CategoricalVAE((4,), hidden_units=(), **changes).num_layers == 2


def test_the_config_of_one_layer_is_simple():
    config = CategoricalVAE((4,), 3, 2, hidden_units=(), prior_temperature=0.4).get_config()
    assert (config["num_layers"], config["num_variables"], config["num_categories"]) == (1, 3, 2)
    assert config["prior_temperature"] == 0.4 and isinstance(config["estimator"], dict)


# Training, use and files.


@pytest.mark.one_in(3)
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"objective": "relaxed_elbo", "prior_temperature": (0.5, 0.4), "prior": "learned"},
        {"objective": "relaxed_importance_weighted", "num_samples": 3, "latents": "bernoulli"},
        {"objective": "doubly_reparameterized", "num_samples": 3, "centering": True},
        {"objective": "importance_weighted", "estimator": "vimco", "num_samples": 3},
        {"estimator": ["nvil", "disarm"], "hidden_units": (3, 3), "code_values": "plus_minus"},
    ],
    ids=["elbo", "relaxed", "relaxed_iw", "doubly", "vimco", "mixed"],
)
def test_every_weight_learns_and_files_keep_everything(changes, tmp_path):
    changes = {"centering": True, **changes}
    model = make(changes.pop("latents", "categorical"), monitor_every=1, **changes)
    model.compile(optimizer=keras.optimizers.Adam(0.01), run_eagerly=True)
    before = [variable.numpy() for variable in model.trainable_variables]
    logs = model.train_on_batch(small_models.data(), return_dict=True)
    assert np.isfinite(list(logs.values())).all()
    for old, variable in zip(before, model.trainable_variables, strict=True):
        assert np.abs(old - variable.numpy()).max() > 0, variable.path
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.get_config() == model.get_config()
    x = small_models.data()
    np.testing.assert_array_equal(loaded.log_likelihood(x, 7), model.log_likelihood(x, 7))
    np.testing.assert_array_equal(loaded.reconstruct(x), model.reconstruct(x))


def test_samples_follow_the_joint_law_of_all_layers():
    model = make("bernoulli", prior="learned", num_variables=(2, 1))
    codes = model.sample_codes(20_000, seed=5).numpy()
    assert codes.shape == (20_000, 3)
    every = np.array(list(itertools.product([0, 1], repeat=3)), np.float32)
    given = tf.constant(every, tf.int32)
    priors = model.prior.priors_given((given[:, :2], given[:, 2:]))
    log_p = priors[0].log_prob(every[:, :2]) + priors[1].log_prob(every[:, 2:])
    share = (codes[:, np.newaxis] == every).all(-1).mean(0)
    error = np.sqrt(np.exp(log_p) * (1 - np.exp(log_p)) / 20_000)
    assert (np.abs(share - np.exp(log_p)) < 4.5 * error).all()
    np.testing.assert_allclose(np.exp(log_p).sum(), 1.0, rtol=1e-5)
    assert model.sample(7, seed=1).shape == (7, 4)


def test_samples_come_from_another_prior_if_asked():
    model = make()
    prior = AutoregressivePrior.for_model(model, units=4)
    drawn = prior.sample(50, seed=2)
    np.testing.assert_array_equal(model.sample_codes(50, 2, prior), drawn)
    np.testing.assert_array_equal(model.sample(50, 2, prior=prior), model.decode(drawn))
    assert (model.sample_codes(50, 2) != drawn).numpy().any()


@pytest.mark.parametrize(
    "changes,message",
    [
        ({"num_layers": 0}, "num_layers must be at least 1"),
        ({"temperature": (0.5, 0.4, 0.3)}, "temperature must be one for all.*of the 2"),
        ({"prior_temperature": (0.5,)}, "prior_temperature must be one for all.*of the 2"),
        ({"prior_temperature": -1.0}, "prior_temperature must be positive"),
        ({"prior_temperature": (0.5, float("nan"))}, "prior_temperature must be positive.*=nan"),
        ({"objective": "multi_sample"}, "objective must be one of elbo, relaxed_elbo"),
        ({"num_samples": 0}, "num_samples must be at least 1"),
        (
            {"objective": "relaxed_elbo", "estimator": ["gumbel_softmax", "vimco"]},
            "objective='relaxed_elbo' takes the density.*estimator=VIMCO",
        ),
        (
            {"objective": "importance_weighted", "estimator": "rebar"},
            "Layer 1 of 2: REBAR takes the reductions mean",
        ),
        ({"estimator": "vimco", "num_samples": 1}, "Layer 1 of 2: VIMCO needs at least 2 samples"),
        ({"num_categories": (3, 2, 2)}, "num_categories must be one for all.*of the 2"),
        ({"free_bits": 0.1}, "of one layer. Set free_bits=0. Received: num_layers=2"),
        ({"prior": "normal"}, "prior must be one of uniform, learned"),
        ({"code_values": "x"}, "code_values must be one of"),
    ],
)
def test_bad_arguments_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        make(**changes)


def test_observations_of_another_shape_are_refused():
    model = make(data_shape=(2, 2))
    for shape in ((3, 4), (3, 4, 1), (3, 2, 3)):
        with pytest.raises(ValueError, match=r"have the shape \(2, 2\).*Received: x.shape=\(3, "):
            model.encode(tf.zeros(shape))
