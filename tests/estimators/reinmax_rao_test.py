"""ReinMax-Rao and ReinMax-CV: their formulas, and what integration over their noise says of their means.

One bit is integrated by quadrature: given the sample D, logistic noise at any logits l has the quantile
function that `condition_logistic` writes, so the mean over the noise is an integral over (0, 1).
"""

import numpy as np
import pytest
import scipy.special
import tensorflow as tf

from tests.estimators import problems
from tf_discrete import distributions, estimators, seeds
from tf_discrete.distributions import noise as noise_lib
from tf_discrete.estimators import diagnostics

NAMES = ("reinmax_rao", "reinmax_cv")
LATENTS = ("categorical", "bernoulli")
POINTS, WEIGHTS = scipy.special.roots_legendre(400)
UNIFORM, WEIGHTS = 0.5 * (POINTS + 1.0), 0.5 * WEIGHTS
BIT_LOGITS = (-1.5, -0.2, 0.6, 2.0)


def gradient(estimator, logits, noise, upstream):
    with tf.GradientTape() as tape:
        tape.watch(logits)
        total = tf.reduce_sum(upstream * estimator.sample(logits, noise).value)
    return tape.gradient(total, logits).numpy()


def jacobian(p):
    return np.eye(p.shape[-1]) * p[..., None] - p[..., :, None] * p[..., None, :]


def softmax(x):
    return scipy.special.softmax(x, axis=-1)


@pytest.mark.parametrize("latents", LATENTS)
def test_halfway_logits(latents):
    logits = problems.generic_logits(latents)
    kind = distributions.get(latents)
    value = kind(logits).sample(seeds.base(0), 5)
    np.testing.assert_allclose(
        kind(kind(logits).halfway_logits(value)).probs,
        0.5 * (kind(logits).probs + value),
        rtol=1e-12,
    )


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("temperature", [0.5, 1.0])
def test_the_gradient_is_the_formula_in_numpy(name, temperature):
    estimator = estimators.get(name, temperature=temperature, num_conditional=4)
    logits = problems.generic_logits("categorical")
    noise = estimator.draw_noise(seeds.base(0), logits)
    upstream = np.random.RandomState(0).normal(size=logits.shape)
    hard, noises = noise.numpy()[0, :, 0], np.moveaxis(noise.numpy()[0, :, 1:], 1, 0)
    p = softmax(logits.numpy())
    halfway = 0.5 * (p + hard)
    relaxed = jacobian(softmax((np.log(halfway) + noises) / temperature)) / temperature
    if name == "reinmax_rao":
        matrix = 2 * relaxed.mean(axis=0) - 0.5 * jacobian(p)
        made = np.log(halfway) + noises
    else:
        matrix = 2 * jacobian(halfway) - 0.5 * jacobian(p)
        matrix += 0.7 * (relaxed[1:].mean(axis=0) - relaxed[0])
        made = np.concatenate([logits + noises[:1], np.log(halfway) + noises[1:]])
    np.testing.assert_array_equal(
        made.argmax(axis=-1), np.broadcast_to(hard.argmax(-1), made.shape[:-1])
    )
    expected = np.einsum("bnij,bnj->bni", matrix, upstream)
    np.testing.assert_allclose(gradient(estimator, logits, noise, upstream), expected, atol=1e-12)


@pytest.mark.parametrize("latents", LATENTS)
def test_without_its_difference_reinmax_cv_is_reinmax(latents):
    cv, reinmax = (
        estimators.get("reinmax_cv", latents=latents, scale=0.0),
        estimators.get("reinmax", latents=latents),
    )
    logits = problems.generic_logits(latents)
    noise = cv.draw_noise(seeds.base(0), logits, 3)
    hard = noise[:, :, 0]
    upstream = np.random.RandomState(0).normal(size=hard.shape)
    np.testing.assert_allclose(
        gradient(cv, logits, noise, upstream),
        gradient(reinmax, logits, hard, upstream),
        atol=1e-12,
    )


def bit(logit):
    """Probability, and for D = 0, 1: probability of D, logit halfway to D."""
    p = scipy.special.expit(logit)
    return p, [(1 - p, 0.0, p / 2), (p, 1.0, (1 + p) / 2)]


def relaxed_jacobian(made_at, relaxed_at, value, temperature):
    """Mean and mean square of J(sigmoid((relaxed_at + G) / t)) / t, given that made_at + G makes `value`."""
    made_at = tf.fill(UNIFORM.shape, tf.constant(made_at, tf.float64))
    noise = noise_lib.condition_logistic(UNIFORM, made_at, tf.fill(UNIFORM.shape, value)).numpy()
    s = scipy.special.expit((relaxed_at + noise) / temperature)
    slope = s * (1 - s) / temperature
    return WEIGHTS @ slope, WEIGHTS @ slope**2


