"""Arguments of the categorical VAE: networks and likelihoods of one's own, files, and what is refused."""

from __future__ import annotations

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
    model.compile(keras.optimizers.Adam(0.01))
    model.optimizer.build(model.trainable_variables)
    model.train_step(x)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert essential(again.get_config()) == essential(model.get_config())
    for one in (model, again):
        one.train_step(x)
    assert len(model.weights) == len(again.weights)
    assert {id(own) for own in model.estimator.weights} <= {id(own) for own in model.weights}
    names = [[variable.name for variable in one.weights] for one in (model, again)]
    assert names[0] == names[1]
    for one, two in zip(model.weights, again.weights, strict=True):
        np.testing.assert_array_equal(one, two, err_msg=one.path)
    np.testing.assert_array_equal(model.sample(3), again.sample(3))
    np.testing.assert_array_equal(model.log_likelihood(x, 4), again.log_likelihood(x, 4))
    return again


@pytest.mark.one_in(4)
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
    "temperature with an object": (
        lambda: {"temperature": 1.0, "estimator": estimators.get("gumbel_softmax")},
        "temperature goes with an estimator given by name.*Received: temperature=1.0",
    ),
    "latents of the estimator": (
        lambda: {"estimator": estimators.get("gumbel_softmax", latents="bernoulli")},
        "must have the same kind of latents.*estimator.latents='bernoulli'",
    ),
    "estimator": (
        lambda: {"estimator": "reinmaxx"},
        "estimator must be one of .* Did you mean 'reinmax'.*Received: estimator='reinmaxx'",
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
        "free_bits must be a finite number >= 0. Received: free_bits=-0.5",
    ),
    "prior_temperature": (
        lambda: {"prior_temperature": 0.0},
        r"prior_temperature must be positive and finite\. Received: prior_temperature=0\.0",
    ),
    "kl_weight": (
        lambda: {"kl_weight": -1.0},
        r"kl_weight must not be negative at any step\..*Received: kl_weight=-1\.0",
    ),
    "likelihood": (
        lambda: {"likelihood": lambda x, parameters: x},
        "likelihood must be one of bernoulli, .*Received: likelihood=<function",
    ),
    "encoder name": (
        lambda: {"encoder": "resnet"},
        "encoder must be one of conv, conv_grid, mlp, or a Keras model; .* Received: encoder='resnet'",
    ),
    "decoder name": (
        lambda: {"decoder": "resnet"},
        "decoder must be one of conv, conv_grid, mlp, or a Keras model; .* Received: decoder='resnet'",
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


@pytest.mark.parametrize(
    "changes,message",
    [
        (
            {"objective": "importance_weighted"},
            "weighs discrete samples.*relaxed_importance_weighted.*Received: estimator=GumbelSoftmax",
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
