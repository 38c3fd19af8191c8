"""The smoothings of DVAE and DVAE++: distribution functions, codes, KL and gradients by quadrature."""

import numpy as np
import pytest
import scipy.integrate
import scipy.special
import tensorflow as tf

from tf_discrete import distributions, estimators, schedules, seeds

NAMES = ("discrete_vae", "overlapping_exponentials")
LOGITS = (-3.0, -0.4, 0.0, 1.2)
UNIFORM = (np.arange(20_000) + 0.5) / 20_000


def get(name, **arguments):
    return estimators.get(name, latents="bernoulli", **arguments)


def cumulative(name, z, q, beta):
    """P(Z <= z), from the densities of the papers."""
    one = np.expm1(beta * z) / np.expm1(beta)
    zero = np.ones_like(z) if name == "discrete_vae" else np.expm1(-beta * z) / np.expm1(-beta)
    return (1 - q) * zero + q * one


def values(name, logit, beta):
    """The values of all quantiles of the noise, and the slope of each for the logit."""
    tiled = tf.fill(UNIFORM.shape, tf.constant(logit, tf.float64))
    with tf.GradientTape() as tape:
        tape.watch(tiled)
        sample = get(name, sharpness=beta).sample(tiled, tf.constant([UNIFORM]))
    return sample.value.numpy()[0], sample.code.numpy()[0], tape.gradient(sample.value, tiled)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("beta", [0.5, 4.0, 20.0])
def test_the_sample_is_the_inverse_of_the_distribution_function(name, beta):
    for logit in LOGITS:
        z, code, _ = values(name, logit, beta)
        q = scipy.special.expit(logit)
        assert z.min() >= 0 and z.max() <= 1
        if name == "discrete_vae":  # Reads the noise from the other end, and the spike is at 0.
            on = UNIFORM < q
            np.testing.assert_array_equal(code, on)
            np.testing.assert_array_equal(z[~on], 0.0)
            np.testing.assert_allclose(
                cumulative(name, z[on], q, beta), 1 - UNIFORM[on], rtol=1e-6, atol=1e-9
            )
        else:
            np.testing.assert_allclose(cumulative(name, z, q, beta), UNIFORM, atol=1e-9)
            np.testing.assert_array_equal(code, z > 0.5)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("beta", [0.5, 4.0])
def test_the_code_follows_the_declared_distribution(name, beta):
    """Of spike and exponential sigmoid(logits); of the overlapping mixture a bit that may be turned."""
    for logit in LOGITS:
        q, code = scipy.special.expit(logit), values(name, logit, beta)[1]
        declared = get(name, sharpness=beta).distribution(tf.constant([logit], tf.float64))
        assert float(declared.probs[0]) == pytest.approx(code.mean(), abs=1e-4)
        turned = 0.0 if name == "discrete_vae" else scipy.special.expit(-beta / 2)
        assert float(declared.probs[0]) == pytest.approx(q * (1 - turned) + (1 - q) * turned)


@pytest.mark.parametrize("dtype", [tf.float32, tf.float64])
def test_the_overlapping_distribution_in_logit_form(dtype):
    """Finite, with its slope, from certain bits to certain bits; also at exactly 0."""
    logits = tf.constant([-np.inf, -65000.0, -30.0, -1.0, 0.0, 1.0, 30.0, 65000.0, np.inf], dtype)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        found = get("overlapping_exponentials", sharpness=6.0).distribution(logits).logits
    q, turned = scipy.special.expit(logits.numpy().astype(np.float64)), scipy.special.expit(-3.0)
    p = q * (1 - turned) + (1 - q) * turned
    np.testing.assert_allclose(found, scipy.special.logit(p), rtol=1e-5, atol=1e-6)
    slope = (1 - 2 * turned) * q * (1 - q) / (p * (1 - p))
    np.testing.assert_allclose(tape.gradient(found, logits), slope, rtol=1e-4, atol=1e-9)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("beta", [0.5, 4.0, 6.0])
