"""Networks of a page, computed by NumPy from JSON, against TensorFlow."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.explorer import small_pages
from tf_discrete import likelihoods
from tf_discrete.explorer import computing, layers
from tf_discrete.layers.code_embedding import CodeEmbedding
from tf_discrete.layers.stateless_dropout import StatelessDropout
from tf_discrete.models.feature_networks import LikelihoodMean


def assert_same(network, x, tolerance=1e-3):
    described = json.loads(json.dumps(layers.of_network(network, x.shape[1:], "int16", "decoder")))
    expected = np.asarray(network(tf.constant(x), training=False))
    found = computing.compute(described, x).reshape(expected.shape)
    np.testing.assert_allclose(found, expected, atol=tolerance)


def random(*shape):
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def sequential(shape, *parts):
    return small_pages.spread(keras.Sequential([keras.Input(shape), *parts]))


@pytest.mark.parametrize("name", layers.ACTIVATIONS)
def test_dense_layers_with_every_activation(name):
    dense = keras.layers.Dense(6, activation=name)
    assert_same(sequential((5,), dense, keras.layers.Dense(2, use_bias=False)), random(3, 5))


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("strides", [1, (2, 3)])
@pytest.mark.parametrize("kernel", [3, (2, 4)])
def test_convolutions(padding, strides, kernel):
    layer = keras.layers.Conv2D(3, kernel, strides=strides, padding=padding, activation="relu")
    assert_same(sequential((6, 7, 2), layer), random(2, 6, 7, 2))


@pytest.mark.parametrize("strides", [1, 2, (3, 2)])
@pytest.mark.parametrize("kernel", [3, (2, 4)])
def test_transposed_convolutions(strides, kernel):
    layer = keras.layers.Conv2DTranspose(3, kernel, strides=strides, padding="same")
    crop = keras.layers.Cropping2D(((0, 1), (1, 0)))
    assert_same(sequential((4, 5, 2), layer, crop), random(2, 4, 5, 2))


def test_normalisation_dropout_shapes_and_networks_in_networks():
    inner = sequential((3, 4), keras.layers.Dense(5), keras.layers.LayerNormalization())
    network = sequential(
        (12,),
        keras.layers.Reshape((3, 4)),
        inner,
        StatelessDropout(0.5, 0),
        keras.layers.BatchNormalization(),
        keras.layers.Activation("tanh"),
        keras.layers.Flatten(),
    )
    assert_same(network, random(2, 12))


@pytest.mark.parametrize("mode", ["one_hot", "digit_sum"])
def test_code_embeddings(mode):
    network = sequential((4, 3), CodeEmbedding(3, width=2, mode=mode), keras.layers.Flatten())
    assert_same(network, random(2, 4, 3))


@pytest.mark.parametrize(
    "likelihood",
    [
        likelihoods.Bernoulli(),
        likelihoods.Gaussian(1.0),
        likelihoods.Gaussian(None),
        likelihoods.CategoricalIntensity(5),
    ],
    ids=["bernoulli", "gaussian", "learned_scale", "categorical_intensity"],
)
def test_means_of_likelihoods(likelihood):
    shape = likelihood.parameters_shape((2, 3, 1))
    x = random(4, *shape)
    expected = np.asarray(likelihood.mean(tf.constant(x)))
    found = computing.compute(layers.of_mean(likelihood), x).reshape(expected.shape)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert_same(sequential(shape, LikelihoodMean(likelihood)), x)


def branches():
    inputs = keras.Input((4,))
    one = keras.layers.Dense(2)(inputs)
    return keras.Model(inputs, keras.layers.add([one, keras.layers.Dense(2)(inputs)]))


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (branches, "layers that read one another in turn"),
        (
            lambda: sequential((4,), keras.layers.Dense(2), keras.layers.UnitNormalization()),
            "made of Activation, .*Received: decoder with UnitNormalization",
        ),
        (
            lambda: sequential((4,), keras.layers.Dense(2, activation="mish")),
            "activations of a page must be among.*Received: activation='mish'",
        ),
        (
            lambda: sequential((4, 4, 2), keras.layers.Conv2D(2, 2, groups=2)),
            "no groups.*groups=2",
        ),
        (
            lambda: sequential((4, 4, 2), keras.layers.LayerNormalization(axis=1)),
            "over the last axis",
        ),
    ],
)
def test_networks_that_a_page_cannot_compute_are_refused(network, message):
    made = network()
    with pytest.raises(ValueError, match=message):
        layers.of_network(made, made.input_shape[1:], "int8", "decoder")


def test_a_likelihood_without_images_is_refused():
    with pytest.raises(ValueError, match="must be bernoulli, .*Received: likelihood=CosineSim"):
        layers.of_mean(likelihoods.CosineSimilarity())
