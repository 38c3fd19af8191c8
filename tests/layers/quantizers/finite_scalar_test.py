"""Finite scalar quantisation: all codes, their vectors and the gradient."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import tensorflow as tf

from tf_discrete.layers.quantizers import FiniteScalarQuantizer


def test_codes_and_vectors_are_one_to_one_and_symmetric():
    layer = FiniteScalarQuantizer((4, 3, 2))
    layer.build((None, 3))
    codes = np.arange(24)[:, None]
    vectors = layer.decode(codes).numpy()
    grids = [np.linspace(-1, 1, levels) for levels in (4, 3, 2)]
    np.testing.assert_allclose(vectors, list(itertools.product(*grids)), atol=1e-6)
    np.testing.assert_array_equal(layer.encode(np.arctanh(0.999 * vectors)), codes)
    np.testing.assert_allclose(vectors, -vectors[::-1], atol=1e-6)


def test_the_gradient_is_that_of_the_tanh():
    layer, x = FiniteScalarQuantizer((5, 4)), tf.constant([[0.3, -0.2], [2.0, -1.0]])
    with tf.GradientTape() as tape:
        tape.watch(x)
        vectors = layer.quantize_vectors(x).vectors
    np.testing.assert_allclose(tape.gradient(vectors, x), 1 - np.tanh(x) ** 2, rtol=1e-5)


def test_codes_beyond_float_and_int32_are_exact():
    layer = FiniteScalarQuantizer((2**20, 2**20, 2**20), dtype="float64")
    layer.build((None, 3))
    codes = np.array([[2**60 - 1], [2**55 + 12345], [0], [987654321987]], np.int64)
    vectors = layer.decode(codes)
    again = layer.encode(tf.atanh(tf.clip_by_value(vectors, -1 + 1e-12, 1 - 1e-12)))
    assert again.dtype == tf.int64
    np.testing.assert_array_equal(again, codes)


@pytest.mark.parametrize("levels", [(), (8, 1), (8, 2.5), "88", (2**40, 2**40)])
def test_levels_that_do_not_work_are_refused(levels):
    with pytest.raises(ValueError, match="levels must be .*Received: levels="):
        FiniteScalarQuantizer(levels)
