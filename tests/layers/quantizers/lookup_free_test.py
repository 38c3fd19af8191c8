"""LFQ and BSQ: the bits, and the factorised entropies against a sum over all codes."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import scipy.special
import tensorflow as tf

from tf_discrete.layers.quantizers import LookupFreeQuantizer

X = tf.random.stateless_normal([6, 4], [0, 5], dtype=tf.float64)
WEIGHTS = {"commitment_weight": 0.0, "entropy_weight": 1.0, "dtype": "float64"}


def probabilities(layer, x):
    """q over all 2^num_bits codes, [R, 2^num_bits], by enumeration."""
    if layer.spherical:
        x = x / np.linalg.norm(x, axis=-1, keepdims=True)
    signs = np.array(list(itertools.product([-1, 1], repeat=layer.num_bits)))
    scores = layer.inverse_temperature * x @ (signs.T * layer.scale) / layer.scale**2
    return scipy.special.softmax(scores, axis=-1)


def entropy(probs):
    return -scipy.special.xlogy(probs, probs).sum(-1)


@pytest.mark.parametrize("spherical", [False, True])
def test_entropies_are_those_of_all_codes(spherical):
    layer = LookupFreeQuantizer(4, spherical=spherical, diversity_weight=0.0, **WEIGHTS)
    own = entropy(probabilities(layer, X.numpy()))
    np.testing.assert_allclose(layer.quantize_vectors(X).loss, own, rtol=1e-9)
    both = LookupFreeQuantizer(4, spherical=spherical, **WEIGHTS)
    shared = own - both.quantize_vectors(X).loss
    assert np.ptp(shared) < 1e-12
    exact = entropy(probabilities(layer, X.numpy()).mean(0))
    assert exact < shared[0] <= 4 * np.log(2)  # An upper bound.
    # Over all sign patterns of one vector the bits are independent, and the bound is exact.
    all_signs = np.array(list(itertools.product([-1, 1], repeat=4))) * [0.3, 1.0, 0.2, 0.5]
    shared = layer.quantize_vectors(all_signs).loss - both.quantize_vectors(all_signs).loss
    exact = entropy(probabilities(layer, all_signs).mean(0))
    np.testing.assert_allclose(shared, exact, rtol=1e-9)


def test_the_codes_are_the_bits():
    x = tf.constant([[1.0, -1, 2, 0, 3, -0.1]])
    for width, expected in ((6, [[0b101010]]), (3, [[0b101, 0b010]]), (1, [[1, 0, 1, 0, 1, 0]])):
        layer = LookupFreeQuantizer(6, bits_per_code=width)
        codes = layer.encode(x)
        assert codes.numpy().tolist() == expected
        np.testing.assert_array_equal(layer.decode(codes), [[1, -1, 1, -1, 1, -1]])
        assert (layer.num_variables, layer.num_categories) == (6 // width, 2**width)


@pytest.mark.parametrize("bits", [18, 30, 31, 62])
def test_codes_are_exact_however_many_there_are(bits):
    layer = LookupFreeQuantizer(bits, dtype="mixed_bfloat16")
    signs = np.random.RandomState(0).choice([-1.0, 1.0], [5, bits])
    codes = layer.encode(tf.cast(signs, tf.bfloat16))
    assert codes.dtype == (tf.int32 if bits <= 30 else tf.int64)
    expected = [int("".join("01"[int(s > 0)] for s in row), 2) for row in signs]
    assert codes.numpy().ravel().tolist() == expected
    np.testing.assert_array_equal(tf.cast(layer.decode(codes), tf.float64), signs)


def test_the_sphere_bounds_the_vectors():
    layer = LookupFreeQuantizer(4, spherical=True)
    vectors, _ = layer(tf.cast(100 * X, tf.float32))
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=-1), 1.0, rtol=1e-6)


@pytest.mark.parametrize("bits, width", [(10, 3), (63, None), (4, 8)])
def test_bits_that_do_not_factor_are_refused(bits, width):
    with pytest.raises(ValueError, match="bits_per_code must divide.*Received: num_bits="):
        LookupFreeQuantizer(bits, bits_per_code=width)
