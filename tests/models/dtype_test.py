"""The dtype policy of a model is that of the networks that it makes."""

from __future__ import annotations

import keras
import pytest

from tests.export import small_models
from tf_discrete import models


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "float64"])
@pytest.mark.parametrize("name", small_models.CLASSES)
def test_networks_have_the_policy_of_their_model(name, policy):
    model = small_models.make(name, dtype=policy)
    dense = [x for x in model._flatten_layers() if isinstance(x, keras.layers.Dense)]
    assert dense and {layer.dtype_policy.name for layer in dense} == {policy}
    assert keras.config.dtype_policy().name == "float32"
    copy = type(model).from_config(model.get_config())
    dense = [x for x in copy._flatten_layers() if isinstance(x, keras.layers.Dense)]
    assert {layer.dtype_policy.name for layer in dense} == {policy}


def test_networks_that_are_given_keep_theirs():
    network = keras.Sequential(
        [keras.Input((4, 4, 1)), keras.layers.Flatten(), keras.layers.Dense(6)]
    )
    model = models.CategoricalVAE(
        (4, 4, 1),
        num_variables=2,
        num_categories=3,
        encoder=network,
        decoder="mlp",
        dtype="mixed_bfloat16",
    )
    assert network.layers[-1].dtype_policy.name == "float32"
    made = [x for x in model.decoder._flatten_layers() if isinstance(x, keras.layers.Dense)]
    assert made and {layer.dtype_policy.name for layer in made} == {"mixed_bfloat16"}


def test_the_lstm_of_a_prior_has_the_policy_of_the_prior():
    prior = models.AutoregressivePrior(4, 3, units=8, dtype="mixed_bfloat16")
    lstm = [x for x in prior._flatten_layers() if isinstance(x, keras.layers.LSTM)]
    assert lstm and {layer.dtype_policy.name for layer in lstm} == {"mixed_bfloat16"}
