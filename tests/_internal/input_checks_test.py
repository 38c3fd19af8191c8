"""The checks of observations: at once, in graphs, and where assertions are left out."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tf_discrete._internal import input_checks

SHAPE = (4, 3, 1)
UNIT = (0.0, 1.0)


@pytest.mark.parametrize(
    "shape,remedy",
    [
        ((4, 3, 1), r"Add the axis of the batch: x\[np.newaxis\]"),
        ((5, 4, 3), r"Reshape x to \(-1, 4, 3, 1\)"),
        ((5, 12), r"Reshape x to \(-1, 4, 3, 1\)"),
        ((5, 1, 4, 3), "Transpose x to it"),
        ((5, 4, 3, 2), "was made for. Received"),
        ((), "was made for. Received"),
    ],
)
def test_shapes_that_would_be_broadcast_are_refused(shape, remedy):
    with pytest.raises(
        ValueError,
        match=rf"must have the shape \(4, 3, 1\) .*{remedy}.*x.shape=\({str(shape)[1:-1]}\)",
    ):
        input_checks.observations(np.zeros(shape), SHAPE)


@pytest.mark.parametrize("value", [np.array(["a"]), None, {"image": 1}, [[1.0], [1.0, 2.0]]])
def test_what_is_no_array_of_numbers_is_refused(value):
    with pytest.raises(ValueError, match="x must be (an array of )?numbers.*Received: x"):
        input_checks.observations(value, (1,))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.uint8, bool, "bfloat16"])
def test_numbers_stay_as_they_are(dtype):
    x = tf.cast(tf.constant([[0, 1, 1]]), tf.as_dtype(dtype))
    found = input_checks.observations(x, (3,), UNIT)
    assert found.dtype == (x.dtype if x.dtype.is_floating else tf.float32)
    np.testing.assert_array_equal(tf.cast(found, tf.float32), [[0, 1, 1]])
    assert input_checks.observations(x[:0], (3,), UNIT).shape == (0, 3)


@pytest.mark.parametrize(
    "value,support,received",
    [
        (255.0, UNIT, "x from 0 to 255"),
        (-0.01, UNIT, "x from -0.01 to 0.5"),
        (np.nan, UNIT, "x from nan to nan"),
        (np.nan, input_checks.REAL, "x from nan to nan"),
        (np.inf, input_checks.REAL, "x from 0 to inf"),
        (-np.inf, input_checks.REAL, "x from -inf to 0.5"),
    ],
)
def test_values_outside_the_support_are_refused_in_every_mode(value, support, received):
    x = np.zeros([3, *SHAPE], np.float32)
    x[0], x[2, 1, 1] = 0.5, value
    with pytest.raises(ValueError, match=f"x must be finite.*Received: {received}"):
        input_checks.observations(x, SHAPE, support)

    def answer(x):
        checked = input_checks.observations(x, SHAPE, support)
        codes = tf.zeros([tf.shape(x)[0], 2], tf.int32)
        return (
            checked,
            input_checks.blank(tf.reduce_sum(checked, axis=[1, 2, 3]), checked),
            input_checks.blank(codes, checked),
            input_checks.blank(codes[tf.newaxis], checked, batch_axis=1),
        )

    spec = [tf.TensorSpec([None, *SHAPE])]
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"x must be finite.*\[1\]"):
        tf.function(answer, input_signature=spec, autograph=False)(x)
    # XLA leaves the assertion out: the example and all that is made of it say so.
    checked, total, codes, lead = tf.function(
        answer, input_signature=spec, jit_compile=True, autograph=False
    )(x)
    assert np.isnan(checked[2]).all() and np.isnan(total[2])
    np.testing.assert_array_equal(checked[:2], x[:2])
    np.testing.assert_array_equal(codes, [[0, 0], [0, 0], [-1, -1]])
    np.testing.assert_array_equal(lead[0], codes)
    for found, expected in zip(
        tf.function(answer, autograph=False)(x[:2]), answer(x[:2]), strict=True
    ):
        np.testing.assert_array_equal(found, expected)


def test_rounding_and_a_likelihood_of_any_value_are_let_through():
    assert input_checks.observations([[1.0005, -0.0005]], (2,), UNIT).shape == (1, 2)
    assert np.isnan(input_checks.observations([[np.nan]], (1,), None)).all()


def test_batches_of_other_sizes_are_not_repeated():
    x, y = tf.zeros([5, 2]), tf.zeros([1])
    with pytest.raises(ValueError, match=r"as many examples. Received: len\(x\)=5, len\(y\)=1"):
        input_checks.same_batch(x, y)
    spec = [tf.TensorSpec([None, 2]), tf.TensorSpec([None])]
    traced = tf.function(input_checks.same_batch, input_signature=spec)
    assert traced(x, tf.zeros([5])).shape == (5,)
    with pytest.raises(tf.errors.InvalidArgumentError, match="x and y must have as many examples"):
        traced(x, y)
