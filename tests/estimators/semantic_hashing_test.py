"""Improved semantic hashing: its bits, its mixing, its gradient, and the distribution that it declares."""

import keras
import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

from tf_discrete import distributions, estimators, functional, layers, schedules, seeds

LOGITS = np.array([-3.0, -1.0, -0.2, 0.0, 0.5, 2.0])


def get(**arguments):
    return estimators.get("semantic_hashing", latents="bernoulli", **arguments)


@pytest.mark.parametrize("dtype", [tf.float32, tf.float64])
@pytest.mark.parametrize("stddev", [0.5, 1.0, 3.0])
def test_the_law_is_the_normal_distribution_function_in_logit_form(dtype, stddev):
    logits = np.array([-50.0, -20.0, -8.0, -5.0, -1.0, -1e-3, 0.0, 1e-3, 2.0, 5.0, 8.0, 50.0])
    tensor = tf.constant(logits, dtype)
    with tf.GradientTape() as tape:
        tape.watch(tensor)
        log_odds = get(noise_stddev=stddev).distribution(tensor).logits
    normal = scipy.stats.norm
    below, above, density = (
        fn(logits / stddev) for fn in (normal.logcdf, normal.logsf, normal.logpdf)
    )
    rtol = 1e-5 if dtype == tf.float32 else 1e-8
    np.testing.assert_allclose(log_odds, below - above, rtol=rtol, atol=1e-6)
    slope = (np.exp(density - below) + np.exp(density - above)) / stddev
    np.testing.assert_allclose(tape.gradient(log_odds, tensor), slope, rtol=rtol)


@pytest.mark.parametrize("stddev", [0.5, 2.0])
def test_the_code_follows_the_law_and_not_the_sigmoid(stddev):
    draws, estimator = 100_000, get(noise_stddev=stddev)
    logits = tf.constant(LOGITS)
    sample = estimator.sample(logits, estimator.draw_noise(seeds.base(0), logits, draws))
    frequency = sample.code.numpy().mean(axis=0)

    def z_score(p):
        return np.abs(frequency - p) / np.sqrt(p * (1 - p) / draws)

    assert z_score(estimator.distribution(logits).probs.numpy()).max() < 5.5
    assert z_score(tf.sigmoid(logits).numpy()).max() > 20
    np.testing.assert_array_equal(sample.code, sample.value > 0.5)


def test_the_noise_has_its_laws():
    noise = get().draw_noise(seeds.base(0), tf.zeros([50], tf.float64), 1000).numpy()
    assert noise.shape == (1000, 50, 2)
    assert scipy.stats.kstest(noise[..., 0].ravel(), "norm").pvalue > 1e-6
    assert scipy.stats.kstest(noise[..., 1].ravel(), "uniform").pvalue > 1e-6
    assert abs(np.corrcoef(noise[..., 0].ravel(), noise[..., 1].ravel())[0, 1]) < 0.025


def test_values_and_gradients_by_hand():
    """Each element against NumPy: rounded where the uniform noise is below the fraction."""
    estimator = get(noise_stddev=0.75, discrete_fraction=0.3)
    logits = tf.constant(LOGITS)
    noise = estimator.draw_noise(seeds.base(3), logits, 200)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        tiled = tf.broadcast_to(logits, noise.shape[:-1])
        tape.watch(tiled)
        value = estimator.sample(tiled, noise).value
    gaussian, uniform = noise[..., 0].numpy(), noise[..., 1].numpy()
    x = LOGITS + 0.75 * gaussian
    s = 1 / (1 + np.exp(-x))
    stretched = 1.2 * s - 0.1
    rounded = uniform < 0.3
    expected = np.where(rounded, x > 0, np.clip(stretched, 0, 1))
    np.testing.assert_allclose(value, expected, atol=1e-12)
    inside = (stretched > 0) & (stretched < 1)
    np.testing.assert_allclose(
        tape.gradient(value, tiled), np.where(inside, 1.2 * s * (1 - s), 0.0), atol=1e-12
    )
    assert 0.25 < rounded.mean() < 0.35 and 0.2 < inside.mean() < 0.95
    np.testing.assert_allclose(np.abs(x[~inside]).min(), np.log(11), atol=0.05)


