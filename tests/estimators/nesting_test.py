"""Two stochastic layers: the gradients of both against full enumeration, for pairs of the families.

The outer layer draws one categorical variable z1; a linear map of it gives the logits of the inner layer,
which draws two bits z2; the objective reads both. The inner noise is enumerated jointly with the outer.
"""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from tf_discrete import estimators, seeds
from tf_discrete.distributions import Bernoulli, Categorical
from tf_discrete.estimators import diagnostics, log_mean_exp, mean

OUTER, INNER = 3, 2  # categories of z1, bits of z2
NUM_SAMPLES = 2

_random = np.random.RandomState(2)
LOGITS = tf.constant(_random.normal(size=[1, OUTER]))
WEIGHTS = tf.constant(_random.normal(size=[OUTER, INNER]))
PAIR = tf.constant(_random.normal(size=[OUTER, 2, 2]))


def inner_logits(z1, weights):
    """The layer between: z1 [..., 1, K] to Bernoulli logits [..., 2]; curved, so that relaxing z1 shows."""
    return tf.reduce_sum(z1[..., 0, :, tf.newaxis] * weights, axis=-2) + 0.3 * z1[..., 0, :2] ** 2


def objective(z1, z2):
    """Reads both layers, with cross terms, and is not a polynomial: z1 [..., 1, K], z2 [..., 2]."""
    table = tf.reduce_sum(z1[..., 0, :, tf.newaxis, tf.newaxis] * PAIR, axis=-3)
    x, y = z2[..., 0], z2[..., 1]
    mixed = table[..., 0, 0] * x + table[..., 0, 1] * y + table[..., 1, 0] * x * y
    return tf.sin(mixed) + table[..., 1, 1] * x


def bits():
    return tf.constant(list(itertools.product([0.0, 1.0], repeat=INNER)), tf.float64)


def truth(reduce):
    """E reduce(f(z1_s, z2_s)) over all joint S-tuples, with gradients for LOGITS and WEIGHTS."""
    samples = 1 if reduce is mean else NUM_SAMPLES
    with tf.GradientTape() as tape:
        tape.watch([LOGITS, WEIGHTS])
        z1 = tf.repeat(tf.eye(OUTER, dtype=tf.float64)[:, tf.newaxis], 4, axis=0)
        z2 = tf.tile(bits(), [OUTER, 1])
        log_joint = Categorical(LOGITS).log_prob(z1)
        log_joint += Bernoulli(inner_logits(z1, WEIGHTS)).log_prob(z2)
        values = objective(z1, z2)
        tuples = np.array(list(itertools.product(range(len(z2)), repeat=samples))).T
        probability = tf.exp(tf.reduce_sum(tf.gather(log_joint, tuples), axis=0))
        value = tf.reduce_sum(probability * reduce(tf.gather(values, tuples)))
    return value, *tape.gradient(value, [LOGITS, WEIGHTS])


def nested(outer, inner, z1_noise, z2_noise, logits, reduce, inner_reduce):
    """The outer estimate; the inner layer reads the noise that it is given."""

    def layer(z1):
        def leaf(z2):
            return objective(tf.broadcast_to(z1, z2.shape[:-1] + [1, OUTER]), z2)

        return inner.estimate(leaf, inner_logits(z1, WEIGHTS), z2_noise, reduce=inner_reduce)

    return outer.estimate(layer, logits, z1_noise, reduce=reduce)


def joint_noise():
    """All outer and inner noise, with S = 2: z1 [S, T, 1, K], z2 [S, T, 2], and their probability [T]."""
    outer = list(itertools.product(range(OUTER), repeat=NUM_SAMPLES))
    inner = list(itertools.product(range(4), repeat=NUM_SAMPLES))
    index = np.array([(*a, *b) for a in outer for b in inner]).T
    z1 = tf.one_hot(index[:NUM_SAMPLES], OUTER, dtype=tf.float64)[:, :, tf.newaxis]
    z2 = tf.gather(bits(), index[NUM_SAMPLES:])
    log_joint = Categorical(LOGITS).log_prob(z1)
    log_joint += Bernoulli(inner_logits(z1, WEIGHTS)).log_prob(z2)
    return z1, z2, tf.exp(tf.reduce_sum(log_joint, axis=0))


