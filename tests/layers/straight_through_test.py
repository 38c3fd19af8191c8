import numpy as np
import pytest
import tensorflow as tf

from tf_discrete import layers


@pytest.mark.parametrize("temperature", [1.0, 2.0])
def test_hard_draw_with_the_gradient_of_the_softmax(temperature):
    layer = layers.StraightThrough(temperature=temperature)
    logits = tf.Variable([[[0.3, -1.2, 0.7], [2.0, 0.0, -1.0]]])
    weights = tf.constant([[[1.0, -2.0, 3.0], [0.5, 0.0, 1.0]]])
    with tf.GradientTape(persistent=True) as tape:
        drawn = tf.reduce_sum(weights * (value := layer(logits, training=True)))
        soft = tf.reduce_sum(weights * tf.nn.softmax(logits / temperature))
    np.testing.assert_array_equal(tf.sort(value, axis=-1)[0], [[0, 0, 1], [0, 0, 1]])
    np.testing.assert_allclose(tape.gradient(drawn, logits), tape.gradient(soft, logits), rtol=1e-5)


def test_draws_have_the_frequencies_of_the_softmax():
    logits = tf.tile(tf.constant([[[0.3, -1.2, 0.7]]]), [20_000, 1, 1])
    frequencies = tf.reduce_mean(layers.StraightThrough(seed=0)(logits, training=True), axis=0)
    expected = tf.nn.softmax(logits[0]).numpy()
    error = 5 * np.sqrt(expected * (1 - expected) / 20_000)
    assert np.all(np.abs(frequencies - expected) < error)


def test_config_names_the_arguments_of_the_class():
    config = layers.StraightThrough(temperature=2.0).get_config()
    assert "estimator" not in config
    again = layers.StraightThrough.from_config(config)
    assert float(again.estimator.temperature.value) == 2.0
