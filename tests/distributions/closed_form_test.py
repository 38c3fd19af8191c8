"""Entropy and KL in closed form against the same quantities computed op by op, in value and gradient."""

import itertools
import math

import numpy as np
import pytest
import tensorflow as tf

from tf_discrete.distributions import Discrete, kinds

INF = math.inf
CORNERS = (-INF, -800.0, -30.0, -1.0, 0.0, 0.5, 40.0, 800.0)
LATENTS = ("categorical", "bernoulli")


def logits(latents, shape=()):
    """Random logits, then all pairs of corners that leave a value possible."""
    random = np.random.RandomState(0).normal(scale=2.0, size=[*shape, 64, 3, 2])
    if latents == "bernoulli":
        return random[..., 0]
    return random


def corners(latents):
    if latents == "bernoulli":
        return np.array([*CORNERS, INF])[:, np.newaxis]
    triples = itertools.product(CORNERS, repeat=3)
    return np.array([row for row in triples if max(row) > -INF])[:, np.newaxis]


def value_and_gradients(function, *arguments):
    arguments = [tf.convert_to_tensor(each) for each in arguments]
    with tf.GradientTape() as tape:
        tape.watch(arguments)
        value = function(*arguments)
    return [value, *tape.gradient(value, arguments)]


def closed(latents, name):
    kind = kinds.get(latents)
    if name == "entropy":
        return lambda q: kind(q).entropy_per_variable()
    return lambda q, p: kind(q).kl_per_variable(kind(p))


def op_by_op(latents, name):
    kind = kinds.get(latents)
    if name == "entropy":
        return lambda q: Discrete.entropy_per_variable(kind(q))
    return lambda q, p: Discrete.kl_per_variable(kind(q), kind(p))


def check(latents, name, *arguments, atol=1e-12):
    ours = value_and_gradients(closed(latents, name), *arguments)
    theirs = value_and_gradients(op_by_op(latents, name), *arguments)
    for one, other in zip(ours, theirs, strict=True):
        assert one.shape == other.shape
        np.testing.assert_allclose(one, other, rtol=1e-11, atol=atol)
    return ours


@pytest.mark.parametrize("latents", LATENTS)
def test_value_and_gradient_at_random_logits(latents):
    q = logits(latents)
    check(latents, "entropy", q)
    check(latents, "kl", q, q[::-1].copy())


@pytest.mark.parametrize("latents", LATENTS)
def test_a_prior_that_is_broadcast_gets_the_sum_of_its_gradients(latents):
    q = logits(latents, shape=(4,))
    _, of_q, of_p = check(latents, "kl", q, q[0, 0])
    assert of_q.shape == q.shape and of_p.shape == q[0, 0].shape
    _, of_q, of_p = check(latents, "kl", q[0, :1], q[1])
    assert of_q.shape == q[0, :1].shape and of_p.shape == q[1].shape


@pytest.mark.parametrize("latents", LATENTS)
def test_masks_and_certain_values(latents):
    """All pairs of corners: masked, certain, far beyond what an exponential can hold."""
    all_of_them = corners(latents)
    check(latents, "entropy", all_of_them)
    q, p = (each.copy() for each in np.broadcast_arrays(all_of_them[:, None], all_of_them))
    kl, of_q, of_p = check(latents, "kl", q, p, atol=1e-9)
    assert np.isinf(kl).any() and not np.isnan(kl).any()
    assert np.isfinite(of_q).all() and np.isfinite(of_p).all()


@pytest.mark.parametrize("latents", LATENTS)
def test_nan_is_not_hidden(latents):
    q = logits(latents)
    q[5] = math.nan
    for result in value_and_gradients(closed(latents, "kl"), q, logits(latents)):
        assert np.isnan(result[5]).all() and np.isfinite(result[:5]).all()


@pytest.mark.parametrize("latents", LATENTS)
@pytest.mark.parametrize("name", ["entropy", "kl"])
def test_second_derivatives(latents, name):
    q = logits(latents)[:3]
    arguments = [tf.constant(q)] if name == "entropy" else [tf.constant(q), tf.constant(q[::-1])]
    function = closed(latents, name)

    def slope(*given):
        with tf.GradientTape() as tape:
            tape.watch(given)
            value = function(*given)
        return tf.concat(tape.gradient(value, list(given)), axis=0)

    theory, numeric = tf.test.compute_gradient(slope, arguments, delta=1e-6)
    for one, other in zip(theory, numeric, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-8)


@pytest.mark.parametrize("latents", LATENTS)
def test_float32_under_xla(latents):
    q = logits(latents).astype("float32")
    function = closed(latents, "kl")
    plain = value_and_gradients(function, q, q[::-1].copy())
    compiled = tf.function(
        lambda a, b: value_and_gradients(function, a, b), jit_compile=True, autograph=False
    )(q, q[::-1].copy())
    exact = value_and_gradients(function, q.astype("float64"), q[::-1].astype("float64"))
    for one, other, truth in zip(plain, compiled, exact, strict=True):
        np.testing.assert_allclose(one, truth, rtol=1e-5, atol=2e-6)
        np.testing.assert_allclose(other, truth, rtol=1e-5, atol=2e-6)


@pytest.mark.parametrize("latents", LATENTS)
@pytest.mark.parametrize("name", ["entropy", "kl"])
def test_the_gradient_may_come_from_a_gather(latents, name):
    """TensorFlow hands back the slices that were read."""
    q = logits(latents)
    arguments = [q] if name == "entropy" else [q, q[::-1].copy()]
    rows = tf.constant([3, 5, 3])
    ours = value_and_gradients(lambda *a: tf.gather(closed(latents, name)(*a), rows), *arguments)
    theirs = value_and_gradients(
        lambda *a: tf.gather(op_by_op(latents, name)(*a), rows), *arguments
    )
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-11, atol=1e-12)
