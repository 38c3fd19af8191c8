"""The relaxed distributions against TensorFlow Probability, at low temperature and under masks."""

import logging

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf
import tensorflow_probability as tfp

from tf_discrete import seeds
from tf_discrete.distributions import (
    Bernoulli,
    Categorical,
    ExpRelaxedCategorical,
    RelaxedBernoulliLogit,
    get_relaxable,
    noise,
)

tfd = tfp.distributions

_random = np.random.RandomState(0)
LOGITS = _random.normal(scale=2.0, size=[2, 3, 4])
TEMPERATURES = (0.01, 0.1, 0.5, 1.0, 5.0)
LATENTS = ("categorical", "bernoulli")


def logits_of(latents, dtype=tf.float64):
    return tf.constant(LOGITS if latents == "categorical" else LOGITS[..., 0], dtype)


@pytest.mark.parametrize("temperature", TEMPERATURES)
def test_categorical_log_prob_is_that_of_tfp(temperature):
    logits = logits_of("categorical")
    theirs = tfd.ExpRelaxedOneHotCategorical(tf.constant(temperature, tf.float64), logits=logits)
    ours = ExpRelaxedCategorical(temperature, logits)
    log_z = ours.sample(50, seed=seeds.base(0))
    assert ours.log_prob(log_z).dtype == tf.float64
    np.testing.assert_allclose(ours.log_prob(log_z), theirs.log_prob(log_z), rtol=1e-10)
    np.testing.assert_allclose(log_z, theirs.sample(50, seed=seeds.base(0)), atol=1e-12)
    np.testing.assert_allclose(tf.reduce_logsumexp(log_z, -1), np.zeros([50, 2, 3]), atol=1e-9)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 5.0])
def test_bernoulli_log_prob_is_that_of_tfp(temperature):
    """TFP scores z = sigmoid(x), so its density differs by the Jacobian z (1 - z)."""
    logits = logits_of("bernoulli")
    theirs = tfd.RelaxedBernoulli(tf.constant(temperature, tf.float64), logits=logits)
    ours = RelaxedBernoulliLogit(temperature, logits)
    x = ours.sample(50, seed=seeds.base(0))
    z = tf.sigmoid(x)
    jacobian = tf.math.log_sigmoid(x) + tf.math.log_sigmoid(-x)
    inside = np.logical_and(z > 1e-6, z < 1 - 1e-6)
    np.testing.assert_allclose(
        ours.log_prob(x)[inside], (theirs.log_prob(z) + jacobian)[inside], rtol=1e-6, atol=1e-8
    )
    assert inside.mean() > 0.4