def test_flips_turn_rounded_bits_and_their_gradients():
    """The same noise with and without flips: a part of the rounded elements is turned, nothing else."""
    logits = tf.constant(LOGITS)
    plain, flipping = get(discrete_fraction=0.6), get(discrete_fraction=0.6, flip_probability=0.25)
    noise = plain.draw_noise(seeds.base(4), logits, 20_000)
    tiled = tf.broadcast_to(logits, noise.shape[:-1])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(tiled)
        before, after = plain.sample(tiled, noise), flipping.sample(tiled, noise)
        values = [before.value, after.value]
    slopes = [tape.gradient(value, tiled).numpy() for value in values]
    turned = before.code.numpy() != after.code.numpy()
    rounded = noise[..., 1].numpy() < 0.6
    assert not (turned & ~rounded).any()
    share = turned.sum() / rounded.sum()
    assert abs(share - 0.25) < 5 * np.sqrt(0.25 * 0.75 / rounded.sum())
    np.testing.assert_array_equal(values[1], np.where(turned, 1 - values[0], values[0]))
    np.testing.assert_array_equal(slopes[1], np.where(turned, -slopes[0], slopes[0]))


@pytest.mark.parametrize("fraction,flips", [(0.5, 0.2), (1.0, 0.4), (0.0, 0.3)])
def test_the_code_with_flips_follows_its_law(fraction, flips):
    draws, logits = 50_000, tf.constant(LOGITS)
    estimator = get(discrete_fraction=fraction, flip_probability=flips)
    frequency = estimator.sample(logits, estimator.draw_noise(seeds.base(9), logits, draws))
    frequency = frequency.code.numpy().mean(axis=0)
    p, share = scipy.stats.norm.cdf(LOGITS), fraction * flips
    expected = p * (1 - share) + (1 - p) * share
    distribution = estimator.distribution(logits)
    np.testing.assert_allclose(distribution.probs, expected, rtol=1e-6)
    assert (np.abs(frequency - expected) < 5 * np.sqrt(expected * (1 - expected) / draws)).all()
    np.testing.assert_array_equal(distribution.mode(), LOGITS > 0)


@pytest.mark.parametrize("fraction", [0.0, 1.0])
def test_the_ends_of_the_mixture(fraction):
    estimator, logits = get(discrete_fraction=fraction), tf.zeros([1000])
    value = estimator.sample(logits, estimator.draw_noise(seeds.base(0), logits)).value.numpy()
    whole = np.isin(value, [0.0, 1.0]).mean()
    assert whole == 1.0 if fraction else whole < 0.05


def test_the_function_and_the_estimator_are_the_same_maths():
    logits = tf.random.stateless_normal([20, 6], [0, 1])
    for stddev, fraction in ((1.0, 0.5), (0.3, 0.9)):
        estimator = get(noise_stddev=stddev, discrete_fraction=fraction)
        noise = estimator.draw_noise(seeds.base(7), logits, num_samples=None)
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(logits)
            ours = estimator.sample(logits, noise).value
            theirs = functional.semantic_hash(logits, stddev, fraction, seed=7)
        np.testing.assert_array_equal(ours, theirs)
        np.testing.assert_array_equal(tape.gradient(ours, logits), tape.gradient(theirs, logits))
    flipping = get(flip_probability=0.3)
    theirs = functional.semantic_hash(logits, flip_probability=0.3, seed=7)
    noise = flipping.draw_noise(seeds.base(7), logits, num_samples=None)
    np.testing.assert_array_equal(flipping.sample(logits, noise).value, theirs)
    bits = functional.semantic_hash(logits, training=False)
    np.testing.assert_array_equal(bits, estimator.distribution(logits).mode())


def test_schedules_of_noise_and_mixing():
    estimator = get(
        noise_stddev=schedules.Linear(0.5, 1.5, steps=2),
        discrete_fraction=schedules.Linear(0.0, 0.5, steps=2),
    )
    layer = layers.StochasticLayer(estimator, latents="bernoulli", seed=0)
    seen = []
    for _ in range(3):
        layer(tf.zeros([2, 3]), training=True)
        seen.append((float(estimator.noise_stddev.value), float(estimator.discrete_fraction.value)))
    assert seen == [(0.5, 0.0), (1.0, 0.25), (1.5, 0.5)]
    again = estimators.deserialize(estimators.serialize(estimator))
    assert again.noise_stddev.schedule.get_config()["final"] == 1.5
    assert again.discrete_fraction.schedule.get_config()["final"] == 0.5


