"""Every registered estimator against what it declares. A new one is tested with no further code."""

import inspect
import json

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

from tests.conformance.estimator_cases import (
    ALL,
    NUM_DRAWS,
    cases,
    enumerable,
    every_case,
    get,
    spec,
    takes_temperature,
    value_and_gradient,
)
from tests.estimators import problems
from tf_discrete import estimators, seeds
from tf_discrete.estimators import diagnostics

# Declarations and configuration.


@pytest.mark.parametrize("name", ALL)
def test_default_construction_and_spec(name):
    cls = estimators.get_class(name)
    estimator = cls() if "categorical" in cls.spec.supports else cls(latents=cls.spec.supports[0])
    assert estimator.family in ("pathwise", "score")
    assert isinstance(estimator, estimators.PathwiseEstimator) == (estimator.family == "pathwise")
    for latents in estimator.spec.supports:
        assert estimator.spec.exactness(latents) in problems.DEGREES
    assert estimator.spec.noise in ("discrete", "continuous", "none")
    assert estimator.spec.min_samples >= 1
    assert set(estimator.spec.reductions) <= {"mean", "log_mean_exp"}
    assert estimator.spec.evaluations and estimator.spec.reference


@every_case
def test_config_round_trip(name, latents):
    estimator = get(name, latents, 0.7 if takes_temperature(name) else None)
    config = estimators.serialize(estimator)
    text = json.dumps(config, sort_keys=True)
    again = estimators.deserialize(json.loads(text))
    parameters = inspect.signature(type(estimator).__init__).parameters
    assert set(parameters) - {"self", "kwargs"} <= set(estimator.get_config())
    assert type(again) is type(estimator) and again.latents == latents
    assert json.dumps(estimators.serialize(again), sort_keys=True) == text
    if takes_temperature(name):
        assert float(again.temperature.value) == pytest.approx(0.7)


@pytest.mark.parametrize("name", ALL)
def test_unsupported_latents_are_refused(name):
    with pytest.raises(ValueError, match="latents must be one of .*Received: latents='ternary'"):
        get(name, "ternary")
    for latents in {"categorical", "bernoulli"} - set(spec(name).supports):
        with pytest.raises(ValueError, match=f"latents only.*Received: latents='{latents}'"):
            get(name, latents)


@pytest.mark.parametrize("name", [name for name in ALL if takes_temperature(name)])
@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan")])
def test_temperatures_that_are_not_positive_are_refused(name, temperature):
    latents = spec(name).supports[0]
    with pytest.raises(
        ValueError, match=f"temperature must be (positive|a finite).*temperature={temperature}"
    ):
        get(name, latents, temperature)


@cases(lambda spec: spec.min_samples > 1)
def test_too_few_samples_are_refused(name, latents):
    estimator = get(name, latents)
    logits = problems.generic_logits(latents)
    fewest = estimator.spec.min_samples
    message = f"needs at least {fewest} samples.*Received: num_samples={fewest - 1}"
    with pytest.raises(ValueError, match=message):
        estimator.draw_noise(seeds.base(0), logits, fewest - 1)
    noise = estimator.draw_noise(seeds.base(0), logits, fewest)
    with pytest.raises(ValueError, match=message):
        estimator.estimate(problems.objective("linear", latents), logits, noise[: fewest - 1])


@every_case
def test_reductions_that_are_not_declared_are_refused(name, latents):
    estimator = get(name, latents)
    logits = problems.generic_logits(latents)
    noise = estimator.draw_noise(seeds.base(0), logits, 2)

    def maximum(values):
        return tf.reduce_max(values, axis=0)

    undeclared = [maximum]
    if "log_mean_exp" not in estimator.spec.reductions:
        undeclared.append(estimators.log_mean_exp)
    for reduce in undeclared:
        with pytest.raises(ValueError, match=f"takes the reductions .*reduce={reduce.__name__}"):
            estimator.estimate(problems.objective("linear", latents), logits, noise, reduce=reduce)


# Values, and gradients of what comes after the latents.


@cases(lambda spec: not spec.relaxed and spec.noise != "none" and spec.draws)
def test_hard_estimators_leave_the_value_alone(name, latents):
    """It is the objective at the drawn codes, or its mean over a pair of them."""
    estimator = get(name, latents)
    logits = problems.generic_logits(latents, tf.float32)
    objective_fn, asked = problems.objective("network", latents, tf.float32), []

    def f(z):
        asked.append(z)
        return objective_fn(z)

    noise = estimator.draw_noise(seeds.base(0), logits, 3)
    estimate = estimator.estimate(f, logits, noise)
    drawn = asked[: estimator.spec.draws]
    values = tf.add_n([objective_fn(z) for z in drawn]) / len(drawn)
    assert np.isin(drawn, [0.0, 1.0]).all()
    np.testing.assert_array_equal(estimate.per_sample, values)
    np.testing.assert_array_equal(estimate.value, estimators.mean(values))


