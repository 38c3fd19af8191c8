import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_discrete import layers, models
from tf_discrete.callbacks.code_reader import code_reader, input_batches
from tf_discrete.distributions import kinds

X = tf.random.stateless_uniform([6, 5], [0, 1])


def _vae():
    return models.CategoricalVAE([5], num_variables=3, num_categories=4, hidden_units=[8])


@pytest.mark.parametrize("as_dict", [False, True])
def test_reads_a_model_of_this_package(as_dict):
    vae = _vae()
    codes, probs = code_reader(vae)({"image": X} if as_dict else X)
    np.testing.assert_array_equal(codes, vae.encode(X))
    np.testing.assert_allclose(probs, vae.encode_probs(X), rtol=1e-6)


@pytest.mark.parametrize("latents", ["categorical", "bernoulli"])
def test_reads_the_layer_of_a_nested_model(latents):
    categories = 4 if latents == "categorical" else 2
    head = layers.LatentHead(3, categories, latents=latents)
    inner = keras.Sequential([keras.Input([5]), head, layers.GumbelSoftmax(latents=latents)])
    inputs = keras.Input([5])
    model = keras.Model(inputs, keras.layers.Flatten()(inner(inputs)))
    codes, probs = code_reader(model)(X)
    distribution = kinds.get(latents)(head(X))
    np.testing.assert_array_equal(codes, distribution.code(distribution.mode()))
    np.testing.assert_allclose(probs, distribution.probs, rtol=1e-5)


def test_time_steps_are_rows_and_masked_ones_are_left_out():
    inputs = keras.Input([None, 5])
    head = layers.LatentHead(3, 4)
    z = layers.GumbelSoftmax()(head(keras.layers.Masking()(inputs)))
    reader = code_reader(keras.Model(inputs, z))
    x = tf.stack([X, tf.concat([X[:2], tf.zeros([4, 5])], axis=0)])
    codes, probs = reader(x)
    expected = tf.argmax(tf.concat([head(X), head(X[:2])], axis=0), axis=-1)
    np.testing.assert_array_equal(codes, expected)
    assert probs.shape == (8, 3, 4)


def test_all_calls_of_a_shared_layer_are_read():
    inputs = keras.Input([5])
    head, shared = layers.LatentHead(3, 4), layers.GumbelSoftmax()
    model = keras.Model(inputs, [shared(head(inputs)), shared(head(-inputs))])
    codes, _ = code_reader(model)(X)
    expected = tf.argmax(tf.concat([head(X), head(-X)], axis=0), axis=-1)
    # Keras does not say in which order it makes the calls.
    assert sorted(codes.numpy().tolist()) == sorted(expected.numpy().tolist())


def test_the_name_chooses_among_several_layers():
    inputs = keras.Input([5])
    head = layers.LatentHead(3, 4)
    first = layers.GumbelSoftmax(name="first")(head(inputs))
    other = layers.LatentHead(2, 2)
    second = layers.GumbelSoftmax(name="second")(other(keras.layers.Flatten()(first)))
    model = keras.Model(inputs, second)
    assert code_reader(model, "first")(X)[1].shape == (6, 3, 4)
    assert code_reader(model, "second")(X)[1].shape == (6, 2, 2)
    with pytest.raises(ValueError, match="several stochastic layers: first, second.*layer=None"):
        code_reader(model)
    with pytest.raises(ValueError, match="of the model: first, second. Received: layer='third'"):
        code_reader(model, "third")


def test_refuses_a_model_without_discrete_latents():
    model = keras.Sequential([keras.Input([5]), keras.layers.Dense(2)], name="plain")
    with pytest.raises(ValueError, match="holds no stochastic layer.*Received: model='plain'"):
        code_reader(model)


def _sizes(data, max_examples, batch_size=2):
    return [len(x) for x in input_batches(data, max_examples, batch_size)]


def test_batches_of_arrays():
    assert _sizes(X, 100) == [2, 2, 2]
    assert _sizes(X.numpy(), 3) == [2, 1]
    first, second = input_batches((X, tf.range(6)), 4, 2)
    np.testing.assert_array_equal(tf.concat([first, second], axis=0), X[:4])


def test_batches_of_a_data_set_end_at_the_maximum():
    data = tf.data.Dataset.from_tensor_slices((X, tf.range(6))).batch(4).repeat()
    assert _sizes(data, 7) == [4, 2, 1]
    assert _sizes(data, 6) == [4, 2]


def test_batches_keep_the_structure_of_inputs():
    (batch,) = input_batches({"image": X, "scale": tf.ones([6])}, 5, 8)
    assert {name: len(values) for name, values in batch.items()} == {"image": 5, "scale": 5}
