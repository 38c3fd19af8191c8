"""A step runs the encoder once: the discrete path reads what the objective computed."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_discrete import models, seeds
from tf_discrete.layers import quantizers
from tf_discrete.models import convolutional_networks, networks
from tf_discrete.models.categorical_vae import OBJECTIVES

SHAPE = (4, 2)
X = tf.constant(np.random.RandomState(1).uniform(size=[6, *SHAPE]) < 0.4, tf.float32)
LATENTS = {"num_variables": 2, "num_categories": 3, "hidden_units": (5,)}
DISCRETE = {"estimator": "score_function", "objective": "importance_weighted", "num_samples": 2}
TWO = {**LATENTS, "num_variables": (3, 2)}
SEMI_SUPERVISED = {"num_classes": 3, "style_size": 2, "hidden_units": (5,)}


def vae(**changes):
    return models.CategoricalVAE(SHAPE, **{**LATENTS, **changes})


CASES = {
    **{
        f"CategoricalVAE-{objective}": lambda objective=objective: vae(
            **(DISCRETE if objective == "importance_weighted" else {"objective": objective})
        )
        for objective in OBJECTIVES
    },
    "CategoricalVAE-two": lambda: vae(**TWO),
    "CategoricalVAE-two-doubly": lambda: vae(**TWO, objective="doubly_reparameterized"),
    "CategoricalVAE-enumeration": lambda: vae(estimator="enumeration"),
    "CategoricalVAE-rebar": lambda: vae(estimator="rebar"),
    "SemanticHashingAutoencoder": lambda: models.SemanticHashingAutoencoder(
        SHAPE, num_bits=3, hidden_units=(5,)
    ),
    "QuantizedAutoencoder": lambda: models.QuantizedAutoencoder(
        SHAPE, quantizers.VectorQuantizer(5), latent_shape=(3, 2), hidden_units=(5,)
    ),
    "StructuredPrediction": lambda: models.StructuredPrediction(SHAPE, **LATENTS),
    "StructuredPrediction-multi": lambda: models.StructuredPrediction(
        SHAPE, **LATENTS, objective="multi_sample", num_samples=3
    ),
    "SemiSupervisedVAE": lambda: models.SemiSupervisedVAE(SHAPE, **SEMI_SUPERVISED),
    "SemiSupervisedVAE-enumeration": lambda: models.SemiSupervisedVAE(
        SHAPE, **SEMI_SUPERVISED, estimator="enumeration"
    ),
    "VariationalStateTabulation": lambda: models.VariationalStateTabulation(
        SHAPE, num_actions=2, num_bits=3, window=3, hidden_units=(5,), transition_units=(4,)
    ),
    "VariationalStateTabulation-disarm": lambda: models.VariationalStateTabulation(
        SHAPE, num_actions=2, num_bits=3, estimator="disarm", hidden_units=(5,)
    ),
    "CategoricalVAE-code_prior": lambda: vae(code_prior=models.AutoregressivePrior),
    "CategoricalVAE-two-code_prior": lambda: vae(**TWO, code_prior=models.AutoregressivePrior),
    "SemanticHashingAutoencoder-code_prior": lambda: models.SemanticHashingAutoencoder(
        SHAPE, num_bits=3, hidden_units=(5,), code_prior=models.AutoregressivePrior
    ),
}


def encoders(model):
    """The networks of x alone."""
    if isinstance(model, models.SemiSupervisedVAE):
        return [model.classifier, model.style_encoder.image_network]
    if isinstance(model, models.StructuredPrediction):
        return [model.chain.maps[0]]
    return [model.encoder]


def batch_of(model):
    """What a step of the model takes."""
    if not isinstance(model, models.VariationalStateTabulation):
        return X
    image = tf.stack([X] * model.window, axis=1)
    return {"image": image, "action": tf.ones([len(X), model.window - 1], tf.int32)}


def count_calls(network, monkeypatch):
    calls = []
    call = network.call

    def counted(*args, **kwargs):
        calls.append(args)
        return call(*args, **kwargs)

    monkeypatch.setattr(network, "call", counted)
    return calls


def test_the_cases_are_of_every_public_model():
    found = {
        name
        for name in models.__all__
        if isinstance(getattr(models, name), type)
        and issubclass(getattr(models, name), models.DiscreteModel)
    }
    assert {case.split("-")[0] for case in CASES} == found - {"DiscreteModel"}


@pytest.mark.one_in(4)
@pytest.mark.parametrize("case", CASES)
def test_a_step_runs_the_encoder_once_and_scores_what_another_run_would_give(case, monkeypatch):
    model = CASES[case]()
    model.compile("sgd")
    model.optimizer.build(model.trainable_variables)
    batch = batch_of(model)
    x = model.unpack_batch(batch)
    encoded = model.objective(x, seeds.base(1), training=True).encoded
    found = model.hard_terms(x, seeds.base(2), encoded)
    expected = model.hard_terms(x, seeds.base(2))
    assert found.keys() == expected.keys()
    for name in expected:
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-6, err_msg=name)
    for step in (model.train_step, model.test_step):
        calls = [count_calls(network, monkeypatch) for network in encoders(model)]
        step(batch)
        assert [len(one) for one in calls] == [1] * len(calls)


def noisy_encoder():
    return keras.Sequential(
        [
            keras.Input(SHAPE),
            keras.layers.Flatten(),
            keras.layers.Dropout(0.5, seed=1),
            keras.layers.Dense(6),
        ]
    )


def test_an_encoder_that_differs_in_training_is_run_as_at_inference(monkeypatch):
    model = vae(encoder=noisy_encoder(), decoder="mlp")
    assert model.objective(X, seeds.base(1), training=True).encoded is None
    assert model.objective(X, seeds.base(1), training=False).encoded is not None
    model.compile("sgd")
    model.optimizer.build(model.trainable_variables)
    calls = count_calls(model.encoder, monkeypatch)
    model.train_step(X)
    assert len(calls) == 2
    model.test_step(X)
    assert len(calls) == 3


@pytest.mark.parametrize(
    "changes",
    [
        {"normalization": "batch"},
        {"regularization": models.Regularization(dropout=0.1)},
        {
            "regularization": models.Regularization(
                augmentation=models.Augmentation(noise_stddev=0.1)
            )
        },
    ],
    ids=["batch norm", "dropout", "noise"],
)
def test_a_classifier_of_noisy_views_is_run_as_at_inference(changes):
    model = models.SemiSupervisedVAE(SHAPE, **SEMI_SUPERVISED, **changes)
    x = model.unpack_batch(X)
    assert model.objective(x, seeds.base(1), training=True).encoded is None
    assert model.objective(x, seeds.base(1), training=False).encoded is not None


def test_centering_differs_in_training():
    assert vae(centering=True).objective(X, seeds.base(1), training=True).encoded is None


def test_layers_that_take_training_are_found_wherever_they_are():
    plain, noisy = convolutional_networks.conv_encoder((8, 8, 1), 4, (3,), "relu"), noisy_encoder()
    assert not networks.differs_in_training(plain)
    inputs = keras.Input(SHAPE)
    assert networks.differs_in_training(keras.Model(inputs, noisy(inputs)))
