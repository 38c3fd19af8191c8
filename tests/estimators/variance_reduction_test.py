"""Baselines and variance normalisation: the same arguments, and the same effect, of all that take them."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.estimators import problems
from tf_discrete import estimators, seeds
from tf_discrete.estimators import baselines
from tf_discrete.estimators.scalar_network import scalar_network

WITH_BASELINE = ["double_cv", "muprop", "rebar", "relax", "score_function"]
# RELAX inherits its baseline from REBAR, and takes longest.
BASELINE_CASES = [
    pytest.param(name, marks=[pytest.mark.slow] if name == "relax" else [])
    for name in WITH_BASELINE
]
NORMALIZED = sorted([*WITH_BASELINE, "arm", "arsm", "carms", "disarm", "vimco"])


def make(name, **arguments):
    return estimators.get(name, latents=estimators.get_class(name).spec.supports[0], **arguments)


def draw(estimator, training=False):
    """The gradient of one call with fixed noise, and the auxiliary loss's for what the estimator owns."""
    latents = estimator.latents
    f, logits = problems.objective("network", latents), problems.generic_logits(latents)
    noise = estimator.draw_noise(seeds.base(0), logits, max(2, estimator.min_samples))
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(logits)
        estimate = estimator.estimate(f, logits, noise, training=training)
        auxiliary = tf.reduce_sum(estimate.auxiliary)
    own = [v.value for v in estimator.trainable_variables]
    learned = tape.gradient(auxiliary, own, unconnected_gradients="zero") if own else []
    return tape.gradient(estimate.value, logits).numpy(), learned


def test_the_arguments_are_those_of_the_guide():
    taken = {name: estimators.arguments(estimators.get_class(name)) for name in estimators.names()}
    assert [name for name in taken if "baseline" in taken[name]] == WITH_BASELINE
    normalized = [name for name in taken if "variance_normalization" in taken[name]]
    assert normalized == NORMALIZED
    assert all("decay" in taken[name] for name in normalized)


@pytest.mark.parametrize("name", NORMALIZED)
def test_under_variance_normalisation_the_whole_gradient_is_divided(name):
    estimator = make(name, variance_normalization=True)
    estimator.spread.update(tf.constant([-3.0, 3.0]))
    assert float(estimator.gradient_scale) == pytest.approx(3.0)
    np.testing.assert_allclose(3.0 * draw(estimator)[0], draw(make(name))[0], rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("name", NORMALIZED)
def test_the_running_deviation_is_read_before_the_batch_enters(name):
    estimator = make(name, variance_normalization=True)
    first, _ = draw(estimator, training=True)
    np.testing.assert_allclose(first, draw(make(name))[0], rtol=1e-6, atol=1e-12)
    assert float(estimator.spread.variance) > 0


@pytest.mark.parametrize("name", BASELINE_CASES)
def test_a_constant_baseline_subtracts_its_multiple_of_the_score(name):
    without, two, four = (draw(make(name, baseline=b))[0] for b in ("none", 2.0, 4.0))
    assert np.abs(two - without).max() > 1e-3
    np.testing.assert_allclose(four - without, 2.0 * (two - without), atol=1e-9)
    estimator = make(name, baseline="none")
    logits = problems.generic_logits(estimator.latents)
    noise = estimator.draw_noise(seeds.base(0), logits, 2)
    z = noise if name in ("double_cv", "muprop", "score_function") else None
    if z is not None:  # What the others sample from their noise is their own.
        score = tf.reduce_mean(estimator.distribution(logits).score(z), axis=0)
        np.testing.assert_allclose(two - without, -2.0 * score, atol=1e-9)


@pytest.mark.parametrize("name", BASELINE_CASES)
def test_every_baseline_leaves_out_of_its_mean_what_it_predicts(name):
    """A moving average of a steady signal is its constant; a learned one has a gradient of its own."""
    average = make(name, baseline="moving_average")
    average.baseline.moments.update(tf.constant([2.0, 2.0]))
    np.testing.assert_allclose(draw(average)[0], draw(make(name, baseline=2.0))[0], atol=1e-6)
    learned = make(name, baseline="learned")
    draw(learned, training=True)  # Makes its weights.
    _, gradients = draw(learned, training=True)
    network = learned.baseline.network.trainable_variables
    own = {id(v): g for v, g in zip(learned.trainable_variables, gradients, strict=True)}
    assert all(np.any(own[id(v)] != 0) for v in network)
    assert make(name, baseline="leave_one_out").min_samples == 2


def trained(factor, optimizer):
    """The predictions of a learned baseline in a few steps, with the same function of the input at first."""
    baseline = baselines.Learned((5,), learning_rate_factor=factor)
    random = np.random.RandomState(0)
    features = tf.constant(random.normal(size=[6, 3]), tf.float32)
    values = tf.constant(random.normal(size=[1, 6]), tf.float32)
    baseline.build(features.shape)
    variables = baseline.trainable_variables
    for variable in variables:
        variable.assign(random.normal(size=variable.shape) / factor)
    optimizer.build(variables)
    seen = []
    for _ in range(4):
        with tf.GradientTape() as tape:
            residual = baseline.residual(values, None, features)
            loss = tf.reduce_mean(baseline.loss(residual))
        optimizer.apply(tape.gradient(loss, [v.value for v in variables]), variables)
        seen.append(values - residual)
    return np.array(seen)


@pytest.mark.parametrize("optimizer", [keras.optimizers.SGD, keras.optimizers.Adam])
def test_a_learned_baseline_learns_as_if_the_learning_rate_were_larger(optimizer):
    arguments = {"epsilon": 1e-12} if optimizer is keras.optimizers.Adam else {}
    fast = trained(10.0, optimizer(0.005, **arguments))
    np.testing.assert_allclose(fast, trained(1.0, optimizer(0.05, **arguments)), atol=1e-4)
    assert np.abs(fast - trained(1.0, optimizer(0.005, **arguments)))[1:].max() > 1e-2


def test_a_faster_baseline_starts_as_the_same_kind_of_network():
    """The weights times the factor have the spread of the initializer."""
    plain, fast = (scalar_network((400,), weight_factor=factor) for factor in (1.0, 100.0))
    for net in (plain, fast):
        net.build((None, 300))
    for one, other in zip(plain.weights[::2], fast.weights[::2], strict=True):
        assert 100.0 * np.std(other) == pytest.approx(np.std(one), rel=0.1)


def test_nvil_names_the_factor_of_its_baseline():
    estimator = estimators.get("nvil", learning_rate_factor=10.0)
    again = estimators.deserialize(estimators.serialize(estimator))
    assert again.baseline.learning_rate_factor == 10.0
