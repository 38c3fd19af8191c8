"""The score function with every baseline: unbiased, calmer than without, and nothing leaks."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.estimators import learning, problems
from tf_discrete import estimators, seeds
from tf_discrete.estimators import diagnostics, log_mean_exp, mean
from tf_discrete.estimators.moving_moments import MovingMoments

BASELINES = ["none", "leave_one_out", "moving_average", "learned", -3.0]
every_baseline = pytest.mark.parametrize("baseline", BASELINES)


def get(baseline, latents="categorical", **arguments):
    return estimators.get("score_function", latents=latents, baseline=baseline, **arguments)


def disturb(estimator):
    """Puts the baseline into a state that it could have learned, far from its start."""
    for seed in range(3):
        values = 4.0 + 2.0 * tf.random.stateless_normal([2, 5], [seed, 0])
        estimator.baseline.update(values)
        if estimator.spread is not None:
            estimator.spread.update(values)


def test_gradient_is_the_credit_times_the_score():
    estimator = estimators.ScoreFunction()
    f, logits = problems.objective("cubic", "categorical"), problems.generic_logits("categorical")
    noise = estimator.draw_noise(seeds.base(0), logits, 4)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        estimate = estimator.estimate(f, logits, noise)
    values = f(noise).numpy()
    others = (values.sum(axis=0) - values) / 3
    score = noise.numpy() - tf.nn.softmax(logits).numpy()
    expected = np.mean((values - others)[..., None, None] * score, axis=0)
    np.testing.assert_allclose(tape.gradient(estimate.value, logits), expected, atol=1e-12)
    assert not estimate.pathwise and not np.any(estimate.auxiliary)


def test_an_objective_that_is_constant_has_no_gradient_at_all():
    """What the baseline is for: a million added to every value changes nothing."""
    estimator = estimators.ScoreFunction()
    logits = problems.generic_logits("categorical")
    result = diagnostics.measure(
        estimator,
        lambda z: tf.fill(tf.shape(z)[:-2], tf.constant(1e6, z.dtype)),
        logits,
        seeds.base(0),
        100,
    )
    assert result.total_variance == 0.0 and not np.any(result.mean)


def test_the_baseline_lowers_the_variance_where_the_objective_is_far_from_zero():
    """Against f(z) score(z), whose variance is computed by enumeration."""
    logits = problems.generic_logits("categorical", batch=1)
    cubic = problems.objective("cubic", "categorical")

    def f(z):
        return cubic(z) + 20.0

    estimator = estimators.ScoreFunction()
    result = diagnostics.measure(estimator, f, logits, seeds.base(0), 20_000, num_samples=2)
    distribution = estimator.distribution(logits)
    z = distribution.enumerate()[:, None]
    probability = tf.exp(distribution.log_prob(z)).numpy()[..., None, None]
    plain = f(z).numpy()[..., None, None] * distribution.score(z).numpy()
    mean = np.sum(probability * plain, axis=0)
    without = np.sum(probability * (plain - mean) ** 2, axis=0).sum() / 2
    assert result.total_variance < 0.2 * without, f"{result.total_variance} with, {without} without"


def test_variance_falls_with_the_number_of_samples():
    f, logits = problems.objective("cubic", "categorical"), problems.generic_logits("categorical")
    few, many = (
        diagnostics.measure(estimators.ScoreFunction(), f, logits, seeds.base(0), 10_000, samples)
        for samples in (2, 8)
    )
    assert many.total_variance < 0.25 * few.total_variance
    assert not few.is_biased and not many.is_biased
    assert (few.num_evaluations, many.num_evaluations) == (2, 8)


# Baselines.


@every_baseline
@pytest.mark.parametrize("latents", ["categorical", "bernoulli"])
@pytest.mark.parametrize("reduce", [mean, log_mean_exp])
def test_unbiased_by_enumeration_in_any_state_of_the_baseline(baseline, latents, reduce):
    estimator = get(baseline, latents)
    f, logits = problems.objective("network", latents), problems.generic_logits(latents)
    diagnostics.expected_gradient(estimator, f, logits, 2, reduce=reduce)
    disturb(estimator)
    result = diagnostics.expected_gradient(estimator, f, logits, 2, reduce=reduce)
    truth = diagnostics.exact_gradient(f, logits, latents, num_samples=2, reduce=reduce)
    np.testing.assert_allclose(result.value, truth.value, atol=1e-9)
    atol = problems.rounding(estimator)
    np.testing.assert_allclose(result.gradient, truth.gradient, atol=atol)


def test_variance_normalization_divides_by_the_running_deviation_above_1():
    f, logits = problems.objective("cubic", "categorical"), problems.generic_logits("categorical")
    truth = diagnostics.exact_gradient(f, logits).gradient
    estimator = get("none", variance_normalization=True)
    for scale, divisor in ((0.01, 1.0), (3.0, 3.0)):
        estimator.spread = MovingMoments(0.0)
        estimator.spread.update(scale * tf.constant([-1.0, 1.0]))
        result = diagnostics.expected_gradient(estimator, f, logits)
        np.testing.assert_allclose(divisor * result.gradient, truth, rtol=1e-6)


@every_baseline
def test_min_samples_follows_the_baseline(baseline):
    estimator = get(baseline)
    fewest = 2 if baseline == "leave_one_out" else 1
    assert estimator.min_samples == fewest
    logits = problems.generic_logits("categorical")
    assert estimator.draw_noise(seeds.base(0), logits, fewest).shape[0] == fewest


@pytest.mark.one_in(3)
@pytest.mark.parametrize(
    "baseline,normalized",
    [
        ("moving_average", True),
        ("learned", False),
        ("none", True),
        pytest.param("moving_average", False, marks=pytest.mark.slow),
        pytest.param("learned", True, marks=pytest.mark.slow),
        pytest.param("none", False, marks=pytest.mark.slow),
    ],
)
def test_variance_against_no_baseline_over_200_steps(baseline, normalized):
    """One sample each, at equal state of the model; the normaliser's factor is taken out."""
    problem = learning.Problem("categorical")
    estimator = get(baseline, variance_normalization=normalized, decay=0.9)
    losses = learning.train(estimator, problem)
    factor = 1.0
    if normalized:
        factor = max(1.0, float(estimator.spread.variance) ** 0.5)
        assert factor > 1.0
    plain = learning.gradients(get("none"), problem)
    ratio, low, high = learning.variance_ratio(
        learning.gradients(estimator, problem, scale=factor), plain
    )
    print(f"variance ratio {ratio:.3f}, 95 % interval [{low:.3f}, {high:.3f}]")
    if baseline == "none":
        assert low <= 1.0 <= high and not losses.any()
    else:
        assert high < 0.7
    if baseline == "learned":
        assert losses[-20:].mean() < 0.2 * losses[:5].mean()


