from __future__ import annotations

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_discrete.optimizers import RectifiedAdam


def reference(x, gradients, rate=0.125, beta_1=0.9, beta_2=0.999, epsilon=1e-7):
    """Algorithm 2 of the paper, with epsilon added to the root of the second moment."""
    x, m, v = np.array(x), 0.0, 0.0
    most = 2 / (1 - beta_2) - 1
    for t, g in enumerate(gradients, 1):
        m = beta_1 * m + (1 - beta_1) * g
        v = beta_2 * v + (1 - beta_2) * g**2
        mean = m / (1 - beta_1**t)
        known = most - 2 * t * beta_2**t / (1 - beta_2**t)
        if known > 5:
            r = math.sqrt((known - 4) * (known - 2) * most / ((most - 4) * (most - 2) * known))
            x = x - rate * r * mean * math.sqrt(1 - beta_2**t) / (np.sqrt(v) + epsilon)
        else:
            x = x - rate * mean
    return x


def train(optimizer, x, gradients, dtype="float64", **how):
    variable = keras.Variable(x, dtype=dtype)
    optimizer.build([variable])
    step = tf.function(lambda g: optimizer.apply([g], [variable]), autograph=False, **how)
    for gradient in gradients:
        step(tf.constant(gradient, dtype))
    return np.asarray(variable)


def gradients(steps):
    return np.random.default_rng(0).normal(size=[steps, 3]) * [0.1, 1.0, 100.0]


@pytest.mark.parametrize("steps", [1, 5, 6, 60])
@pytest.mark.parametrize("betas", [(0.9, 0.999), (0.5, 0.9)])
def test_is_the_algorithm_of_the_paper(steps, betas):
    options = dict(zip(("beta_1", "beta_2"), betas, strict=True))
    some = gradients(steps)
    found = train(RectifiedAdam(0.125, **options), [1.0, 2.0, 3.0], some)
    np.testing.assert_allclose(found, reference([1.0, 2.0, 3.0], some, **options), rtol=1e-12)


def test_the_first_steps_are_those_of_the_mean_gradient_then_they_are_adaptive():
    five, six = gradients(5), gradients(6)
    x = [1.0, 2.0, 3.0]
    doubled = [train(RectifiedAdam(0.125), x, 2 * some) - x for some in (five, six)]
    single = [train(RectifiedAdam(0.125), x, some) - x for some in (five, six)]
    np.testing.assert_allclose(doubled[0], 2 * single[0], rtol=1e-12)
    last = doubled[1] - doubled[0], single[1] - single[0]
    # Up to epsilon the size of gradients is divided out.
    np.testing.assert_allclose(*last, rtol=1e-4)


def test_under_xla_and_in_float32():
    some = gradients(20)
    expected = reference([1.0, 2.0, 3.0], some)
    for how in ({}, {"jit_compile": True}):
        found = train(RectifiedAdam(0.125), [1.0, 2.0, 3.0], some, "float32", **how)
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_slices_of_a_table_are_a_gradient_of_the_whole_table():
    table, whole = (keras.Variable(np.ones([4, 2]), dtype="float64") for _ in range(2))
    slices = tf.IndexedSlices(tf.ones([3, 2], tf.float64), [2, 0, 2], [4, 2])
    for variable, gradient in ((table, slices), (whole, tf.convert_to_tensor(slices))):
        optimizer = RectifiedAdam(0.125)
        for _ in range(7):
            optimizer.apply([gradient], [variable])
    np.testing.assert_allclose(table, whole)
    assert (np.asarray(table)[[1, 3]] == 1).all()


def test_decay_average_and_configuration():
    optimizer = RectifiedAdam(0.125, weight_decay=0.5, use_ema=True, ema_momentum=0.5, beta_1=0.8)
    again = RectifiedAdam.from_config(optimizer.get_config())
    some = gradients(8)
    np.testing.assert_array_equal(
        train(optimizer, [1.0, 2.0, 3.0], some), train(again, [1.0, 2.0, 3.0], some)
    )
    plain = train(RectifiedAdam(0.125, beta_1=0.8), [1.0, 2.0, 3.0], some)
    assert np.abs(np.asarray(again._trainable_variables[0]) - plain).max() > 1e-3


@pytest.mark.parametrize("options", [{"amsgrad": True}, {"beta_2": 0.6}])
def test_refuses_what_has_no_rule(options):
    with pytest.raises(ValueError, match="Received: "):
        RectifiedAdam(0.125, **options)