@cases(lambda spec: not spec.relaxed and enumerable(spec))
def test_gradients_downstream_are_exact_by_enumeration(name, latents):
    """Hard estimators change only the gradient for the logits, whatever their bias there."""
    weights = problems.network_weights(latents)

    def f(z):
        return problems.network(problems.as_vectors(z, latents), *weights)

    logits = problems.generic_logits(latents)
    result = diagnostics.expected_gradient(get(name, latents), f, logits, variables=weights)
    truth = diagnostics.exact_gradient(f, logits, latents, variables=weights)
    for gradient, expected in zip(result.variable_gradients, truth.variable_gradients, strict=True):
        assert np.abs(expected).max() > 1e-2
        np.testing.assert_allclose(gradient, expected, atol=1e-9)


@cases(lambda spec: not spec.relaxed and not enumerable(spec))
def test_gradients_downstream_are_exact_by_many_draws(name, latents):
    """One copy of the weights for each draw gives one gradient for each draw."""
    estimator = get(name, latents)
    weights = problems.network_weights(latents)
    logits = problems.generic_logits(latents, batch=1)[0]
    truth = diagnostics.exact_gradient(
        lambda z: problems.network(problems.as_vectors(z, latents), *weights),
        estimator.distribution(logits).logits,
        latents,
        variables=weights,
    ).variable_gradients
    copies = [tf.repeat(w[tf.newaxis], NUM_DRAWS, axis=0) for w in weights]
    tiled = tf.repeat(logits[tf.newaxis], NUM_DRAWS, axis=0)
    noise = estimator.draw_noise(seeds.base(0), tiled, estimator.spec.min_samples)
    with tf.GradientTape() as tape:
        tape.watch(copies)
        value = estimator.estimate(
            lambda z: problems.network(problems.as_vectors(z, latents), *copies), tiled, noise
        ).value
    for drawn, expected in zip(tape.gradient(value, copies), truth, strict=True):
        drawn, expected = drawn.numpy(), expected.numpy()
        error = drawn.std(axis=0, ddof=1) / np.sqrt(NUM_DRAWS)
        critical = scipy.stats.norm.isf(1e-6 / expected.size)
        assert np.all(np.abs(drawn.mean(axis=0) - expected) < critical * error + 1e-12)
        assert (2 * critical * error).max() < 0.5 * np.abs(expected).max()


# Seeds, and two categories.


@pytest.mark.one_in(4)
@every_case
def test_a_seed_repeats_and_another_differs(name, latents):
    estimator = get(name, latents)
    f, logits = problems.objective("network", latents), problems.generic_logits(latents)
    first, again, other = (value_and_gradient(estimator, f, logits, seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1], again[1])
    differs = np.any(first[1].numpy() != other[1].numpy())
    assert differs == (estimator.spec.noise != "none")


@pytest.mark.one_in(4)
@pytest.mark.parametrize("name", sorted(set(n for n in ALL if len(spec(n).supports) == 2)))
def test_two_categories_are_a_bernoulli_variable(name):
    """Logits [0, l] and an objective of the second category, against the Bernoulli logit l."""
    bernoulli = problems.generic_logits("bernoulli")
    categorical = tf.stack([tf.zeros_like(bernoulli), bernoulli], axis=-1)
    f = problems.objective("cubic", "bernoulli")
    problem = {"categorical": (lambda z: f(z[..., 1]), categorical), "bernoulli": (f, bernoulli)}
    if enumerable(spec(name)):
        results = {
            latents: diagnostics.expected_gradient(get(name, latents), *arguments)
            for latents, arguments in problem.items()
        }
        np.testing.assert_allclose(
            results["categorical"].gradient[..., 1], results["bernoulli"].gradient, atol=1e-9
        )
        np.testing.assert_allclose(
            results["categorical"].value, results["bernoulli"].value, atol=1e-9
        )
        return
    results = {
        latents: diagnostics.measure(get(name, latents), *arguments, seeds.base(i), NUM_DRAWS)
        for i, (latents, arguments) in enumerate(problem.items())
    }
    two, one = results["categorical"], results["bernoulli"]
    error = np.hypot(two.standard_error[..., 1], one.standard_error)
    assert np.all(np.abs(two.mean[..., 1] - one.mean) < one.critical_z * error)
    assert np.max(2 * one.critical_z * error) < np.abs(one.mean).max()