def test_a_moving_average_is_right_from_the_first_batch_on():
    estimator = get("moving_average")
    logits = tf.zeros([4, 1, 2])
    noise = estimator.draw_noise(seeds.base(0), logits)

    def estimate(training):
        with tf.GradientTape() as tape:
            tape.watch(logits)
            value = estimator.estimate(
                lambda z: tf.fill(tf.shape(z)[:2], 7.0), logits, noise, training=training
            ).value
        return tape.gradient(value, logits)

    first = estimate(True)
    np.testing.assert_allclose(np.abs(first), 3.5)  # 7 (z - 1/2): the batch itself is not in it.
    np.testing.assert_allclose(estimate(True), 0.0, atol=1e-5)
    before = float(estimator.baseline.moments.mean)
    estimate(False)
    assert float(estimator.baseline.moments.mean) == before


@pytest.mark.parametrize("context", [True, False])
def test_the_auxiliary_loss_trains_the_baseline_and_nothing_else(context):
    estimator = get("learned")
    problem = learning.Problem("categorical")
    weight = tf.Variable(1.0)
    noise = estimator.draw_noise(seeds.base(0), problem.logits)
    inputs = tf.Variable(problem.context)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(problem.logits)
        estimate = estimator.estimate(
            lambda z: weight * problem.objective(z),
            problem.logits,
            noise,
            context=inputs if context else None,
            training=True,
        )
    own = [v.value for v in estimator.trainable_variables]
    assert len(own) == 4
    assert all(np.any(g != 0) for g in tape.gradient(estimate.auxiliary, own))
    assert tape.gradient(estimate.auxiliary, [weight, problem.logits, inputs]) == [None] * 3
    assert tape.gradient(estimate.value, own) == [None] * 4


@every_baseline
def test_config_round_trip_with_weights(baseline, tmp_path):
    estimator = get(baseline, variance_normalization=True)
    logits = problems.generic_logits("categorical", tf.float32)
    estimator.build(logits.shape)
    disturb(estimator)
    config = json.loads(json.dumps(estimators.serialize(estimator)))
    again = estimators.deserialize(config)
    assert json.dumps(estimators.serialize(again), sort_keys=True) == json.dumps(
        config, sort_keys=True
    )
    assert len(again.weights) == len(estimator.weights) >= 3
    again.set_weights(estimator.get_weights())
    noise = estimator.draw_noise(seeds.base(0), logits, 2)
    results = []
    for each in (estimator, again):
        with tf.GradientTape() as tape:
            tape.watch(logits)
            value = each.estimate(
                problems.objective("cubic", "categorical", tf.float32), logits, noise
            ).value
        results.append(tape.gradient(value, logits))
    np.testing.assert_array_equal(*results)


@pytest.mark.parametrize("estimator", ["none", "moving_average", "learned"])
def test_one_jitted_training_step_under_mixed_precision(estimator):
    keras.mixed_precision.set_dtype_policy("mixed_float16")
    try:
        estimator = get(estimator, variance_normalization=True)
        problem = learning.Problem("categorical")
        estimator.build(problem.logits.shape, problem.context.shape)

        @tf.function(jit_compile=True, autograph=False)
        def step():
            noise = estimator.draw_noise(seeds.base(0), problem.logits)
            estimate = estimator.estimate(
                problem.objective, problem.logits, noise, context=problem.context, training=True
            )
            return estimate.value, estimate.auxiliary

        value, auxiliary = step()
    finally:
        keras.mixed_precision.set_dtype_policy("float32")
    assert value.dtype == auxiliary.dtype == tf.float32
    assert np.isfinite(value).all() and np.isfinite(auxiliary).all()
    assert float(estimator.spread.variance) > 0


@pytest.mark.parametrize("value", ["constant", True, None, [1.0], float("nan"), {}])
def test_an_unknown_baseline_is_refused(value):
    with pytest.raises(ValueError, match="(?s)baseline must be .*Received: baseline="):
        get(value)


def test_a_constant_baseline_is_given_by_its_number():
    message = "the number itself for a constant baseline .such as baseline=-100.0.*='constant'"
    with pytest.raises(ValueError, match=message):
        get("constant")
    assert get(-100.0).baseline.value == get(np.float32(-100)).baseline.value == -100.0
    config = keras.saving.serialize_keras_object(keras.layers.Dense(1))
    with pytest.raises(ValueError, match="an object of tf_discrete.*Received: baseline="):
        get(config)
