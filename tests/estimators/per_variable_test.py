"""Enumeration and sum-and-sample of one variable at a time: unbiased by enumeration, cost, limits."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from tests.estimators import problems
from tf_discrete import estimators, seeds
from tf_discrete.estimators import diagnostics

every_latents = pytest.mark.parametrize("latents", ["categorical", "bernoulli"])
CASES = [("categorical", 1), ("categorical", 2), ("bernoulli", 1)]


def enumeration(latents):
    return estimators.get("enumeration", latents=latents, mode="per_variable")


def sum_and_sample(latents="categorical", num_summed=2, **arguments):
    return estimators.get(
        "sum_and_sample", latents=latents, num_summed=num_summed, mode="per_variable", **arguments
    )


def gradient(estimator, f, logits, noise, **arguments):
    with tf.GradientTape() as tape:
        tape.watch(logits)
        value = estimator.estimate(f, logits, noise, **arguments).value
    return value, tape.gradient(value, logits)


@every_latents
@pytest.mark.parametrize("objective", ["cubic", "network"])
def test_enumeration_of_each_variable_is_unbiased(latents, objective):
    """Summed over all draws of the others, value and gradient are exact."""
    f, logits = problems.objective(objective, latents), problems.generic_logits(latents)
    result = diagnostics.expected_gradient(enumeration(latents), f, logits)
    truth = diagnostics.exact_gradient(f, logits, latents)
    np.testing.assert_allclose(result.value, truth.value, atol=1e-12)
    np.testing.assert_allclose(result.gradient, truth.gradient, atol=1e-12)


def all_draws(probs, num_summed):
    """Every draw z and every z' outside the most probable categories: as noise, with probability.

    z' is z where z itself is outside, else it has the distribution of q outside.
    """
    tops = [set(np.argsort(-row, kind="stable")[:num_summed]) for row in probs]
    pairs = []
    for row, top in zip(probs, tops, strict=True):
        rest = [k for k in range(len(row)) if k not in top]
        pairs.append(
            [(k, r, row[k] * row[r] / row[rest].sum()) for k in top for r in rest]
            + [(k, k, row[k]) for k in rest]
        )
    noise, weight = [], []
    for choice in itertools.product(*pairs):
        each = np.zeros(probs.shape)
        for n, (drawn, outside, _) in enumerate(choice):
            each[n, outside] = 1e6
            each[n, drawn] = 2e6
        noise.append(each)
        weight.append(np.prod([p for *_, p in choice]))
    assert sum(weight) == pytest.approx(1.0)
    return tf.constant([noise]), tf.constant(weight)


@pytest.mark.parametrize("latents,num_summed", CASES)
@pytest.mark.parametrize("objective", ["cubic", "network"])
def test_sum_and_sample_of_each_variable_is_unbiased(latents, num_summed, objective):
    """Noise that makes every pair of draws in turn, weighed with its probability."""
    estimator = sum_and_sample(latents, num_summed)
    f, logits = problems.objective(objective, latents), problems.generic_logits(latents)
    truth = diagnostics.exact_gradient(f, logits, latents)
    probs = estimator.distribution(logits).probs.numpy()
    if latents == "bernoulli":
        probs = np.stack([1 - probs, probs], axis=-1)
    for row, p, value, slope in zip(logits, probs, *truth[:2], strict=True):
        noise, weight = all_draws(p, num_summed)
        tiled = tf.repeat(row[tf.newaxis], len(weight), axis=0)
        values, slopes = gradient(estimator, f, tiled, noise)
        np.testing.assert_allclose(tf.tensordot(weight, values, 1), value, atol=1e-9)
        np.testing.assert_allclose(tf.tensordot(weight, slopes, 1), slope, atol=1e-9)


@pytest.mark.parametrize("latents,num_summed", CASES)
def test_unbiased_by_many_draws(latents, num_summed):
    """That one Gumbel variable for each category makes both draws with the right joint distribution."""
    f, logits = problems.objective("network", latents), problems.generic_logits(latents)
    result = diagnostics.measure(
        sum_and_sample(latents, num_summed), f, logits, seeds.base(0), num_gradients=20_000
    )
    assert not result.is_biased
    assert result.detectable_bias.max() < 0.2 * np.abs(result.exact).max()


@every_latents
def test_with_all_but_one_category_summed_it_is_enumeration_draw_by_draw(latents):
    f, logits = problems.objective("network", latents), problems.generic_logits(latents, batch=20)
    estimator, seen = sum_and_sample(latents, num_summed=100), []
    noise = estimator.draw_noise(seeds.base(0), logits, 3)
    assert noise.shape == [3, 20, 2, 3 if latents == "categorical" else 2]
    ours = gradient(estimator, lambda z: seen.append(z) or f(z), logits, noise)
    theirs = gradient(enumeration(latents), f, logits, seen[0])
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-12)


@every_latents
def test_less_variance_than_the_score_function(latents):
    """Both variances summed over all draws, at one sample each."""
    f, logits = problems.objective("network", latents), problems.generic_logits(latents)
    truth = diagnostics.exact_gradient(f, logits, latents).gradient
    score = estimators.get("score_function", latents=latents, baseline="none")
    distribution = score.distribution(logits)
    z = distribution.enumerate()[:, tf.newaxis]
    weight = tf.exp(distribution.log_prob(z))
    codes = tf.broadcast_to(z, [len(z), *logits.shape])
    tiled = tf.broadcast_to(logits, codes.shape)
    variances = []
    for estimator in (enumeration(latents), score):
        _, slopes = gradient(estimator, f, tiled, codes[tf.newaxis])
        squares = tf.reduce_sum((slopes - truth) ** 2, axis=list(range(2, slopes.shape.rank)))
        variances.append(tf.reduce_sum(weight * squares, axis=0))
    assert np.all(variances[0] < 0.7 * variances[1])
    assert np.all(variances[0] > 1e-6)


@every_latents
def test_the_cost_is_one_evaluation_and_then_each_variable_for_itself(latents):
    """1 + N k evaluations; the gradient downstream is that of the draw alone."""
    weights = problems.network_weights(latents)
    seen = []

    def f(z):
        seen.append(z)
        return problems.network(problems.as_vectors(z, latents), *weights)

    logits = problems.generic_logits(latents)
    for estimator, others in (
        (enumeration(latents), 2 if latents == "categorical" else 1),
        (sum_and_sample(latents, 1), 1),
    ):
        seen.clear()
        noise = estimator.draw_noise(seeds.base(0), logits, 4)
        with tf.GradientTape(persistent=True) as tape:
            value = estimator.estimate(f, logits, noise).value
            expected = tf.reduce_mean(f(seen[0]), axis=0)
        assert [z.shape[0] for z in seen] == [4, 4 * 2 * others, 4]
        for ours, theirs in zip(
            tape.gradient(value, weights), tape.gradient(expected, weights), strict=True
        ):
            np.testing.assert_allclose(ours, theirs, atol=1e-12)


def test_it_takes_over_where_the_joint_configurations_exceed_the_budget():
    estimator = estimators.get("sum_and_sample", max_configurations=20)
    shapes = []

    def f(z):
        shapes.append(z.shape)
        return tf.reduce_sum(z[..., 0], axis=-1)

    for variables, expected in ((2, [[3, 5, 2, 4]]), (3, [[1, 5, 3, 4], [6, 5, 3, 4]])):
        shapes.clear()
        logits = tf.zeros([5, variables, 4])
        estimator.estimate(f, logits, estimator.draw_noise(seeds.base(0), logits))
        assert shapes == expected
    logits = tf.zeros([2, 20, 10])
    default = estimators.get("sum_and_sample")
    assert default.draw_noise(seeds.base(0), logits).shape == [1, 2, 20, 10]


def test_more_evaluations_than_the_budget_are_refused_with_their_number():
    logits = tf.zeros([1, 20, 10])
    message = r"which makes 10{20} configurations jointly and 41 with one.*max_configurations=40"
    for mode in ("auto", "per_variable"):
        estimator = estimators.get("sum_and_sample", max_configurations=40, mode=mode)
        with pytest.raises(ValueError, match=message):
            estimator.draw_noise(seeds.base(0), logits)
    each = estimators.get("enumeration", mode="per_variable", max_configurations=180)
    with pytest.raises(ValueError, match="jointly and 181 with one.*max_configurations=180"):
        each.draw_noise(seeds.base(0), logits)
    with pytest.raises(ValueError, match="set mode='per_variable', or .*jointly and 181 with one"):
        estimators.get("enumeration").estimate(lambda z: z[..., 0, 0], logits, tf.zeros([0]))
    with pytest.raises(
        ValueError, match="mode must be one of joint, per_var.*Received: mode='both'"
    ):
        estimators.get("enumeration", mode="both")
    with pytest.raises(
        ValueError, match="mode must be one of auto, joint, .*Received: mode='both'"
    ):
        estimators.get("sum_and_sample", mode="both")


@every_latents
def test_leading_axes_and_samples_kept_apart(latents):
    f, logits = problems.objective("cubic", latents), problems.generic_logits(latents, batch=4)
    for estimator in (enumeration(latents), sum_and_sample(latents, 1)):
        for lead in ([], [4], [2, 2]):
            shaped = logits[0] if not lead else tf.reshape(logits, lead + logits.shape[1:])
            noise = estimator.draw_noise(seeds.base(0), shaped, 3)
            value, slope = gradient(estimator, f, shaped, noise)
            assert value.shape == lead and slope.shape == shaped.shape
            apart, slopes = gradient(estimator, f, shaped, noise, reduce=None)
            assert apart.shape == [3, *lead]
            np.testing.assert_allclose(tf.reduce_mean(apart, 0), value, atol=1e-12)
            np.testing.assert_allclose(slopes / 3, slope, atol=1e-12)
        noise = estimator.draw_noise(seeds.base(0), logits, num_samples=None)
        assert estimator.estimate(f, logits, noise, reduce=None).value.shape == [4]


def test_what_cannot_happen_has_no_say():
    """Masked categories, and one category with all the mass; the objective is infinite elsewhere."""
    table = tf.constant([1.0, np.inf, 3.0])

    def f(z):
        return tf.reduce_sum(tf.gather(table, tf.argmax(z, -1)), axis=-1)

    p = tf.nn.softmax([0.3, -1.0]).numpy()
    slope = 2 * p[0] * p[1]
    masked = [0.3, -np.inf, -1.0]
    for row, expected in ((masked, [-slope, 0, slope]), ([0.0, -np.inf, -np.inf], [0.0] * 3)):
        logits = tf.constant([[row, masked]])
        for estimator in (
            enumeration("categorical"),
            sum_and_sample(),
            sum_and_sample("categorical", 1),
        ):
            noise = estimator.draw_noise(seeds.base(0), logits, 400)
            value, slopes = gradient(estimator, f, logits, noise)
            assert np.isfinite(value).all() and np.isfinite(slopes).all()
            exact = estimator.spec.noise == "discrete" or estimator.num_summed == 2
            np.testing.assert_allclose(
                slopes[0, 0], expected, rtol=1e-4 if exact else 0.3, atol=1e-6
            )


def test_one_variable_under_xla_equals_joint_enumeration():
    """With nothing else drawn the gradient is exact; the compiled step agrees."""
    logits = tf.constant([[[0.3, -0.2, 1.0, -1.0]]] * 3)

    def f(z):
        return tf.sin(3.0 * z[..., 0, 0]) + 2.0 * z[..., 0, 1]

    exact = estimators.get("enumeration")
    _, expected = gradient(exact, f, logits, exact.draw_noise(None, logits))
    estimator = enumeration("categorical")

    @tf.function(jit_compile=True, autograph=False)
    def step(seed):
        return gradient(estimator, f, logits, estimator.draw_noise(seed, logits))[1]

    np.testing.assert_allclose(step(seeds.base(0)), expected, atol=1e-6)


@pytest.mark.parametrize("name", ["enumeration", "sum_and_sample"])
def test_two_categories_are_a_bernoulli_variable_draw_by_draw(name):
    bits = problems.generic_logits("bernoulli", batch=20)
    pairs = tf.stack([tf.zeros_like(bits), bits], axis=-1)
    f = problems.objective("cubic", "bernoulli")
    one, two = (
        estimators.get(name, latents=latents, mode="per_variable")
        for latents in ("bernoulli", "categorical")
    )
    noise = one.draw_noise(seeds.base(0), bits, 3)
    both = noise if name == "sum_and_sample" else tf.stack([1 - noise, noise], axis=-1)
    value, slope = gradient(one, f, bits, noise)
    other, slopes = gradient(two, lambda z: f(z[..., 1]), pairs, both)
    np.testing.assert_allclose(other, value, atol=1e-12)
    np.testing.assert_allclose(slopes[..., 1], slope, atol=1e-12)
    np.testing.assert_allclose(slopes[..., 0], -slope, atol=1e-12)
