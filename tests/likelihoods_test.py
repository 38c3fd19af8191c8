from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from tf_discrete import likelihoods, seeds

tfd = tfp.distributions
DATA_SHAPE = (2, 3, 1)
ALL = {
    "bernoulli": likelihoods.Bernoulli(),
    "categorical_intensity": likelihoods.CategoricalIntensity(levels=5),
    "gaussian": likelihoods.Gaussian(scale=0.7),
    "gaussian-learned": likelihoods.Gaussian(scale=None),
    "cosine_similarity": likelihoods.CosineSimilarity(concentration=3.0),
}


@keras.saving.register_keras_serializable("likelihoods_test")
class Laplace(likelihoods.Likelihood):
    """A user's own one."""

    def log_prob(self, x, parameters):
        return -tf.reduce_sum(tf.abs(x - parameters), axis=[-3, -2, -1])


class Unregistered(Laplace):
    pass


def observations(name, count=4):
    x = np.random.RandomState(1).uniform(size=[count, *DATA_SHAPE])
    if name == "bernoulli":
        x = np.round(x)
    if name == "categorical_intensity":
        x = np.round(4 * x) / 4
    return x.astype(np.float32)


def parameters(likelihood, lead=(4,), dtype=np.float32, spread=1.3):
    shape = [*lead, *likelihood.parameters_shape(DATA_SHAPE)]
    return np.random.RandomState(2).normal(scale=spread, size=shape).astype(dtype)


def reference(name, values):
    """The same distribution from TensorFlow Probability."""
    values = tf.constant(values)
    if name == "bernoulli":
        return tfd.Independent(tfd.Bernoulli(values), 3)
    if name == "gaussian":
        return tfd.Independent(tfd.Normal(values, tf.constant(0.7, values.dtype)), 3)
    if name == "gaussian-learned":
        return tfd.Independent(tfd.Normal(values[..., 0], tf.exp(values[..., 1])), 3)
    return tfd.Independent(tfd.Categorical(values), 3)