def expected(outer, inner, reduce, inner_reduce):
    """Expectation of the nested estimate and its gradients over all noise."""
    z1, z2, probability = joint_noise()
    with tf.GradientTape() as tape:
        tape.watch([LOGITS, WEIGHTS])
        logits = tf.broadcast_to(LOGITS, [len(probability), 1, OUTER])
        estimate = nested(outer, inner, z1, z2, logits, reduce, inner_reduce)
        total = tf.reduce_sum(probability * estimate.value)
    assert estimate.value.shape == estimate.auxiliary.shape == probability.shape
    return total, *tape.gradient(total, [LOGITS, WEIGHTS])


def get(name, latents="categorical", **arguments):
    return estimators.get(name, latents=latents, **arguments)


def assert_equal(actual, desired, atol=1e-12):
    for ours, theirs in zip(actual, desired, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=atol)


@pytest.mark.parametrize("reduce", [mean, log_mean_exp])
def test_score_over_score(reduce):
    result = expected(get("score_function"), get("score_function", "bernoulli"), reduce, reduce)
    assert_equal(result, truth(reduce))


def test_score_over_score_with_the_inner_samples_kept_apart():
    result = expected(get("score_function"), get("score_function", "bernoulli"), mean, None)
    assert_equal(result, truth(mean))


def test_score_over_a_straight_through_layer():
    """The outer gradient and the value are exact; the inner one has the bias of straight-through."""
    result = expected(get("score_function"), get("straight_through", "bernoulli"), mean, None)
    exact = truth(mean)
    assert_equal(result[:2], exact[:2])
    assert np.abs(result[2] - exact[2]).max() > 1e-3


@pytest.mark.parametrize("reduce", [mean, log_mean_exp])
def test_score_over_straight_through_with_a_common_reduction(reduce):
    result = expected(get("score_function"), get("straight_through", "bernoulli"), reduce, reduce)
    assert_equal(result[:2], truth(reduce)[:2])


@pytest.mark.parametrize("name", ["score_function", "straight_through", "reinmax"])
def test_enumeration_over_draws(name):
    """Enumeration outside, the inner samples kept apart: one inner draw for each configuration."""
    outer, inner = get("enumeration"), get(name, "bernoulli")
    choices = np.array(list(itertools.product(range(4), repeat=OUTER))).T
    z2 = tf.gather(bits(), choices)
    configurations = tf.eye(OUTER, dtype=tf.float64)[:, tf.newaxis, tf.newaxis]
    log_prob = Bernoulli(inner_logits(configurations, WEIGHTS)).log_prob(z2)
    probability = tf.exp(tf.reduce_sum(log_prob, axis=0))
    with tf.GradientTape() as tape:
        tape.watch([LOGITS, WEIGHTS])
        logits = tf.broadcast_to(LOGITS, [len(probability), 1, OUTER])
        noise = outer.draw_noise(None, logits)
        estimate = nested(outer, inner, noise, z2, logits, mean, None)
        total = tf.reduce_sum(probability * estimate.value)
    result = total, *tape.gradient(total, [LOGITS, WEIGHTS])
    exact = truth(mean)
    assert_equal(result[:2], exact[:2])
    unbiased = inner.spec.exact_for == "any"
    assert (np.abs(result[2] - exact[2]).max() < 1e-12) == unbiased


@pytest.mark.parametrize("reduce", [mean, log_mean_exp])
def test_score_over_enumeration(reduce):
    """Enumeration inside returns one value for each outer sample, so any outer reduction may follow."""
    outer, inner = get("score_function"), get("enumeration", "bernoulli")
    z1 = tf.one_hot(
        np.array(list(itertools.product(range(OUTER), repeat=2))).T, OUTER, dtype=tf.float64
    )[:, :, tf.newaxis]
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([LOGITS, WEIGHTS])
        logits = tf.broadcast_to(LOGITS, [z1.shape[1], 1, OUTER])
        probability = tf.exp(tf.reduce_sum(Categorical(logits).log_prob(z1), axis=0))
        estimate = nested(outer, inner, z1, tf.zeros([0]), logits, reduce, mean)
        total = tf.reduce_sum(tf.stop_gradient(probability) * estimate.value)
        inside = tf.add_n(
            [
                tf.exp(Bernoulli(inner_logits(z1, WEIGHTS)).log_prob(z2)) * objective(z1, z2)
                for z2 in bits()
            ]
        )
        exact = tf.reduce_sum(probability * reduce(inside))
    result = total, *tape.gradient(total, [LOGITS, WEIGHTS])
    assert_equal(result, (exact, *tape.gradient(exact, [LOGITS, WEIGHTS])))


