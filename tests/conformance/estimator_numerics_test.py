"""Every registered estimator in graphs, under XLA, in low precision, with any axes and extreme logits."""

import numpy as np
import pytest
import tensorflow as tf

from tests.conformance.estimator_cases import (
    CASES,
    Recorder,
    every_case,
    extreme_logits,
    get,
    spec,
    temperature_cases,
    value_and_gradient,
)
from tests.estimators import problems
from tf_discrete import seeds


def traceable(name, latents):
    """A step of a seed, its logits, what it gives without a graph, and a list that grows with its traces."""
    estimator = get(name, latents)
    f = problems.objective("network", latents, tf.float32)
    logits = problems.generic_logits(latents, tf.float32)
    traces = []

    def step(logits, seed):
        traces.append(1)
        with tf.GradientTape() as tape:
            tape.watch(logits)
            noise = estimator.draw_noise(seed, logits, estimator.spec.min_samples)
            value = estimator.estimate(f, logits, noise).value
        return value, tape.gradient(value, logits)

    return step, logits, value_and_gradient(estimator, f, logits), traces


@pytest.mark.one_in(4)
@every_case
def test_in_a_graph(name, latents):
    """Traced once for two steps."""
    step, logits, eager, traces = traceable(name, latents)
    graph = tf.function(step, autograph=False)
    for ours, theirs in zip(graph(logits, seeds.base(0)), eager, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)
    graph(logits, seeds.base(1))
    assert len(traces) == 1


def _once(name, latents):
    """`make test` compiles every estimator once, `make test-slow` with its other kinds of latents too."""
    again = latents != spec(name).supports[0]
    return pytest.param(name, latents, marks=[pytest.mark.slow] if again else [])


@pytest.mark.one_in(3)
@pytest.mark.parametrize("name,latents", [_once(*case) for case in CASES])
def test_under_xla(name, latents):
    """What XLA computes is finite and of the same shapes."""
    step, logits, eager, _ = traceable(name, latents)
    compiled = tf.function(step, jit_compile=True, autograph=False)
    for ours, theirs in zip(compiled(logits, seeds.base(0)), eager, strict=True):
        assert ours.shape == theirs.shape and np.isfinite(ours).all()


@pytest.mark.one_in(4)
@every_case
@pytest.mark.parametrize("dtype", [tf.float16, tf.bfloat16], ids=["float16", "bfloat16"])
def test_low_precision_logits_are_lifted_to_float32(name, latents, dtype):
    estimator = get(name, latents)
    logits = tf.cast(problems.generic_logits(latents), dtype)
    f = Recorder(problems.objective("network", latents, tf.float32))
    value, gradient = value_and_gradient(estimator, f, logits)
    assert estimator.draw_noise(seeds.base(0), logits, 2).dtype == tf.float32
    assert f.z.dtype == value.dtype == tf.float32
    assert gradient.dtype == dtype
    assert np.isfinite(value).all() and np.isfinite(tf.cast(gradient, tf.float32)).all()


@every_case
def test_objectives_of_low_precision(name, latents):
    """A network under a mixed-precision policy answers in float16; the estimate is float32."""
    estimator = get(name, latents)
    f = problems.objective("linear", latents, tf.float16)
    value, gradient = value_and_gradient(
        estimator, lambda z: f(tf.cast(z, tf.float16)), problems.generic_logits(latents, tf.float32)
    )
    assert value.dtype == gradient.dtype == tf.float32
    assert np.isfinite(value).all() and np.isfinite(gradient).all()


@every_case
def test_noise_carries_no_gradient(name, latents):
    estimator = get(name, latents)
    logits = problems.generic_logits(latents)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        noise = estimator.draw_noise(seeds.base(0), logits, estimator.spec.min_samples)
    assert tape.gradient(noise, logits) is None


@pytest.mark.one_in(4)
@every_case
def test_leading_axes(name, latents):
    """Any number of batch axes, none included, and the samples of an outer layer."""
    estimator = get(name, latents)
    f, logits = problems.objective("network", latents), problems.generic_logits(latents, batch=4)
    event = logits.shape[1:]
    for lead in ([], [4], [2, 2]):
        shaped = logits[0] if not lead else tf.reshape(logits, lead + event)
        value, gradient = value_and_gradient(estimator, f, shaped)
        assert value.shape == lead and gradient.shape == lead + event
    noise = estimator.draw_noise(seeds.base(0), logits, num_samples=None)
    estimate = estimator.estimate(f, logits, noise, reduce=None)
    assert estimate.value.shape == [4] and estimate.auxiliary.shape == [4]


@pytest.mark.one_in(4)
@temperature_cases(lambda spec: True, [1e-3, 1.0, 1e3])
def test_extreme_logits_give_finite_values_and_gradients(name, latents, temperature):
    estimator = get(name, latents, temperature)
    f = Recorder(problems.objective("network", latents, tf.float32))
    logits = extreme_logits(latents)
    value, gradient = value_and_gradient(estimator, f, logits, num_samples=50)
    assert np.isfinite(f.z).all() and np.isfinite(value).all() and np.isfinite(gradient).all()
    masked = np.isneginf(logits)
    assert (gradient.numpy()[masked] == 0).all()
    if estimator.spec.noise != "none":
        drawn = np.broadcast_to(masked, f.z.shape)
        assert (f.z.numpy()[drawn] == 0).all()
