"""The log-likelihood of bits by few logarithms against the sum of softplus."""

import contextlib

import numpy as np
import pytest
import tensorflow as tf

from tf_discrete._internal import fusion
from tf_discrete._internal.binary_cross_entropy import bernoulli_log_prob


def reference(logits, x):
    return tf.reduce_sum(x * logits - tf.math.softplus(logits), axis=-1)


def value_and_gradients(function, logits, x):
    logits, x = tf.convert_to_tensor(logits), tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch([logits, x])
        value = function(logits, x)
    return [value, *tape.gradient(value, [logits, x])]


@pytest.mark.parametrize("size", [1, 2, 7, 13, 31, 64, 98, 784, 797])
@pytest.mark.parametrize(
    "dtype,tolerance", [("float64", 1e-12), ("float32", 2e-6)], ids=["float64", "float32"]
)
def test_value_and_gradients(size, dtype, tolerance):
    random = np.random.RandomState(size)
    logits = random.normal(scale=20.0, size=[5, 3, size]).astype(dtype)
    logits[0, 0, 0], logits[0, 1, 0] = 1e4, -1e4
    x = random.uniform(size=[3, size]).round(size % 2).astype(dtype)
    ours = value_and_gradients(bernoulli_log_prob, logits, x)
    theirs = value_and_gradients(reference, logits, x)
    for one, other in zip(ours, theirs, strict=True):
        assert one.dtype == dtype and one.shape == other.shape
        np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance * size)


@pytest.mark.one_in(3)
@pytest.mark.parametrize("size", [1, 15, 16, 37, 784])
@pytest.mark.parametrize(
    "dtype,tolerance", [("float64", 1e-12), ("float32", 2e-6)], ids=["float64", "float32"]
)
def test_value_and_gradients_in_one_pass(size, dtype, tolerance):
    """Where XLA compiles it; at extreme logits, and where all factors are 2."""
    random = np.random.RandomState(size)
    logits = random.normal(scale=20.0, size=[5, 3, size]).astype(dtype)
    logits[0, 0, 0], logits[0, 1, 0], logits[0, 2] = 1e4, -1e4, 0.0
    x = random.uniform(size=[3, size]).round().astype(dtype)
    with fusion.enabled():
        ours = value_and_gradients(bernoulli_log_prob, logits, x)
    theirs = value_and_gradients(reference, logits, x)
    for one, other in zip(ours, theirs, strict=True):
        assert one.dtype == dtype and one.shape == other.shape
        np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance * size)
    logits[1, 2, -1] = np.nan
    with fusion.enabled():
        value = bernoulli_log_prob(tf.constant(logits), tf.constant(x)).numpy()
    assert np.isnan(value[1, 2]) and np.isnan(value).sum() == 1


def test_no_product_overflows():
    zeros = np.zeros([1, 4096], "float32")
    value, *_ = value_and_gradients(bernoulli_log_prob, zeros, zeros)
    np.testing.assert_allclose(value, [-4096 * np.log(2)], rtol=1e-6)


def test_the_size_may_be_unknown_when_the_graph_is_built():
    logits = np.random.RandomState(0).normal(size=[2, 3, 10]).astype("float32")
    x = np.ones([3, 10], "float32")
    signature = [tf.TensorSpec([None, None, None]), tf.TensorSpec([None, None])]
    graph = tf.function(bernoulli_log_prob, input_signature=signature, autograph=False)
    np.testing.assert_allclose(graph(logits, x), reference(logits, x), rtol=1e-5)


def test_nan_is_not_hidden():
    logits = np.zeros([2, 784])
    logits[0, 3] = np.nan
    value, of_logits, _ = value_and_gradients(bernoulli_log_prob, logits, np.ones([2, 784]))
    assert np.isnan(value[0]) and np.isnan(of_logits[0, 3]) and np.isfinite(value[1])


def test_the_gradient_may_come_from_a_gather():
    """TensorFlow hands back the slices that were read."""
    logits = np.random.RandomState(0).normal(size=[5, 3, 10])
    found = [
        value_and_gradients(lambda *a, f=f: tf.gather(f(*a), [1, 4, 1]), logits, np.ones([3, 10]))
        for f in (bernoulli_log_prob, reference)
    ]
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("compiled", [False, True])
def test_logits_of_16_bits_are_widened_where_they_are_read(compiled):
    """Value and gradient are those of the same logits in float32; only the gradient is rounded."""
    random = np.random.RandomState(0)
    logits = tf.cast(random.normal(scale=20.0, size=[2, 3, 784]), tf.bfloat16)
    x = random.uniform(size=[3, 784]).round().astype("float32")
    with fusion.enabled() if compiled else contextlib.nullcontext():
        narrow = value_and_gradients(bernoulli_log_prob, logits, x)
        wide = value_and_gradients(bernoulli_log_prob, tf.cast(logits, tf.float32), x)
    assert [one.dtype for one in narrow] == ["float32", "bfloat16", "float32"]
    # XLA may contract the products of the two programs otherwise, on some processors.
    np.testing.assert_allclose(narrow[0], wide[0], rtol=1e-6)
    np.testing.assert_allclose(tf.cast(narrow[1], tf.float32), wide[1], rtol=2**-8, atol=1e-6)
    np.testing.assert_array_equal(narrow[2], wide[2])
