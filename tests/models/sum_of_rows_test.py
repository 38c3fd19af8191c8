"""The first affine map on one-hot values as a sum of rows: the networks that have one, and its value."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_discrete._internal import fusion
from tf_discrete.distributions import LatentSpec
from tf_discrete.models import convolutional_networks, layered_latents, mlp_networks, sum_of_rows

SPEC = LatentSpec(5, 7)
CODES = tf.constant(np.random.RandomState(0).randint(7, size=[4, 3, 5]), tf.int32)


def functional(*layers):
    inputs = keras.Input(SPEC.shape)
    x = inputs
    for layer in (keras.layers.Flatten(), *layers):
        x = layer(x)
    return keras.Model(inputs, x)


def randomised(network):
    """With biases that are not 0."""
    random = np.random.RandomState(1)
    for variable in network.trainable_variables:
        variable.assign(random.normal(scale=0.3, size=variable.shape))
    return network


NETWORKS = {
    "affine": lambda: mlp_networks.mlp_decoder(SPEC.shape, (4, 2), (), "relu"),
    "mlp": lambda: mlp_networks.mlp_decoder(SPEC.shape, (4, 2), (16, 8), "tanh"),
    "encoder": lambda: mlp_networks.mlp_encoder(SPEC.shape, 9, (16,), "relu"),
    "conv": lambda: convolutional_networks.conv_decoder(SPEC.shape, (8, 8, 1), (16,), "relu"),
    "no bias": lambda: functional(keras.layers.Dense(6, use_bias=False)),
    "dropout": lambda: functional(keras.layers.Dense(6), keras.layers.Dropout(0.5)),
    "sequential": lambda: keras.Sequential(
        [keras.Input(SPEC.shape), keras.layers.Flatten(), keras.layers.Dense(6, "softplus")]
    ),
}


@pytest.mark.parametrize("code_values", ["zero_one", "plus_minus"])
@pytest.mark.parametrize("name", NETWORKS)
def test_it_is_the_network_on_the_one_hot_values(name, code_values):
    spec = LatentSpec(5, 7, code_values=code_values)
    network = randomised(NETWORKS[name]())
    assert sum_of_rows.split(network, spec) is not None
    plain = layered_latents.read_codes(spec, network, CODES)
    with fusion.enabled():
        found = layered_latents.read_codes(spec, network, CODES)
    assert found.shape == plain.shape and found.dtype == plain.dtype
    np.testing.assert_allclose(found, plain, rtol=1e-4, atol=1e-4)


def skip():
    inputs = keras.Input(SPEC.shape)
    flat = keras.layers.Flatten()(inputs)
    return keras.Model(inputs, keras.layers.Add()([keras.layers.Dense(35)(flat), flat]))


def twice():
    dense = keras.layers.Dense(35)
    return functional(dense, dense)


class Own(keras.Model):
    def call(self, x):
        return keras.layers.Flatten()(x)


OTHERS = {
    "a layer that skips another": skip,
    "a subclass": Own,
    "no flat input": lambda: keras.Sequential([keras.Input(SPEC.shape), keras.layers.Dense(6)]),
    "no weights": functional,
    "another first layer": lambda: functional(keras.layers.Dropout(0.5), keras.layers.Dense(6)),
}


@pytest.mark.parametrize("name", OTHERS)
def test_networks_of_another_form_are_called(name):
    network = OTHERS[name]()
    assert sum_of_rows.split(network, SPEC) is None
    with fusion.enabled():
        found = layered_latents.read_codes(SPEC, network, CODES)
    expected = network(tf.one_hot(tf.reshape(CODES, [-1, 5]), 7))
    np.testing.assert_allclose(tf.reshape(found, expected.shape), expected, rtol=1e-5)


def test_a_layer_that_is_called_twice_is_read_at_its_place():
    network = randomised(twice())
    with fusion.enabled():
        found = layered_latents.read_codes(SPEC, network, CODES)
    np.testing.assert_allclose(
        found, layered_latents.read_codes(SPEC, network, CODES), rtol=1e-4, atol=1e-3
    )


@pytest.mark.parametrize(
    "spec",
    [LatentSpec(20, 2, "bernoulli"), LatentSpec(20, 3), LatentSpec(200, 7)],
    ids=["bits", "few categories", "many variables"],
)
def test_where_a_matrix_product_is_as_fast(spec):
    assert sum_of_rows.split(mlp_networks.mlp_decoder(spec.shape, (4,), (), "relu"), spec) is None
