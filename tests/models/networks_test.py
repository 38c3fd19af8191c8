from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_discrete.models import convolutional_networks, mlp_networks, networks

IMAGES = [(28, 28, 1), (9, 8, 3), (1, 5, 2), (7, 2, 1)]


@pytest.mark.parametrize("name", ["mlp", "conv"])
@pytest.mark.parametrize("shape", IMAGES)
@pytest.mark.parametrize("size", [0, 1, 3])
def test_shapes(name, shape, size):
    encoder = networks.encoder(name, shape, 12, (6, 5), "relu")
    decoder = networks.decoder(name, (4, 3), (*shape, 2), (6, 5), "relu")
    assert encoder(tf.ones([size, *shape])).shape == (size, 12)
    assert decoder(tf.ones([size, 4, 3])).shape == (size, *shape, 2)


@pytest.mark.parametrize("shape", IMAGES)
@pytest.mark.parametrize("size", [0, 1, 3])
def test_shapes_of_grids(shape, size):
    rows, columns = convolutional_networks.grid_shape(shape, (6, 5))
    assert (rows - 1) * 4 < shape[0] <= rows * 4 and (columns - 1) * 4 < shape[1] <= columns * 4
    for latent_shape in ((rows, columns, 3), (rows * columns, 3), (2 * rows * columns,)):
        outputs = np.prod(latent_shape)
        encoder = networks.encoder("conv_grid", shape, outputs, (6, 5), "relu")
        decoder = networks.decoder("conv_grid", latent_shape, (*shape, 2), (6, 5), "relu")
        assert encoder(tf.ones([size, *shape])).shape == (size, outputs)
        assert decoder(tf.ones([size, *latent_shape])).shape == (size, *shape, 2)


def test_the_mlp_decoder_mirrors_the_encoder():
    encoder = networks.encoder("mlp", (4, 4, 1), 12, (7, 5), "tanh")
    decoder = networks.decoder("mlp", (4, 3), (4, 4, 1), (7, 5), "tanh")
    units = [
        [layer.units for layer in network.layers if isinstance(layer, keras.layers.Dense)]
        for network in (encoder, decoder)
    ]
    assert units == [[7, 5, 12], [5, 7, 16]]
    hidden = [layer for layer in encoder.layers if isinstance(layer, keras.layers.Dense)][0]
    assert hidden.activation is keras.activations.tanh


def test_no_hidden_layers():
    encoder = networks.encoder("mlp", (4, 4, 1), 12, (), "relu")
    assert [tuple(weight.shape) for weight in encoder.weights] == [(16, 12), (12,)]


def test_an_empty_batch_is_convolved_as_keras_does_any_other():
    ours = convolutional_networks.Conv2D(3, 3, strides=2, padding="same")
    theirs = keras.layers.Conv2D(3, 3, strides=2, padding="same")
    x = tf.constant(np.random.RandomState(0).normal(size=[2, 6, 5, 1]), tf.float32)
    ours(x), theirs(x)
    theirs.set_weights(ours.get_weights())
    np.testing.assert_allclose(ours(x), theirs(x), rtol=1e-5)
    assert ours(x[:0]).shape == (0, 3, 3, 3)


@networks.REGISTRY.restored()
def test_registered_networks_can_be_named():
    networks.register("networks_test", mlp_networks.mlp_encoder, mlp_networks.mlp_decoder)
    assert networks.names() == ["conv", "conv_grid", "mlp", "networks_test"]
    assert networks.encoder("networks_test", (3,), 2, (), "relu")(tf.ones([1, 3])).shape == (1, 2)
    with pytest.raises(ValueError, match="name of a network must be new.*name='mlp'"):
        networks.register(
            "mlp", convolutional_networks.conv_encoder, convolutional_networks.conv_decoder
        )


def test_an_output_bias_must_fit():
    network = keras.Sequential([keras.Input([3]), keras.layers.Dense(4)])
    with pytest.raises(ValueError, match=r"a bias for each of 6 outputs.*bias of shape \(4,\)"):
        networks.set_output_bias(network, np.zeros([2, 3]))
    bare = keras.Sequential([keras.Input([3]), keras.layers.Dense(6, use_bias=False)])
    with pytest.raises(ValueError, match="with a bias of shape None"):
        networks.set_output_bias(bare, np.zeros([2, 3]))


def test_the_output_bias_of_a_network_within_a_network_is_that_of_its_last_layer():
    inner = keras.Sequential(
        [keras.Input([3]), keras.layers.Dense(2, name="first"), keras.layers.Dense(6, name="last")]
    )
    network = keras.Sequential(
        [keras.Input([2, 2]), keras.layers.Flatten(), keras.layers.Dense(3), inner]
    )
    networks.set_output_bias(network, np.arange(6.0))
    np.testing.assert_array_equal(inner.get_layer("last").bias, np.arange(6.0))
    np.testing.assert_array_equal(inner.get_layer("first").bias, np.zeros(2))
