"""The formulas, against NumPy at every step that matters."""

import numpy as np
import pytest
import tensorflow as tf

from tf_discrete.schedules import functions


@pytest.mark.parametrize("period", [1, 7, 500, 1000])
@pytest.mark.parametrize("jit_compile", [False, True])
def test_exponential_is_the_formula_of_the_papers(period, jit_compile):
    """tau = max(0.5, exp(-r t)), t updated every N steps; steps just before and at each update."""
    steps = np.arange(0, 40 * period, max(1, period // 3))
    steps = np.unique(np.concatenate([steps, steps - 1, steps // period * period])[1:])
    steps = steps[steps >= 0]
    expected = np.maximum(0.5, np.exp(-1e-4 * (steps // period * period)))

    @tf.function(jit_compile=jit_compile)
    def values(step):
        return functions.exponential(step, 1.0, 1e-4, 0.5, period)

    for dtype in (tf.int64, tf.float32):
        result = values(tf.constant(steps, dtype))
        assert result.dtype == tf.float32
        np.testing.assert_allclose(result, expected, rtol=1e-6)


def test_update_periods_hold_at_large_steps():
    """Step 30 000 001 is no float32; the period is counted in integers."""
    step = tf.constant([29_999_999, 30_000_000, 30_000_001], tf.int64)
    value = functions.exponential(step, 1.0, 1e-8, 0.0, 10_000_000)
    np.testing.assert_allclose(value, np.exp([-0.2, -0.3, -0.3]), rtol=1e-6)


def test_exponential_starts_at_its_initial_value_and_ends_at_the_floor():
    value = functions.exponential(tf.constant([0, 10**9]), 3.0, 1e-3, 0.25)
    assert value.numpy().tolist() == [3.0, 0.25]


@pytest.mark.parametrize("initial,final", [(0.0, 1.0), (1.0, 0.2)])
def test_linear_and_cosine(initial, final):
    steps = np.arange(0, 400)
    progress = np.clip((steps - 100) / 200, 0, 1)
    step = tf.constant(steps)
    np.testing.assert_allclose(
        functions.linear(step, initial, final, 100, 200),
        initial + (final - initial) * progress,
        atol=1e-6,
    )
    np.testing.assert_allclose(
        functions.cosine(step, initial, final, 100, 200),
        final + (initial - final) * (1 + np.cos(np.pi * progress)) / 2,
        atol=1e-6,
    )


@pytest.mark.parametrize("ramp", [functions.linear, functions.cosine])
def test_ramps_reach_their_ends_exactly(ramp):
    for step, value in ((0, 0.1), (5, 0.1), (15, 0.7), (1_000_000, 0.7)):
        assert float(ramp(step, 0.1, 0.7, 5, 10)) == pytest.approx(value, abs=1e-7)
