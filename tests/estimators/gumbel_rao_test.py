"""Gumbel-Rao against straight-through Gumbel-Softmax: identical for one draw, the same mean, less noise."""

import numpy as np
import pytest
import tensorflow as tf

from tests.estimators import problems
from tf_discrete import estimators, seeds
from tf_discrete.estimators import diagnostics

LATENTS = ("categorical", "bernoulli")
NUM_DRAWS = 20_000


def gradient_of(estimator, logits, noise, f):
    with tf.GradientTape() as tape:
        tape.watch(logits)
        value = estimator.estimate(f, logits, noise).value
    return value, tape.gradient(value, logits)


@pytest.mark.parametrize("latents", LATENTS)
def test_the_noise_makes_the_draw(latents):
    estimator = estimators.get("gumbel_rao", num_conditional=7, latents=latents)
    logits = problems.generic_logits(latents)
    noise = estimator.draw_noise(seeds.base(0), logits, 4)
    event = logits.shape[1:]
    assert noise.shape == [4, 3, 8, *event]
    hard, conditional = noise[:, :, :1], noise[:, :, 1:]
    distribution = estimator.distribution(logits)
    code = distribution.code(hard)
    perturbed = logits[:, tf.newaxis] + conditional
    drawn = perturbed > 0 if latents == "bernoulli" else tf.argmax(perturbed, -1)
    np.testing.assert_array_equal(np.broadcast_to(code, drawn.shape), tf.cast(drawn, tf.int32))
    assert len(np.unique(conditional)) == conditional.shape.num_elements()
    sample = estimator.sample(logits, noise)
    np.testing.assert_array_equal(sample.value, hard[:, :, 0])
    np.testing.assert_array_equal(sample.code, code[:, :, 0])


@pytest.mark.parametrize("latents", LATENTS)
@pytest.mark.parametrize("num_conditional", [1, 5])
def test_averages_straight_through_gumbel_softmax_over_its_noise(latents, num_conditional):
    """For one draw and its noises: the mean of the gradients that each of the noises gives alone."""
    arguments = dict(temperature=0.6, latents=latents)
    ours = estimators.get("gumbel_rao", num_conditional=num_conditional, **arguments)
    plain = estimators.get("straight_through_gumbel_softmax", **arguments)
    logits, f = problems.generic_logits(latents), problems.objective("network", latents)
    noise = ours.draw_noise(seeds.base(2), logits)
    value, gradient = gradient_of(ours, logits, noise, f)
    single = [gradient_of(plain, logits, noise[:, :, 1 + m], f) for m in range(num_conditional)]
    for theirs, _ in single:
        np.testing.assert_array_equal(value, theirs)
    np.testing.assert_allclose(gradient, np.mean([g for _, g in single], axis=0), atol=1e-12)


@pytest.fixture(scope="module")
def gradients():
    """Draws of each estimator's gradient at one point, [draws, N(, K)]."""
    result = {}
    for i, latents in enumerate(LATENTS):
        logits = problems.generic_logits(latents, tf.float32, batch=1)[0]
        f = problems.objective("network", latents, tf.float32)
        for m in (0, 1, 2, 10):
            name, extra = (
                ("gumbel_rao", {"num_conditional": m})
                if m
                else ("straight_through_gumbel_softmax", {})
            )
            estimator = estimators.get(name, temperature=0.3, latents=latents, **extra)
            result[latents, m] = (
                diagnostics.gradient_samples(
                    estimator, f, logits, seeds.base(10 * i + m), NUM_DRAWS
                )
                .numpy()
                .astype(np.float64)
            )
    return result


@pytest.mark.parametrize("latents", LATENTS)
@pytest.mark.parametrize("num_conditional", [1, 2, 10])
def test_has_the_mean_of_straight_through_gumbel_softmax(gradients, latents, num_conditional):
    ours, plain = gradients[latents, num_conditional], gradients[latents, 0]
    error = np.sqrt((ours.var(axis=0) + plain.var(axis=0)) / NUM_DRAWS)
    z = (ours.mean(axis=0) - plain.mean(axis=0)) / error
    assert np.abs(z).max() < 5.2
    # A difference of half the gradient would have been seen.
    assert (2 * 5.2 * error).max() < 0.5 * np.abs(plain.mean(axis=0)).max()


def total_variance(samples):
    """The trace of the covariance and its standard error."""
    squares = ((samples - samples.mean(axis=0)) ** 2).reshape(len(samples), -1).sum(axis=1)
    return squares.mean(), squares.std() / np.sqrt(len(samples))


@pytest.mark.parametrize("latents", LATENTS)
def test_variance_falls_with_the_number_of_conditional_draws(gradients, latents):
    """v(M) = a + b / M: one draw has the variance of the plain estimator, more draws less."""
    plain, one, two, ten = (total_variance(gradients[latents, m]) for m in (0, 1, 2, 10))
    assert abs(one[0] - plain[0]) < 5 * np.hypot(one[1], plain[1])
    for more, fewer in ((two, one), (ten, two)):
        assert fewer[0] - more[0] > 5 * np.hypot(more[1], fewer[1])
    between = one[0] - (one[0] - ten[0]) * (1 - 1 / 2) / (1 - 1 / 10)
    assert abs(two[0] - between) < 5 * np.hypot(two[1], np.hypot(one[1], ten[1]))


def test_masked_and_extreme_logits_at_low_temperature():
    logits = tf.constant([[[50.0, -50.0, 0.0], [0.3, -np.inf, -0.2]]])
    f = problems.objective("network", "categorical", tf.float32)
    for temperature in (1e-3, 1e3):
        estimator = estimators.get("gumbel_rao", temperature=temperature, num_conditional=20)
        noise = estimator.draw_noise(seeds.base(0), logits, 20)
        value, gradient = gradient_of(estimator, logits, noise, f)
        assert np.isfinite(noise).all() and np.isfinite(value).all()
        assert np.isfinite(gradient).all() and gradient[0, 1, 1] == 0


def test_the_config_keeps_the_number_of_conditional_draws():
    estimator = estimators.get("gumbel_rao", num_conditional=3)
    again = estimators.deserialize(estimators.serialize(estimator))
    assert again.num_conditional == 3


@pytest.mark.parametrize("number", [0, -1])
def test_no_conditional_draw_is_refused(number):
    with pytest.raises(ValueError, match=f"at least 1.*Received: num_conditional={number}"):
        estimators.get("gumbel_rao", num_conditional=number)