@pytest.mark.parametrize("name", [name for name in ALL if name != "cosine_similarity"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_log_prob_is_that_of_tfp(name, dtype):
    likelihood, x = ALL[name], observations(name)
    values = parameters(likelihood, dtype=dtype)
    wanted = x.astype(dtype) if name != "categorical_intensity" else np.round(4 * x).astype(int)
    expected = reference(name, values).log_prob(wanted)
    found = likelihood.log_prob(x, values)
    assert found.dtype == dtype
    rtol = 1e-5 if dtype == np.float32 else 1e-6  # x itself is float32.
    np.testing.assert_allclose(found, expected, rtol=rtol)


def test_grey_pixels_are_expectations_of_bits():
    likelihood, logits = ALL["bernoulli"], parameters(ALL["bernoulli"])
    x = np.full([4, *DATA_SHAPE], 0.25, np.float32)
    zero, one = (likelihood.log_prob(np.full_like(x, bit), logits) for bit in (0.0, 1.0))
    np.testing.assert_allclose(likelihood.log_prob(x, logits), 0.75 * zero + 0.25 * one, rtol=1e-5)


@pytest.mark.parametrize("name", ALL)
def test_samples_lead_the_batch(name):
    likelihood, x = ALL[name], observations(name)
    values = parameters(likelihood, lead=(6, 4))
    found = likelihood.log_prob(x, values)
    assert found.shape == (6, 4)
    for i in range(6):
        np.testing.assert_allclose(found[i], likelihood.log_prob(x, values[i]), rtol=1e-5)
    assert likelihood.log_prob(x[:0], values[:, :0]).shape == (6, 0)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("dtype", [tf.float16, tf.bfloat16])
def test_low_precision_is_widened(name, dtype):
    likelihood, x = ALL[name], observations(name)
    values = tf.cast(parameters(likelihood), dtype)
    assert likelihood.log_prob(tf.cast(x, dtype), values).dtype == tf.float32
    assert likelihood.mean(values).dtype == tf.float32
    assert likelihood.sample(values, seeds.base(0)).dtype == tf.float32


@pytest.mark.parametrize("name", [name for name in ALL if name != "cosine_similarity"])
def test_moments_of_mean_and_draws(name):
    likelihood, draws = ALL[name], 20_000
    one = parameters(likelihood, lead=())
    distribution = reference(name, one)
    if name == "categorical_intensity":
        levels = np.linspace(0, 1, 5)
        probs = tf.nn.softmax(one).numpy()
        mean = (probs * levels).sum(-1)
        variance = (probs * levels**2).sum(-1) - mean**2
    else:
        mean, variance = distribution.mean().numpy(), distribution.variance().numpy()
    np.testing.assert_allclose(likelihood.mean(one[np.newaxis])[0], mean, rtol=1e-5, atol=1e-6)

    drawn = likelihood.sample(np.broadcast_to(one, [draws, *one.shape]), seeds.base(3)).numpy()
    assert drawn.shape == (draws, *DATA_SHAPE)
    error = np.sqrt(variance / draws)
    assert np.abs((drawn.mean(0) - mean) / error).max() < 4.5
    np.testing.assert_allclose(drawn.var(0), variance, rtol=0.1)
    again = likelihood.sample(np.broadcast_to(one, [draws, *one.shape]), seeds.base(3)).numpy()
    np.testing.assert_array_equal(drawn, again)
    other = likelihood.sample(np.broadcast_to(one, [draws, *one.shape]), seeds.base(4)).numpy()
    assert (drawn != other).any()
    if name == "categorical_intensity":
        assert set(np.unique(drawn)) <= set(np.float32(levels))


def test_cosine_similarity_is_that_of_keras():
    likelihood = ALL["cosine_similarity"]
    x, values = observations("cosine_similarity"), parameters(likelihood)
    keras_loss = keras.losses.cosine_similarity(x.reshape(4, -1), values.reshape(4, -1))
    np.testing.assert_allclose(likelihood.log_prob(x, values), -3.0 * keras_loss, rtol=1e-5)
    mean = likelihood.mean(values).numpy()
    np.testing.assert_allclose(np.linalg.norm(mean.reshape(4, -1), axis=-1), 1.0, rtol=1e-5)
    # The mean is the most probable direction, and its length does not matter.
    np.testing.assert_allclose(likelihood.log_prob(7.0 * mean, values), 3.0, rtol=1e-5)
    np.testing.assert_array_equal(likelihood.sample(values, seeds.base(0)), mean)


def test_the_learned_scale_has_a_floor():
    found = likelihoods.Gaussian(scale=None).sample([[[0.0, -1e9]]], seeds.base(0)).numpy()
    assert 0 < abs(found.item()) < 5 * np.exp(-7)


@pytest.mark.parametrize("name", ALL)
def test_gradients_are_finite_at_extreme_parameters(name):
    likelihood, x = ALL[name], observations(name)
    values = tf.constant(parameters(likelihood, spread=1e3))
    with tf.GradientTape() as tape:
        tape.watch(values)
        log_prob = likelihood.log_prob(x, values)
    assert np.isfinite(log_prob).all()
    assert np.isfinite(tape.gradient(log_prob, values)).all()


@pytest.mark.parametrize("name", [*ALL, "own"])
def test_config_round_trip(name):
    likelihood = ALL.get(name, Laplace())
    config = keras.saving.serialize_keras_object(likelihood)
    again = likelihoods.get(config)
    assert type(again) is type(likelihood)
    assert again.get_config() == likelihood.get_config()


def test_get():
    assert set(likelihoods.names()) >= {name for name in ALL if name != "gaussian-learned"}
    for name in set(ALL) & set(likelihoods.names()):
        assert type(likelihoods.get(name)) is type(ALL[name])
    own = Laplace()
    assert likelihoods.get(own) is own


@pytest.mark.parametrize(
    "identifier,message",
    [
        ("gausian", r"must be one of .*Did you mean 'gaussian'\? Received: likelihood='gausian'"),
        ("poisson", r"likelihood must be one of bernoulli, .*='poisson'"),
        (lambda x: x, r"likelihood must be one of .*Received: likelihood=<function <lambda>"),
        (Unregistered(), r"must be made of classes .* that Keras can save\..*'Unregistered'"),
        (None, "Received: likelihood=None"),
    ],
)
def test_get_refuses(identifier, message):
    with pytest.raises(ValueError, match=message):
        likelihoods.get(identifier)


@likelihoods.registry.REGISTRY.restored()
def test_a_registered_name_can_be_used_once():
    @likelihoods.register("likelihoods_test_own")
    class Own(likelihoods.Bernoulli):
        pass

    assert type(likelihoods.get("likelihoods_test_own")) is Own
    assert (
        likelihoods.register("likelihoods_test_own")(Own) is Own
    )  # A module that is loaded again.
    with pytest.raises(
        ValueError, match="must be new.*name='likelihoods_test_own', registered for"
    ):
        likelihoods.register("likelihoods_test_own")(Unregistered)


@pytest.mark.parametrize(
    "make,message",
    [
        (
            lambda: likelihoods.CategoricalIntensity(1),
            "levels must be at least 2. Received: levels=1",
        ),
        (lambda: likelihoods.Gaussian(0.0), "scale must be positive.*Received: scale=0.0"),
        (lambda: likelihoods.Gaussian(-1.0), "scale must be positive.*Received: scale=-1.0"),
        (
            lambda: likelihoods.CosineSimilarity(0.0),
            "concentration must be positive and finite. Received: concentration=0.0",
        ),
    ],
)
def test_arguments_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