def test_the_gradient_is_exact_for_the_relaxed_problem(name, beta):
    """The mean of the pathwise gradient of z^2 is the derivative of the mean of z^2.

    d E[z^2] / dq is the integral of -2 z d P(Z <= z) / dq, which is linear in q.
    """
    for logit in LOGITS:
        z, _, slope = values(name, logit, beta)
        q = scipy.special.expit(logit)

        def integrand(z):
            change = cumulative(name, z, 1.0, beta) - cumulative(name, z, 0.0, beta)
            return -2 * z * change

        exact = q * (1 - q) * scipy.integrate.quad(integrand, 0, 1)[0]
        assert np.mean(2 * z * slope) == pytest.approx(exact, rel=2e-3)


def test_the_kl_of_the_bits_is_that_of_the_smoothed_values():
    """Of spike and exponential: posterior and prior have the same z given the bit, so the ELBO is a bound."""
    q, p, beta = 0.3, 0.6, 4.0

    def density(z, q):
        return q * beta * np.exp(beta * z) / np.expm1(beta)

    inside = scipy.integrate.quad(
        lambda z: density(z, q) * np.log(density(z, q) / density(z, p)), 0, 1
    )[0]
    smoothed = inside + (1 - q) * np.log((1 - q) / (1 - p))
    estimator = get("discrete_vae", sharpness=beta)
    prior = distributions.Bernoulli(tf.constant([scipy.special.logit(p)]))
    posterior = estimator.distribution(tf.constant([scipy.special.logit(q)], tf.float64))
    assert float(posterior.kl_divergence(prior)) == pytest.approx(smoothed, rel=1e-6)


def test_the_kl_of_overlapping_codes_is_below_that_of_the_bits():
    logits = tf.constant([0.5, -2.0], tf.float64)
    prior = distributions.Bernoulli(tf.zeros_like(logits))
    bits = distributions.Bernoulli(logits).kl_divergence(prior)
    kl = [
        float(
            get("overlapping_exponentials", sharpness=b).distribution(logits).kl_divergence(prior)
        )
        for b in (2.0, 8.0, 40.0)
    ]
    assert kl[0] < kl[1] < kl[2] == pytest.approx(float(bits), rel=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_a_sharp_value_is_a_bit(name):
    z, code, _ = values(name, 0.3, 50.0)
    assert np.abs(z - code).mean() < 0.03


@pytest.mark.parametrize("name", NAMES)
def test_extreme_logits_in_float32(name):
    logits = tf.constant([[-np.inf, -200.0, -20.0, 20.0, 200.0, np.inf]])
    estimator = get(name, sharpness=50.0)
    noise = estimator.draw_noise(seeds.base(0), logits, 5000)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        sample = estimator.sample(logits, noise)
    gradient = tape.gradient(sample.value, logits)
    assert np.isfinite(sample.value).all() and np.isfinite(gradient).all()
    np.testing.assert_array_equal(gradient.numpy()[0, [0, -1]], 0.0)
    assert 0 <= sample.value.numpy().min() and sample.value.numpy().max() <= 1


@pytest.mark.parametrize("name", NAMES)
def test_a_sharpness_whose_slope_overflows_is_refused(name):
    for sharpness in (51.0, schedules.Linear(1.0, 60.0, steps=10)):
        with pytest.raises(ValueError, match=r"at most 50.0 at every step.*Received: sharpness="):
            get(name, sharpness=sharpness)
    estimator = get(name, sharpness=11.0)
    estimator.draw_noise(seeds.base(0), tf.zeros([1, 2], tf.bfloat16))
    with pytest.raises(ValueError, match=r"at most 10.0 .*float16.*Received: sharpness=11.0"):
        estimator.draw_noise(seeds.base(0), tf.zeros([1, 2], tf.float16))