def test_a_layer_gives_deterministic_bits_at_inference():
    layer = layers.StochasticLayer("semantic_hashing", latents="bernoulli", inference="mode")
    logits = tf.constant([[-3.0, -0.1, 0.1, 7.0]])
    assert layer(logits).numpy().tolist() == [[0.0, 0.0, 1.0, 1.0]]


def test_the_kl_of_a_layer_is_that_of_the_law():
    layer = layers.StochasticLayer("semantic_hashing", latents="bernoulli", kl_weight=1.0)
    logits = tf.constant(LOGITS[np.newaxis], tf.float32)
    layer(logits, training=True)
    p = scipy.stats.norm.cdf(LOGITS)
    expected = np.sum(p * np.log(2 * p) + (1 - p) * np.log(2 * (1 - p)))
    assert float(layer.losses[0]) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("flips", [{}, {"flip_probability": schedules.Linear(0.0, 0.4, steps=9)}])
@pytest.mark.parametrize("stddev", [1e-3, 1.0, 1e3])
def test_kl_values_and_gradients_at_extreme_logits(stddev, flips):
    estimator = get(noise_stddev=stddev, **flips)
    logits = tf.constant([-80.0, -50.0, 0.0, 50.0])
    noise = estimator.draw_noise(seeds.base(0), logits, 100)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(logits)
        value = estimator.sample(logits, noise).value
        distribution = estimator.distribution(logits)
        kl = distribution.kl_divergence(distributions.Bernoulli(tf.zeros([4])))
        log_prob = distribution.log_prob(distribution.mode())
        entropy = distribution.entropy()
    for each in (value, kl, log_prob, entropy):
        assert np.isfinite(each).all()
        assert np.isfinite(tape.gradient(each, logits)).all()


def test_noise_drives_the_codes_to_their_extremes():
    """Bits that must be told apart through the noise: the logits leave the noise far behind."""
    bits = np.random.RandomState(0).randint(2, size=[64, 4])
    logits = tf.Variable(0.1 * (2.0 * bits - 1), dtype=tf.float32)
    scale = tf.Variable(1.0)
    estimator, optimizer = get(), keras.optimizers.Adam(0.05)
    target = tf.constant(bits, tf.float32)

    @tf.function(autograph=False)
    def step(seed):
        with tf.GradientTape() as tape:
            noise = estimator.draw_noise(seed, logits)
            read = scale * (estimator.sample(tf.convert_to_tensor(logits), noise).value[0] - 0.5)
            loss = tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(target, read))
        variables = [logits, scale]
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))

    for i in range(200):
        step(seeds.base(i))
    sure = (2 * bits - 1) * logits.numpy()
    assert sure.min() > 1.0 and np.median(sure) > np.log(11)


def test_categorical_latents_are_refused():
    with pytest.raises(ValueError, match="supports bernoulli latents only.*latents='categorical'"):
        estimators.get("semantic_hashing", latents="categorical")


@pytest.mark.parametrize("stddev", [0.0, -1.0, float("nan")])
def test_noise_that_is_not_positive_is_refused(stddev):
    with pytest.raises(
        ValueError, match=f"noise_stddev must be (positive|a finite).*noise_stddev={stddev}"
    ):
        get(noise_stddev=stddev)


@pytest.mark.parametrize(
    "fraction,received",
    [(-0.1, "-0.1"), (1.5, "1.5"), (schedules.Linear(0.0, 2.0, steps=9), "2.0")],
)
def test_fractions_outside_0_and_1_are_refused(fraction, received):
    message = rf"must lie in \[0, 1\] at every step.*discrete_fraction={received}"
    with pytest.raises(ValueError, match=message):
        get(discrete_fraction=fraction)


@pytest.mark.parametrize(
    "flips,received", [(-0.1, "-0.1"), (0.5, "0.5"), (schedules.Linear(0.0, 0.7, steps=9), "0.69")]
)
def test_flips_of_half_of_the_bits_are_refused(flips, received):
    message = rf"must lie in \[0, 0.5\) at every step.*flip_probability={received}"
    with pytest.raises(ValueError, match=message):
        get(flip_probability=flips)
