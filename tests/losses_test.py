import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_discrete import likelihoods, losses


def test_sums_over_pixels_and_averages_over_the_batch():
    rng = np.random.default_rng(0)
    x = rng.integers(0, 2, [4, 5, 3]).astype("float32")
    logits = rng.normal(size=[4, 5, 3]).astype("float32")
    by_hand = np.log1p(np.exp(logits)) - x * logits
    value = losses.NegativeLogLikelihood("bernoulli")(x, logits)
    np.testing.assert_allclose(value, by_hand.sum(axis=(1, 2)).mean(), rtol=1e-6)


def test_is_as_many_times_keras_own_loss_as_there_are_pixels():
    rng = np.random.default_rng(1)
    x = rng.integers(0, 2, [6, 49]).astype("float32")
    logits = rng.normal(size=[6, 49]).astype("float32")
    averaged = keras.losses.BinaryCrossentropy(from_logits=True)(x, logits)
    summed = losses.NegativeLogLikelihood("bernoulli")(x, logits)
    np.testing.assert_allclose(summed, 49 * averaged, rtol=1e-5)


@pytest.mark.parametrize("likelihood", ["bernoulli", likelihoods.Gaussian(scale=None)])
def test_is_minus_the_log_likelihood(likelihood):
    made = likelihoods.get(likelihood)
    x = tf.random.stateless_uniform([3, 4], [0, 1])
    parameters = tf.random.stateless_normal([3, *made.parameters_shape((4,))], [2, 3])
    loss = losses.NegativeLogLikelihood(likelihood, reduction=None)
    np.testing.assert_allclose(loss(x, parameters), -made.log_prob(x, parameters), rtol=1e-6)


def test_config_round_trip_keeps_the_likelihood():
    loss = losses.NegativeLogLikelihood(likelihoods.Gaussian(scale=0.5))
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(loss))
    assert again.get_config() == loss.get_config()
    assert again.likelihood.scale == 0.5


def test_is_saved_with_a_compiled_model(tmp_path):
    model = keras.Sequential([keras.layers.Input([4]), keras.layers.Dense(4)])
    model.compile("sgd", loss=losses.NegativeLogLikelihood("bernoulli"))
    x = np.eye(4, dtype="float32")
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert again.evaluate(x, x, verbose=0) == pytest.approx(model.evaluate(x, x, verbose=0))


def test_weighs_half_precision_outputs_in_float32():
    logits = tf.fill([2, 4096], tf.constant(0.01, tf.float16))
    value = losses.NegativeLogLikelihood("bernoulli")(tf.zeros([2, 4096]), logits)
    assert value.dtype == tf.float32
    np.testing.assert_allclose(value, 4096 * np.log1p(np.exp(0.01)), rtol=1e-4)


def test_refuses_an_unknown_likelihood():
    with pytest.raises(
        ValueError, match="likelihood must be one of bernoulli.*likelihood='poisson'"
    ):
        losses.NegativeLogLikelihood("poisson")


def test_shapes_that_broadcast_are_refused():
    loss = losses.NegativeLogLikelihood("bernoulli")
    for true, logits in (([5, 1], [5]), ([5], [5, 1]), ([5, 4], [5, 1]), ([1, 4], [5, 4])):
        with pytest.raises((ValueError, tf.errors.InvalidArgumentError), match="shape"):
            loss(tf.zeros(true), tf.zeros(logits))