def test_enumeration_over_enumeration():
    outer, inner = get("enumeration"), get("enumeration", "bernoulli")
    with tf.GradientTape() as tape:
        tape.watch([LOGITS, WEIGHTS])
        noise = outer.draw_noise(None, LOGITS)
        value = nested(outer, inner, noise, noise, LOGITS, mean, None).value
    assert_equal((value, *tape.gradient(value, [LOGITS, WEIGHTS])), truth(mean))


@pytest.mark.parametrize("reduce", [mean, log_mean_exp])
def test_pathwise_over_pathwise_is_plain_backpropagation(reduce):
    outer, inner = get("gumbel_softmax"), get("gumbel_softmax", "bernoulli", temperature=0.5)
    noise = outer.draw_noise(seeds.base(1), LOGITS, 4)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([LOGITS, WEIGHTS])
        z1 = outer.sample(LOGITS, noise).value
        between = inner_logits(z1, WEIGHTS)
        inner_noise = inner.draw_noise(seeds.base(2), between, num_samples=None)
        plain = reduce(objective(z1, inner.sample(between, inner_noise).value))
        value = nested(outer, inner, noise, inner_noise, LOGITS, reduce, reduce).value
    assert_equal(
        (value, *tape.gradient(value, [LOGITS, WEIGHTS])),
        (plain, *tape.gradient(plain, [LOGITS, WEIGHTS])),
    )


def test_noise_drawn_inside_the_objective_from_a_fixed_seed():
    """The form that models use: the mean over many draws is the exact gradient of both layers."""
    outer, inner = get("score_function"), get("score_function", "bernoulli")
    draws = 40_000
    logits = tf.repeat(LOGITS[tf.newaxis], draws, axis=0)
    weights = tf.repeat(WEIGHTS[tf.newaxis], draws, axis=0)
    shapes = []

    def layer(z1):
        between = inner_logits(z1, weights)
        noise = inner.draw_noise(seeds.base(8), between, num_samples=None)
        shapes.append((z1.shape, noise.shape))
        return inner.estimate(lambda z2: objective(z1, z2), between, noise, reduce=log_mean_exp)

    with tf.GradientTape() as tape:
        tape.watch([logits, weights])
        noise = outer.draw_noise(seeds.base(7), logits, NUM_SAMPLES)
        value = outer.estimate(layer, logits, noise, reduce=log_mean_exp).value
    assert shapes == [((2, draws, 1, 3), (2, draws, 2))]
    drawn = [value, *tape.gradient(value, [logits, weights])]
    for sample, exact in zip(drawn, truth(log_mean_exp), strict=True):
        error = sample.numpy().std(axis=0, ddof=1) / np.sqrt(draws)
        z = (sample.numpy().mean(axis=0) - exact) / error
        assert np.abs(z).max() < 5.5
        assert 11 * np.max(error) < np.abs(exact).max()


def test_inner_samples_of_its_own():
    """An inner layer that draws several samples for each outer one reduces them to the outer's axes."""
    outer, inner = get("score_function"), get("score_function", "bernoulli")
    z1 = outer.draw_noise(seeds.base(0), LOGITS, 3)
    z2 = inner.draw_noise(seeds.base(1), inner_logits(z1, WEIGHTS), 5)
    assert z2.shape == [5, 3, 2]
    estimate = nested(outer, inner, z1, z2, LOGITS, mean, mean)
    values = objective(tf.broadcast_to(z1, [5, 3, 1, OUTER]), z2)
    assert estimate.per_sample.shape == [3] and estimate.value.shape == []
    np.testing.assert_allclose(estimate.value, tf.reduce_mean(values), atol=1e-15)


# What is refused.


def attempt(outer, inner, reduce, inner_reduce, samples=2, inner_samples=None):
    z1 = outer.draw_noise(seeds.base(0), LOGITS, samples)
    rows = tf.eye(OUTER, dtype=tf.float64)[:, tf.newaxis] if outer.spec.noise == "none" else z1
    z2 = inner.draw_noise(seeds.base(1), inner_logits(rows, WEIGHTS), inner_samples)
    return nested(outer, inner, z1, z2, LOGITS, reduce, inner_reduce)


