"""Every registered likelihood keeps the interface. A new one is tested with no further code."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_discrete import likelihoods, seeds

DATA_SHAPE = (2, 3, 1)
every_name = pytest.mark.parametrize("name", likelihoods.names())


def observations(likelihood, count=4):
    """Samples of the likelihood itself, so that they are observations that it may have."""
    return likelihood.sample(parameters(likelihood, [count]), seeds.base(9))


def parameters(likelihood, lead, spread=1.3, dtype=tf.float32):
    shape = [*lead, *likelihood.parameters_shape(DATA_SHAPE)]
    return tf.constant(np.random.RandomState(2).normal(scale=spread, size=shape), dtype)


@every_name
def test_it_is_public_and_made_without_arguments(name):
    cls = type(likelihoods.get(name))
    assert getattr(likelihoods, cls.__name__) is cls and "Example:" in cls.__doc__


@every_name
def test_samples_lead_the_batch(name):
    likelihood = likelihoods.get(name)
    x, values = observations(likelihood), parameters(likelihood, [6, 4])
    found = likelihood.log_prob(x, values)
    assert found.shape == [6, 4] and found.dtype == tf.float32
    for one, row in zip(found, values, strict=True):
        np.testing.assert_allclose(one, likelihood.log_prob(x, row), rtol=1e-5)
    with pytest.raises(ValueError, match="Received: x.shape="):
        likelihood.log_prob(x[:3], values)


@every_name
@pytest.mark.parametrize("dtype", [tf.float16, tf.bfloat16, tf.float64])
def test_precision(name, dtype):
    likelihood = likelihoods.get(name)
    values, wide = parameters(likelihood, [4], dtype=dtype), dtype
    if dtype != tf.float64:
        wide = tf.float32
    x = tf.cast(observations(likelihood), dtype)
    assert likelihood.log_prob(x, values).dtype == wide
    assert likelihood.mean(values).dtype == likelihood.sample(values, seeds.base(0)).dtype == wide


@every_name
def test_means_and_samples_are_observations(name):
    likelihood = likelihoods.get(name)
    values = parameters(likelihood, [4])
    first, again, other = (likelihood.sample(values, seeds.base(seed)) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    mean = likelihood.mean(values)
    assert mean.shape == first.shape == [4, *DATA_SHAPE]
    if not np.array_equal(first, mean):  # Else its sample is its mean.
        assert np.any(first != other)
    for one in (first, mean):
        assert np.isfinite(likelihood.log_prob(one, values)).all()
        if likelihood.support is not None:
            low, high = likelihood.support
            assert np.min(one) >= low and np.max(one) <= high


@every_name
def test_the_mean_is_that_of_the_samples(name):
    likelihood = likelihoods.get(name)
    values = parameters(likelihood, [1])
    many = (
        likelihood.sample(tf.repeat(values, 20_000, axis=0), seeds.base(3))
        .numpy()
        .astype(np.float64)
    )
    error = many.std(axis=0) / np.sqrt(len(many)) + 1e-6
    assert np.all(np.abs(many.mean(axis=0) - likelihood.mean(values)[0]) < 5.5 * error)


@every_name
def test_gradients_are_finite_at_extreme_parameters(name):
    likelihood = likelihoods.get(name)
    values = parameters(likelihood, [4], spread=1e3)
    with tf.GradientTape() as tape:
        tape.watch(values)
        log_prob = likelihood.log_prob(observations(likelihood), values)
    assert np.isfinite(log_prob).all() and np.isfinite(tape.gradient(log_prob, values)).all()


@every_name
def test_config_round_trip(name):
    likelihood = likelihoods.get(name)
    again = likelihoods.get(keras.saving.serialize_keras_object(likelihood))
    assert type(again) is type(likelihood) and again.get_config() == likelihood.get_config()


@every_name
def test_in_a_graph(name):
    likelihood = likelihoods.get(name)
    x, values = observations(likelihood), parameters(likelihood, [4])
    found = tf.function(likelihood.log_prob, autograph=False)(x, values)
    np.testing.assert_allclose(found, likelihood.log_prob(x, values), rtol=1e-5)
    samples = tf.function(likelihood.sample, autograph=False)(values, seeds.base(0))
    np.testing.assert_allclose(samples, likelihood.sample(values, seeds.base(0)), rtol=1e-5)
