"""Finite scalar quantisation: all codes, their vectors, the gradient and the spread of the numbers."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import scipy.special
import scipy.stats
import tensorflow as tf

from tf_discrete.layers.quantizers import FiniteScalarQuantizer


def middles(digits, levels):
    """The numbers in the middle of the intervals of levels."""
    return scipy.special.logit((np.asarray(digits) + 0.5) / levels) / 1.6


def test_codes_and_vectors_are_one_to_one_and_symmetric():
    layer = FiniteScalarQuantizer((4, 3, 2))
    layer.build((None, 3))
    codes = np.arange(24)[:, None]
    vectors = layer.decode(codes).numpy()
    grids = [np.linspace(-1, 1, levels) for levels in (4, 3, 2)]
    np.testing.assert_allclose(vectors, list(itertools.product(*grids)), atol=1e-6)
    digits = list(itertools.product(*map(range, (4, 3, 2))))
    x = middles(digits, np.array([4, 3, 2])).astype(np.float32)
    np.testing.assert_array_equal(layer.encode(x), codes)
    np.testing.assert_allclose(layer(x)[0], vectors, atol=1e-6)
    np.testing.assert_allclose(vectors, -vectors[::-1], atol=1e-6)


def test_the_gradient_is_that_of_the_unrounded_number():
    layer, x = FiniteScalarQuantizer((5, 4)), tf.constant([[0.3, -0.2], [2.0, -1.0]])
    with tf.GradientTape() as tape:
        tape.watch(x)
        vectors = layer.quantize_vectors(x).vectors
    levels, share = np.array([5, 4]), scipy.special.expit(1.6 * x.numpy())
    expected = 2 * levels / (levels - 1) * 1.6 * share * (1 - share)
    np.testing.assert_allclose(tape.gradient(vectors, x), expected, rtol=1e-5)


def test_all_levels_stand_for_as_many_normal_numbers():
    layer = FiniteScalarQuantizer((8, 5))
    edges = [scipy.special.logit(np.arange(1, levels) / levels) / 1.6 for levels in (8, 5)]
    for levels, inner in zip((8, 5), edges, strict=True):
        shares = np.diff([0, *scipy.stats.norm.cdf(inner), 1])
        np.testing.assert_allclose(shares, 1 / levels, rtol=0.12)
        for edge, level in zip(inner, range(levels - 1), strict=True):
            x = np.full((2, 2), [[edge - 1e-4], [edge + 1e-4]], np.float32)
            digits = layer.encode(x).numpy().ravel()
            found = digits // 5 if levels == 8 else digits % 5
            assert found.tolist() == [level, level + 1]


def test_the_loss_keeps_mean_and_deviation():
    layer = FiniteScalarQuantizer((4, 4), spread_weight=0.5)
    x = tf.constant([[1.0, 3.0], [3.0, 3.0], [99.0, -99.0]])
    loss = layer.quantize_vectors(x, mask=tf.constant([True, True, False])).loss
    # Means 2 and 3, deviations 1 and 0.
    np.testing.assert_allclose(loss, [0.5 * (4 + 9 + 1)] * 2 + [0], rtol=1e-5)
    layer(x)
    assert len(layer.losses) == 1
    free = FiniteScalarQuantizer((4, 4), spread_weight=0)
    free(x)
    assert not free.losses and not free.quantize_vectors(x).loss.numpy().any()
    with pytest.raises(ValueError, match="spread_weight must be .*Received: spread_weight=-1"):
        FiniteScalarQuantizer(spread_weight=-1)


def test_codes_beyond_float_and_int32_are_exact():
    layer = FiniteScalarQuantizer((2**20, 2**20, 2**20), dtype="float64")
    layer.build((None, 3))
    codes = np.array([[2**60 - 1], [2**55 + 12345], [0], [987654321987]], np.int64)
    vectors = layer.decode(codes)
    digits = np.rint((vectors.numpy() + 1) / 2 * (2**20 - 1))
    again = layer.encode(middles(digits, 2**20))
    assert again.dtype == tf.int64
    np.testing.assert_array_equal(again, codes)


@pytest.mark.parametrize("levels", [(), (8, 1), (8, 2.5), "88", (2**40, 2**40)])
def test_levels_that_do_not_work_are_refused(levels):
    with pytest.raises(ValueError, match="levels must be .*Received: levels="):
        FiniteScalarQuantizer(levels)


def test_levels_that_float32_cannot_tell_apart_are_refused():
    with pytest.raises(ValueError, match=r"levels must be at most 2\^24 each.*Received: levels="):
        FiniteScalarQuantizer((4, 2**25))
    layer = FiniteScalarQuantizer((4, 2**24))
    _, codes = layer(tf.constant([[0.0, 20.0]]))
    np.testing.assert_array_equal(layer.decode(codes)[0, 1], 1.0)