@pytest.mark.parametrize("temperature", TEMPERATURES)
@pytest.mark.parametrize("latents", LATENTS)
def test_density_of_its_own_draws_is_finite(latents, temperature):
    """In value and gradient, down to a temperature at which the density on the simplex is NaN."""
    logits = logits_of(latents, tf.float32)
    draw = get_relaxable(latents).draw_noise(seeds.base(0), [100, *logits.shape], tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        x = get_relaxable(latents)(logits).relax(draw, temperature)
        log_q = get_relaxable(latents)(logits).relaxed_log_prob(x, temperature)
    assert log_q.shape == [100, 2]
    assert np.isfinite(log_q).all() and np.isfinite(tape.gradient(log_q, logits)).all()
    z = get_relaxable(latents).to_simplex(x)
    assert np.isfinite(z).all() and (z >= 0).numpy().all() and (z <= 1 + 1e-6).numpy().all()


@pytest.mark.parametrize("latents", LATENTS)
def test_density_integrates_to_one(latents):
    """On a grid over the one free coordinate of two categories, log z1 - log z0 = x."""
    x = tf.linspace(tf.constant(-400.0, tf.float64), 400.0, 400_001)[:, tf.newaxis]
    logits = tf.constant([0.7], tf.float64)
    if latents == "bernoulli":
        log_q = Bernoulli(logits).relaxed_log_prob(x, 0.3)
    else:
        # The log-simplex is a curve, on which TFP's density is that of x.
        log_value = tf.stack([tf.math.log_sigmoid(-x), tf.math.log_sigmoid(x)], axis=-1)
        log_q = Categorical(tf.constant([[0.0, 0.7]], tf.float64)).relaxed_log_prob(log_value, 0.3)
    total = tf.reduce_sum(tf.exp(log_q)) * (800.0 / 400_000)
    assert float(total) == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("temperature", TEMPERATURES)
def test_masked_density_is_that_over_the_unmasked_categories(temperature):
    full = LOGITS.copy()
    full[..., 1] = -np.inf
    kept = [0, 2, 3]
    distribution = ExpRelaxedCategorical(temperature, tf.constant(full))
    small = ExpRelaxedCategorical(temperature, tf.constant(LOGITS[..., kept]))
    log_z = distribution.sample(20, seed=seeds.base(0))
    assert np.isneginf(log_z.numpy()[..., 1]).all()
    np.testing.assert_allclose(
        distribution.log_prob(log_z), small.log_prob(tf.gather(log_z, kept, axis=-1)), rtol=1e-10
    )
    for dtype in (tf.float32, tf.float64):
        logits = tf.constant(full, dtype)
        draw = noise.gumbel(seeds.base(1), [20, *logits.shape], dtype)
        with tf.GradientTape() as tape:
            tape.watch(logits)
            x = Categorical(logits).relax(draw, temperature)
            log_q = Categorical(logits).relaxed_log_prob(x, temperature)
        gradient = tape.gradient(log_q, logits).numpy()
        assert np.isfinite(log_q).all() and np.isfinite(gradient).all()
        assert (gradient[..., 1] == 0).all()


def test_masks_that_differ_between_variables():
    logits = tf.constant([[[0.5, 0.1, -np.inf, 1.0], [-np.inf, -np.inf, 0.3, 0.2]]])
    distribution = ExpRelaxedCategorical(0.7, logits)
    log_z = distribution.sample(5, seed=seeds.base(0))
    log_prob = distribution.log_prob(log_z)
    for variable, kept in ((0, [0, 1, 3]), (1, [2, 3])):
        small = ExpRelaxedCategorical(0.7, tf.gather(logits[:, variable], kept, axis=-1))
        part = tf.gather(log_z[..., variable, :], kept, axis=-1)
        np.testing.assert_allclose(log_prob[..., variable], small.log_prob(part), rtol=1e-5)


@pytest.mark.parametrize("temperature", [0.1, 1.0, 10.0])
@pytest.mark.parametrize("latents", LATENTS)
def test_the_corner_nearest_to_a_draw_has_the_law_of_the_logits(latents, temperature):
    logits = logits_of(latents)
    draws = 40_000
    gumbel = get_relaxable(latents).draw_noise(seeds.base(3), [draws, *logits.shape], tf.float64)
    x = get_relaxable(latents)(logits).relax(gumbel, temperature).numpy()
    if latents == "categorical":
        frequency = np.eye(4)[x.argmax(-1)].mean(axis=0)
        p = tf.nn.softmax(logits).numpy()
    else:
        frequency, p = (x > 0).mean(axis=0), tf.sigmoid(logits).numpy()
    error = np.sqrt(p * (1 - p) / draws)
    assert np.abs((frequency - p) / error).max() < 5.5 and 11 * error.max() < 0.05


@pytest.mark.parametrize("latents", LATENTS)
def test_reparameterised_draws_have_the_law_of_the_distribution(latents):
    """A Kolmogorov-Smirnov test of our reparameterised sample against TFP's own sampler."""
    logits, draws = logits_of(latents)[0], 20_000
    gumbel = get_relaxable(latents).draw_noise(seeds.base(0), [draws, *logits.shape], tf.float64)
    ours = get_relaxable(latents)(logits).relax(gumbel, 0.4).numpy()
    distribution = ExpRelaxedCategorical if latents == "categorical" else RelaxedBernoulliLogit
    theirs = distribution(0.4, logits).sample(draws, seed=seeds.base(9)).numpy()
    for index in np.ndindex(*logits.shape):
        column = (slice(None), *index)
        assert scipy.stats.ks_2samp(ours[column], theirs[column]).pvalue > 1e-5


@pytest.mark.parametrize("dtype", [tf.float16, tf.bfloat16], ids=["float16", "bfloat16"])
@pytest.mark.parametrize("latents", LATENTS)
def test_low_precision_is_lifted(latents, dtype):
    logits = logits_of(latents, dtype)
    distribution = ExpRelaxedCategorical if latents == "categorical" else RelaxedBernoulliLogit
    x = distribution(0.5, logits).sample(seed=seeds.base(0))
    assert x.dtype == distribution(0.5, logits).log_prob(x).dtype == tf.float32
    draw = get_relaxable(latents).draw_noise(seeds.base(0), logits.shape, tf.float32)
    assert get_relaxable(latents)(logits).relax(draw, tf.constant(0.5, dtype)).dtype == tf.float32


@pytest.mark.parametrize("distribution", [ExpRelaxedCategorical, RelaxedBernoulliLogit])
def test_distribution_methods_of_tfp_work(distribution, caplog):
    """Shapes, copies, slices and `Independent`, without a word in the log."""
    logits = logits_of("categorical" if distribution is ExpRelaxedCategorical else "bernoulli")
    with caplog.at_level(logging.WARNING):
        q = distribution(0.5, logits)
        assert q.batch_shape == q.batch_shape_tensor().numpy().tolist() == [2, 3]
        x = q.sample(seed=seeds.base(0))
        log_q = q.log_prob(x)
        np.testing.assert_array_equal(q.copy().log_prob(x), log_q)
        np.testing.assert_allclose(q[0].log_prob(x[0]), log_q[0])
        joint = tfd.Independent(q, 1).log_prob(x)
        np.testing.assert_allclose(joint, tf.reduce_sum(log_q, -1))
        warmer = q.copy(temperature=1.0)
        np.testing.assert_array_equal(warmer.log_prob(x), distribution(1.0, logits).log_prob(x))
    assert not caplog.records


@pytest.mark.parametrize("latents", LATENTS)
def test_one_temperature_for_each_variable(latents):
    logits, temperature = logits_of(latents), tf.constant([0.3, 1.0, 2.0], tf.float64)
    distribution = ExpRelaxedCategorical if latents == "categorical" else RelaxedBernoulliLogit
    x = distribution(temperature, logits).sample(seed=seeds.base(0))
    log_q = distribution(temperature, logits).log_prob(x)
    for n, single in enumerate(temperature):
        np.testing.assert_allclose(
            log_q[:, n], distribution(single, logits[:, n]).log_prob(x[:, n]), rtol=1e-12
        )


def test_a_certain_bit_does_not_count_as_a_dimension():
    logits = tf.constant([np.inf, -np.inf, 0.3, 0.3])
    x = tf.Variable([np.inf, -np.inf, 1.0, -np.inf])
    distribution = RelaxedBernoulliLogit(0.5, logits)
    with tf.GradientTape() as tape:
        score = distribution.log_prob(x)
        total = tf.reduce_sum(score[:3])
    expected = RelaxedBernoulliLogit(0.5, [0.3]).log_prob([1.0])[0]
    np.testing.assert_allclose(score, [0.0, 0.0, expected, -np.inf], rtol=1e-6)
    np.testing.assert_array_equal(distribution.log_prob(-x)[:2], [-np.inf, -np.inf])
    assert np.isfinite(tape.gradient(total, x)).all()