@pytest.mark.parametrize("reduce,inner_reduce", [(mean, log_mean_exp), (log_mean_exp, mean)])
@pytest.mark.parametrize("outer", ["score_function", "gumbel_softmax"])
def test_two_reductions_are_refused(outer, reduce, inner_reduce):
    message = f"one and the same.*reduce={reduce.__name__}, .*layer {inner_reduce.__name__}"
    with pytest.raises(ValueError, match=message):
        attempt(get(outer), get("score_function", "bernoulli"), reduce, inner_reduce)


def test_an_inner_reduction_under_an_outer_none_is_refused():
    with pytest.raises(ValueError, match="one and the same reduction.*Received: reduce=None"):
        attempt(get("score_function"), get("score_function", "bernoulli"), None, mean)


@pytest.mark.parametrize("outer", ["score_function", "gumbel_softmax"])
def test_a_non_linear_reduction_over_an_unreduced_score_layer_is_refused(outer):
    score = get("score_function", "bernoulli")
    with pytest.raises(ValueError, match="wrong gradient.*num_samples=None. Received: reduce=log_"):
        attempt(get(outer), score, log_mean_exp, None)
    with pytest.raises(ValueError, match="wrong gradient.*num_samples=None. Received: reduce=log_"):
        attempt(get(outer), score, log_mean_exp, mean, inner_samples=3)
    attempt(get(outer), get("gumbel_softmax", "bernoulli"), log_mean_exp, None)


def test_enumeration_over_a_reduced_layer_is_refused():
    with pytest.raises(ValueError, match="reduce=None. Received: reduce=mean"):
        attempt(get("enumeration"), get("score_function", "bernoulli"), mean, mean)


def test_an_inner_score_layer_under_one_outer_sample_is_refused():
    with pytest.raises(ValueError, match="ScoreFunction needs at least 2 .*num_samples=1"):
        attempt(get("gumbel_softmax"), get("score_function", "bernoulli"), mean, mean, samples=1)


@pytest.mark.parametrize("name", ["score_function", "gumbel_softmax", "enumeration"])
def test_objectives_that_average_are_refused(name):
    estimator = get(name)
    noise = estimator.draw_noise(seeds.base(0), LOGITS[tf.newaxis], 2)
    for wrong in (tf.reduce_mean, lambda z: z[..., 0], lambda z: tf.reduce_mean(z, [0, -1, -2])):
        with pytest.raises(
            ValueError, match=r"one value for each sample.*z of shape \(\d, 1, 1, 3\)"
        ):
            estimator.estimate(wrong, LOGITS[tf.newaxis], noise)


# Reductions of several samples.


@pytest.mark.parametrize("num_samples", [2, 3])
def test_score_function_with_log_mean_exp_is_vimco(num_samples):
    """Its expected gradient is that of E log mean exp f, by enumeration of all S-tuples."""
    logits = tf.constant(np.random.RandomState(1).normal(size=[3, 2, 3]))
    f = tf.constant(np.random.RandomState(2).normal(scale=2.0, size=[3, 3]))

    def values(z):
        return tf.einsum("...i,...j,ij->...", z[..., 0, :], z[..., 1, :], f)

    arguments = dict(num_samples=num_samples, reduce=log_mean_exp)
    result = diagnostics.expected_gradient(get("score_function"), values, logits, **arguments)
    exact = diagnostics.exact_gradient(values, logits, **arguments)
    assert_equal(result[:2], exact[:2])
    of_the_mean = diagnostics.exact_gradient(values, logits).gradient
    assert np.abs(exact.gradient - of_the_mean).max() > 1e-2


def test_gumbel_softmax_with_log_mean_exp_differentiates():
    estimator = get("gumbel_softmax", temperature=0.5)
    noise = estimator.draw_noise(seeds.base(0), LOGITS, 8)

    def value(logits):
        return estimator.estimate(
            lambda z: tf.reduce_sum(z[..., 0, :] ** 2 * [1.0, -2.0, 3.0], -1),
            logits,
            noise,
            reduce=log_mean_exp,
        ).value

    theory, numeric = tf.test.compute_gradient(value, [LOGITS], delta=1e-6)
    np.testing.assert_allclose(theory[0], numeric[0], atol=1e-8)
    assert np.abs(theory[0]).max() > 1e-2
