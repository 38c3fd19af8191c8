"""The noise: its distribution, its range, and noise conditioned on the sample that it made."""

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

from tf_discrete import seeds
from tf_discrete.distributions import Bernoulli, Categorical, noise

DRAWS = 50_000
LOGITS = np.array([[0.5, -1.0, 2.0, 0.0], [3.0, 0.0, -4.0, 1.0]])
BITS = np.array([0.5, -2.0, 3.0])


def conditional_gumbel(seed, logits, one_hot):
    """Gumbel noise given that `one_hot` was the argmax of logits + noise."""
    logits = tf.convert_to_tensor(logits)
    shape = tf.broadcast_dynamic_shape(tf.shape(logits), tf.shape(one_hot))
    drawn = noise.gumbel(seed, shape, logits.dtype)
    return noise.condition_gumbel(drawn, logits, one_hot)


def conditional_logistic(seed, logits, bits):
    """Logistic noise given that `bits` = [logits + noise > 0]."""
    logits = tf.convert_to_tensor(logits)
    shape = tf.broadcast_dynamic_shape(tf.shape(logits), tf.shape(bits))
    drawn = noise.open_uniform(seed, shape, logits.dtype)
    return noise.condition_logistic(drawn, logits, bits)


def assert_law(samples, cdf):
    """Kolmogorov-Smirnov at 1e-6 over the family; sees a distance of about 0.013 of the distribution."""
    samples = np.asarray(samples).reshape(len(samples), -1)
    for column in samples.T:
        result = scipy.stats.ks_1samp(column, cdf)
        assert result.pvalue > 1e-6 / samples.shape[1]


@pytest.mark.parametrize("dtype", [tf.float32, tf.float64])
def test_noise_has_its_law_and_is_finite(dtype):
    gumbel = noise.gumbel(seeds.base(0), [DRAWS, 3], dtype)
    logistic = noise.logistic(seeds.base(1), [DRAWS, 3], dtype)
    assert gumbel.dtype == logistic.dtype == dtype
    assert np.isfinite(gumbel).all() and np.isfinite(logistic).all()
    assert_law(gumbel, scipy.stats.gumbel_r.cdf)
    assert_law(logistic, scipy.stats.logistic.cdf)


def test_uniform_noise_lies_in_the_open_interval():
    u = noise.open_uniform(seeds.base(0), [20_000_000]).numpy()
    assert u.min() > 0 and u.max() < 1
    assert u.min() < 1e-6 and u.max() > 1 - 1e-6


def conditioned(dtype=tf.float64, logits=LOGITS):
    """Draws from softmax(logits), and Gumbel noise given them: what an estimator does."""
    logits = tf.constant(logits, dtype)
    one_hot = Categorical(logits).sample(seeds.base(0), DRAWS)
    return logits, one_hot, conditional_gumbel(seeds.base(1), logits, one_hot)


def test_conditional_gumbel_makes_the_sample_that_it_was_given():
    logits, one_hot, gumbel = conditioned()
    assert gumbel.shape == one_hot.shape
    np.testing.assert_array_equal(tf.argmax(logits + gumbel, -1), tf.argmax(one_hot, -1))


def test_conditional_gumbel_in_float32_makes_the_sample_up_to_rounding():
    logits, one_hot, gumbel = conditioned(tf.float32)
    perturbed = logits + gumbel
    chosen = tf.reduce_sum(one_hot * perturbed, -1)
    assert float(tf.reduce_max(tf.reduce_max(perturbed, -1) - chosen)) < 1e-5


def test_conditional_gumbel_over_the_law_of_the_sample_is_gumbel_noise():
    _, _, gumbel = conditioned()
    assert_law(gumbel, scipy.stats.gumbel_r.cdf)
    correlation = np.corrcoef(gumbel.numpy().reshape(DRAWS, -1).T)
    assert np.abs(correlation - np.eye(8)).max() < 5.5 / np.sqrt(DRAWS)


@pytest.mark.parametrize("chosen", range(4))
def test_conditional_gumbel_has_the_law_of_the_noise_that_was_rejected_otherwise(chosen):
    """Against rejection: plain noise, kept where its argmax is the given sample."""
    logits = tf.constant(LOGITS[0])
    plain = noise.gumbel(seeds.base(5), [400_000, 4], tf.float64)
    kept = plain.numpy()[tf.argmax(logits + plain, -1).numpy() == chosen]
    one_hot = tf.one_hot([chosen] * 20_000, 4, dtype=tf.float64)
    drawn = conditional_gumbel(seeds.base(6), logits, one_hot).numpy()
    for k in range(4):
        assert scipy.stats.ks_2samp(kept[:, k], drawn[:, k]).pvalue > 1e-6
    assert len(kept) > 5_000


