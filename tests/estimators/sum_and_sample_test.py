"""Sum-and-sample: every remainder enumerated, its limits, and its variance against the score function."""

import numpy as np
import pytest
import tensorflow as tf

from tests.estimators import learning, problems
from tf_discrete import estimators, seeds
from tf_discrete.estimators import diagnostics
from tf_discrete.types import Estimate

every_latents = pytest.mark.parametrize("latents", ["categorical", "bernoulli"])


def result(estimator, f, logits, noise, **arguments):
    with tf.GradientTape() as tape:
        tape.watch(logits)
        value = estimator.estimate(f, logits, noise, **arguments).value
    return value, tape.gradient(value, logits)


def joint_probabilities(distribution):
    configurations = distribution.enumerate()
    shape = [len(configurations), *[1] * (distribution.logits.shape.rank - distribution.event_rank)]
    z = tf.reshape(configurations, shape + configurations.shape[1:])
    return tf.exp(distribution.log_prob(z)).numpy()


@pytest.mark.one_in(3)
@every_latents
@pytest.mark.parametrize("num_summed", [1, 2, 3])
@pytest.mark.parametrize("objective", ["cubic", "network"])
def test_unbiased_by_enumeration_of_what_is_drawn(latents, num_summed, objective):
    """Noise that forces each of the other configurations in turn, weighed with its probability."""
    estimator = estimators.get("sum_and_sample", latents=latents, num_summed=num_summed)
    f, logits = problems.objective(objective, latents), problems.generic_logits(latents)
    truth = diagnostics.exact_gradient(f, logits, latents)
    probs = joint_probabilities(estimator.distribution(logits))
    for b in range(len(logits)):
        row = logits[b : b + 1]
        rest = np.argsort(probs[:, b])[: len(probs) - num_summed]
        value, gradient = 0.0, 0.0
        for c in rest:
            noise = 1e6 * tf.one_hot([[c]], len(probs), dtype=tf.float64)
            share = probs[c, b] / probs[rest, b].sum()
            v, g = result(estimator, f, row, noise)
            value, gradient = value + share * v, gradient + share * g
        np.testing.assert_allclose(value, truth.value[b : b + 1], atol=1e-9)
        np.testing.assert_allclose(gradient, truth.gradient[b : b + 1], atol=1e-9)


@every_latents
def test_with_all_configurations_summed_it_is_enumeration(latents):
    estimator = estimators.get("sum_and_sample", latents=latents, num_summed=1000)
    f, logits = problems.objective("network", latents), problems.generic_logits(latents)
    seen = []
    noise = estimator.draw_noise(seeds.base(0), logits, 3)
    value, gradient = result(estimator, lambda z: seen.append(z) or f(z), logits, noise)
    exact = estimators.get("enumeration", latents=latents)
    expected = result(exact, f, logits, exact.draw_noise(None, logits))
    np.testing.assert_allclose(value, expected[0], atol=1e-12)
    np.testing.assert_allclose(gradient, expected[1], atol=1e-12)
    assert seen[0].shape[0] == (9 if latents == "categorical" else 4)


@every_latents
def test_gradients_downstream_weigh_what_is_summed(latents):
    estimator = estimators.get("sum_and_sample", latents=latents, num_summed=1000)
    weights = problems.network_weights(latents)

    def f(z):
        return problems.network(problems.as_vectors(z, latents), *weights)

    logits = problems.generic_logits(latents)
    truth = diagnostics.exact_gradient(f, logits, latents, variables=weights).variable_gradients
    with tf.GradientTape() as tape:
        noise = estimator.draw_noise(seeds.base(0), logits)
        value = estimator.estimate(f, logits, noise).value
    for ours, theirs in zip(tape.gradient(value, weights), truth, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-10)


@every_latents
@pytest.mark.parametrize("num_summed,baseline", [(1, "none"), (3, "leave_one_out")])
def test_variance_against_the_score_function_at_equal_evaluations(latents, num_summed, baseline):
    problem = learning.Problem(latents)
    ours = learning.gradients(
        estimators.get("sum_and_sample", latents=latents, num_summed=num_summed), problem
    )
    score = estimators.get("score_function", latents=latents, baseline=baseline)
    theirs = learning.gradients(score, problem, num_samples=num_summed + 1)
    ratio, low, high = learning.variance_ratio(ours, theirs)
    print(f"against {baseline}: {ratio:.3f}, 95 % interval [{low:.3f}, {high:.3f}]")
    assert high < 0.75


def test_the_samples_of_the_rest_can_be_kept_apart():
    estimator = estimators.get("sum_and_sample", num_summed=2)
    f, logits = problems.objective("cubic", "categorical"), problems.generic_logits("categorical")
    noise = estimator.draw_noise(seeds.base(0), logits, 4)
    apart, mean = (result(estimator, f, logits, noise, reduce=r) for r in (None, estimators.mean))
    assert apart[0].shape == [4, 3]
    np.testing.assert_allclose(tf.reduce_mean(apart[0], 0), mean[0], atol=1e-12)
    np.testing.assert_allclose(apart[1] / 4, mean[1], atol=1e-12)


def test_what_cannot_happen_has_no_say():
    logits = tf.constant([[[0.3, -np.inf, -1.0]]])
    table = tf.constant([1.0, np.inf, 3.0])
    p = tf.nn.softmax([0.3, -1.0]).numpy()
    for num_summed in (1, 2, 3):
        estimator = estimators.get("sum_and_sample", num_summed=num_summed)
        value, gradient = result(
            estimator,
            lambda z: tf.gather(table, tf.argmax(z[..., 0, :], -1)),
            logits,
            estimator.draw_noise(seeds.base(0), logits),
        )
        assert float(value[0]) == pytest.approx(p[0] + 3 * p[1])
        slope = 2 * p[0] * p[1]
        np.testing.assert_allclose(gradient, [[[-slope, 0.0, slope]]], rtol=1e-5)


def test_refusals():
    estimator = estimators.get("sum_and_sample", mode="joint")
    message = "set mode='per_variable', or .*Received: num_variables=20, num_categories=10, .* 1000"
    with pytest.raises(ValueError, match=message):
        estimator.draw_noise(seeds.base(0), tf.zeros([1, 20, 10]))
    with pytest.raises(ValueError, match="num_summed must be at least 1. Received: num_summed=0"):
        estimators.get("sum_and_sample", num_summed=0)
    logits = problems.generic_logits("categorical")

    def reduced(z):
        value = tf.reduce_mean(z[..., 0, 0], axis=0)
        return Estimate(value, value, z[..., 0, 0], True, estimators.mean)

    with pytest.raises(ValueError, match="keep the configurations apart.*Received: reduce=mean"):
        estimator.estimate(reduced, logits, estimator.draw_noise(seeds.base(0), logits))