def mean_factor(logit, temperature, second_at_halfway=False):
    """What ReinMax-Rao multiplies a constant g by on average; p (1 - p) would be exact."""
    p, cases = bit(logit)
    total = 0.0
    for weight, value, halfway in cases:
        at = scipy.special.logit(halfway)
        first = relaxed_jacobian(at, at, value, temperature)[0]
        second = halfway * (1 - halfway) if second_at_halfway else p * (1 - p)
        total += weight * (2 * first - 0.5 * second)
    return total


@pytest.mark.parametrize("logit", [-1.5, 0.6])
def test_the_quadrature_is_that_of_the_estimator(logit):
    """The mean of many gradients of ReinMax-Rao for the objective z."""
    estimator = estimators.get("reinmax_rao", latents="bernoulli", num_conditional=1)
    samples = diagnostics.gradient_samples(
        estimator, lambda z: z[..., 0], tf.constant([logit]), seeds.base(1), 20_000
    ).numpy()
    error = samples.std() / np.sqrt(len(samples))
    assert abs(samples.mean() - mean_factor(logit, 1.0)) < 5 * error


@pytest.mark.parametrize("temperature", [0.5, 1.0])
def test_erratum_reinmax_rao_has_another_mean_than_reinmax(temperature):
    """ReinMax is exact for linear objectives; this is not, in either reading of the second term."""
    for logit in BIT_LOGITS:
        exact = scipy.special.expit(logit) * scipy.special.expit(-logit)
        ours = mean_factor(logit, temperature) / exact
        printed = mean_factor(logit, temperature, second_at_halfway=True) / exact
        assert abs(ours - 1) > 0.05
        assert abs(printed - ours) > 0.05


@pytest.mark.parametrize("temperature", [0.5, 1.0])
def test_erratum_the_difference_of_reinmax_cv_has_no_mean_of_zero(temperature):
    """Nor has it with free noise; with the noise of the other term it has, by definition."""
    for logit in BIT_LOGITS:
        for _, value, halfway in bit(logit)[1]:
            at = scipy.special.logit(halfway)
            rao = relaxed_jacobian(at, at, value, temperature)[0]
            own = relaxed_jacobian(logit, at, value, temperature)[0]
            free = sum(
                weight * relaxed_jacobian(at, at, bit_value, temperature)[0]
                for weight, bit_value in ((halfway, 1.0), (1 - halfway, 0.0))
            )
            assert abs(rao - own) > 0.004 and abs(rao - free) > 0.004


def test_erratum_a_difference_of_mean_zero_never_lowers_the_variance():
    """Its mean is 0 given the sample, of which ReinMax is a function: the variances add up."""
    scale, temperature = 0.7, 1.0
    estimator = estimators.get("reinmax_cv", latents="bernoulli", scale=scale, num_conditional=1)
    reinmax = estimators.get("reinmax", latents="bernoulli")
    draws = 20_000
    logits = tf.repeat(tf.constant([BIT_LOGITS], tf.float64), draws, axis=0)
    noise = estimator.draw_noise(seeds.base(2), logits)
    hard, _, other = tf.split(noise, 3, axis=2)
    halfway = distributions.Bernoulli(logits).halfway_logits(hard[:, :, 0])
    again = estimator._conditional_noise(seeds.base(3), halfway, hard[:, :, 0])
    upstream = 1.0 + 0.8 * hard[:, :, 0]  # The slope of an objective that is quadratic in the bit.
    ours = gradient(estimator, logits, tf.concat([hard, again, other], axis=2), upstream)
    plain = gradient(reinmax, logits, hard[:, :, 0], upstream)
    for n, logit in enumerate(BIT_LOGITS):
        added = 0.0
        for weight, value, half in bit(logit)[1]:
            at = scipy.special.logit(half)
            mean, square = relaxed_jacobian(at, at, value, temperature)
            added += weight * 2 * scale**2 * (square - mean**2) * (1 + 0.8 * value) ** 2
        difference = ours[:, n] - plain[:, n]
        assert abs(difference.mean()) < 5 * difference.std() / np.sqrt(draws)
        assert ours[:, n].var() == pytest.approx(plain[:, n].var() + added, rel=0.1)
        assert added > 0.05 * ours[:, n].var()


def test_on_a_network_reinmax_rao_has_less_variance_than_reinmax_and_reinmax_cv_has_more():
    logits = problems.generic_logits("categorical", tf.float32)
    f = problems.objective("network", "categorical", tf.float32)
    rao, plain, cv = (
        diagnostics.measure(estimators.get(name), f, logits, seeds.base(4), 4000).total_variance
        for name in ("reinmax_rao", "reinmax", "reinmax_cv")
    )
    assert rao < 0.85 * plain and plain < 0.85 * cv


@pytest.mark.parametrize("name", NAMES)
def test_the_config_keeps_its_arguments(name):
    arguments = {"num_conditional": 3, "temperature": 0.5}
    if name == "reinmax_cv":
        arguments["scale"] = 0.2
    again = estimators.deserialize(estimators.serialize(estimators.get(name, **arguments)))
    assert again.num_conditional == 3 and getattr(again, "scale", 0.2) == 0.2