def test_conditional_gumbel_under_masks():
    logits = np.where(np.arange(4) == 1, -np.inf, LOGITS)
    logits, one_hot, gumbel = conditioned(logits=logits)
    assert (gumbel.numpy()[..., 1] == 0).all() and np.isfinite(gumbel).all()
    np.testing.assert_array_equal(tf.argmax(logits + gumbel, -1), tf.argmax(one_hot, -1))
    assert_law(gumbel.numpy()[..., [0, 2, 3]], scipy.stats.gumbel_r.cdf)


@pytest.mark.parametrize("scale", [0.0, 1.0, 50.0, 1e3])
def test_conditional_gumbel_has_finite_gradients(scale):
    for dtype in (tf.float32, tf.float64):
        logits = tf.constant(np.where(np.arange(4) == 1, -np.inf, scale * LOGITS), dtype)
        one_hot = Categorical(logits).sample(seeds.base(0), 100)
        with tf.GradientTape() as tape:
            tape.watch(logits)
            gumbel = conditional_gumbel(seeds.base(1), logits, one_hot)
        gradient = tape.gradient(gumbel, logits).numpy()
        assert np.isfinite(gumbel).all() and np.isfinite(gradient).all()
        assert (gradient[..., 1] == 0).all()


def test_conditional_gradients_are_those_of_finite_differences():
    one_hot = tf.eye(4, dtype=tf.float64)
    theory, numeric = tf.test.compute_gradient(
        lambda x: conditional_gumbel(seeds.base(1), x, one_hot),
        [tf.constant(LOGITS[0])],
        delta=1e-6,
    )
    np.testing.assert_allclose(theory[0], numeric[0], atol=1e-7)
    theory, numeric = tf.test.compute_gradient(
        lambda x: conditional_logistic(seeds.base(1), x, [1.0, 0.0, 0.0]),
        [tf.constant(BITS)],
        delta=1e-6,
    )
    np.testing.assert_allclose(theory[0], numeric[0], atol=1e-7)


@pytest.mark.parametrize("dtype", [tf.float32, tf.float64])
def test_conditional_logistic_makes_the_bits_that_it_was_given(dtype):
    logits = tf.constant(BITS, dtype)
    bits = Bernoulli(logits).sample(seeds.base(0), DRAWS)
    logistic = conditional_logistic(seeds.base(1), logits, bits)
    signed = (2 * bits - 1) * (logits + logistic)
    assert float(tf.reduce_min(signed)) > (-1e-6 if dtype == tf.float32 else 0.0)
    assert_law(logistic, scipy.stats.logistic.cdf)
    correlation = np.corrcoef(logistic.numpy().T)
    assert np.abs(correlation - np.eye(3)).max() < 5.5 / np.sqrt(DRAWS)


@pytest.mark.parametrize("bit", [0.0, 1.0])
def test_conditional_logistic_has_the_law_of_rejection(bit):
    plain = noise.logistic(seeds.base(5), [100_000], tf.float64)
    kept = plain.numpy()[((0.8 + plain) > 0).numpy() == bool(bit)]
    drawn = conditional_logistic(
        seeds.base(6), tf.fill([20_000], tf.constant(0.8, tf.float64)), bit
    )
    assert scipy.stats.ks_2samp(kept, drawn.numpy()).pvalue > 1e-6


@pytest.mark.parametrize("value", [0.0, 50.0, -50.0, 1e3, -1e3])
def test_conditional_logistic_has_finite_gradients(value):
    logits = tf.fill([1000], value)
    for bit in (0.0, 1.0):
        with tf.GradientTape() as tape:
            tape.watch(logits)
            logistic = conditional_logistic(seeds.base(1), logits, bit)
        assert np.isfinite(logistic).all()
        assert np.isfinite(tape.gradient(logistic, logits)).all()


def test_conditional_logistic_of_certain_bits_is_zero():
    logits = tf.Variable([np.inf, -np.inf, 0.3])
    with tf.GradientTape() as tape:
        drawn = conditional_logistic(seeds.base(0), logits, tf.constant([1.0, 0.0, 1.0]))
    assert (drawn.numpy()[:2] == 0).all() and float(drawn[2]) > -0.3
    np.testing.assert_array_equal(np.isfinite(tape.gradient(drawn, logits)), [True] * 3)
