"""ReDGE: its distribution, its gradient and its limits, one bit by quadrature over the noise."""

import numpy as np
import pytest
import scipy.special
import tensorflow as tf

from tests.estimators import problems
from tf_discrete import estimators, seeds
from tf_discrete.estimators import redge

POINTS, WEIGHTS = np.polynomial.hermite_e.hermegauss(80)
WEIGHTS = WEIGHTS / WEIGHTS.sum()
BIT_LOGITS = (-2.0, -0.5, 1.0)


def get(**arguments):
    return estimators.get("redge", **arguments)


def gradient(estimator, logits, noise, upstream):
    with tf.GradientTape() as tape:
        tape.watch(logits)
        total = tf.reduce_sum(upstream * estimator.sample(logits, noise).value)
    return tape.gradient(total, logits).numpy()


def softmax(x):
    return scipy.special.softmax(x, axis=-1)


def test_the_ratios_are_those_of_equidistant_times():
    np.testing.assert_allclose(get(num_steps=3, noise_level=0.5).ratios, [1.0, 1 / 3, 0.0])
    np.testing.assert_allclose(get(num_steps=2, noise_level=0.2).ratios, [4.0, 0.0])
    assert get(num_steps=1).ratios == [0.0]


@pytest.mark.parametrize("latents", ["categorical", "bernoulli"])
def test_one_step_is_straight_through(latents):
    ours, plain = (
        get(num_steps=1, latents=latents),
        estimators.get("straight_through", latents=latents),
    )
    logits = problems.generic_logits(latents)
    noise = ours.draw_noise(seeds.base(0), logits, 4)
    hard = ours.sample(logits, noise).value
    upstream = np.random.RandomState(0).normal(size=hard.shape)
    np.testing.assert_allclose(
        gradient(ours, logits, noise, upstream), gradient(plain, logits, hard, upstream), atol=1e-12
    )


@pytest.mark.parametrize("num_steps", [2, 4])
def test_the_gradient_is_the_chain_of_jacobians(num_steps):
    """Forward accumulation in NumPy: how each point moves with the logits, from y_n down."""
    estimator = get(num_steps=num_steps, noise_level=0.3)
    logits = problems.generic_logits("categorical", batch=1)
    noise = estimator.draw_noise(seeds.base(1), logits)
    upstream = np.random.RandomState(0).normal(size=logits.shape)
    found, r, expected = gradient(estimator, logits, noise, upstream), estimator.ratios, []
    for n in range(problems.NUM_VARIABLES):
        hard, normal = noise.numpy()[0, 0, n].T
        log_probs = np.log(softmax(logits.numpy()[0, n]))
        y = [r[0] * hard + normal]
        for i in range(num_steps - 1):
            y.append(y[i] - (r[i] - r[i + 1]) * softmax(log_probs + r[i] * y[i]))
        moves, eye = np.zeros([3, 3]), np.eye(3)
        for i in range(num_steps - 1, -1, -1):
            m = softmax(log_probs + r[i] * y[i])
            jacobian = (np.diag(m) - np.outer(m, m)) @ (eye + r[i] * moves)
            if i:
                moves = moves + (r[i - 1] - r[i]) * jacobian
        expected.append(upstream[0, n] @ jacobian)
    np.testing.assert_allclose(found[0], expected, atol=1e-12)


def test_the_sample_given_the_noised_point_is_that_of_the_denoiser():
    """P(D = 1 | y_1) = m(y_1, r_1), as in the paper: by Bayes' rule for one bit."""
    p, ratio, y = 0.3, 1.5, np.array([0.4, -0.7])
    weights = [
        prior * np.exp(-0.5 * np.sum((y - ratio * hard) ** 2))
        for prior, hard in ((1 - p, np.array([1.0, 0.0])), (p, np.array([0.0, 1.0])))
    ]
    log_probs = tf.constant(np.log([1 - p, p]))
    denoiser = redge.denoise(log_probs, [tf.constant(y)], [ratio])
    np.testing.assert_allclose(denoiser, weights / np.sum(weights), rtol=1e-12)


def mean_slope(logit, num_steps):
    """The mean of the gradient of the objective z for one bit, over both samples and all normal noise."""
    estimator = get(num_steps=num_steps, latents="bernoulli")
    p, total = scipy.special.expit(logit), 0.0
    # Of the two normal numbers only the difference counts; the other direction changes nothing.
    normal = np.stack([-POINTS, POINTS], axis=-1) / np.sqrt(2.0)
    for probability, hard in ((1 - p, [1.0, 0.0]), (p, [0.0, 1.0])):
        noise = np.stack([np.broadcast_to(hard, normal.shape), normal], axis=-1)
        logits = tf.fill([len(POINTS), 1], tf.constant(logit, tf.float64))
        slopes = gradient(estimator, logits, tf.constant(noise[None, :, None]), 1.0)
        total += probability * WEIGHTS @ slopes[:, 0]
    return total


@pytest.mark.parametrize("logit", BIT_LOGITS)
def test_the_bias_for_linear_objectives_falls_with_the_steps(logit):
    exact = scipy.special.expit(logit) * scipy.special.expit(-logit)
    errors = [abs(mean_slope(logit, steps) / exact - 1) for steps in (2, 4, 24)]
    assert errors[0] > 0.01
    assert errors[-1] < 0.01 and errors[2] < errors[1] < errors[0], errors


@pytest.mark.parametrize("logit", BIT_LOGITS)
def test_erratum_the_sample_of_few_steps_from_noise_has_another_distribution(logit):
    """P(D = 1) when y_n is normal, the steps run down and D is drawn from the last denoiser."""

    def frequency(num_steps):
        ratios = get(num_steps=num_steps).ratios
        difference = np.sqrt(2.0) * POINTS  # y of category 1 less that of category 0
        for i in range(num_steps - 1, 0, -1):
            m = scipy.special.expit(logit + ratios[i] * difference)
            difference = difference + (ratios[i - 1] - ratios[i]) * (2 * m - 1)
        return WEIGHTS @ scipy.special.expit(logit + ratios[0] * difference)

    errors = [abs(frequency(steps) - scipy.special.expit(logit)) for steps in (2, 9, 100)]
    assert errors[0] > 0.004  # The estimator's own samples: tests/conformance.
    assert errors[2] < 0.001 and errors[2] < errors[1]


@pytest.mark.parametrize(
    "arguments",
    [{"num_steps": 0}, {"noise_level": 1.0}, {"noise_level": 0.0}, {"noise_level": 1e-320}],
)
def test_wrong_arguments_are_refused(arguments):
    with pytest.raises(ValueError, match="Received"):
        get(**arguments)
