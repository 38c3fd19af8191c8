"""The checks of what models are given: at once, in graphs, and where assertions are left out."""

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


CODES = {
    "too large": ([[0, 3]], "minimum=0, maximum=3"),
    "negative": ([[0, -1]], "minimum=-1, maximum=0"),
    "fractions": ([[0.0, 1.0]], "codes.dtype=float"),
    "one-hot": (np.eye(3, dtype=int)[np.newaxis], r"codes.shape=\(1, 3, 3\)"),
    "too many": ([[0, 1, 2]], r"codes.shape=\(1, 3\)"),
}


@pytest.mark.parametrize("case", CODES)
def test_codes_that_are_none_are_refused_in_every_mode(case):
    values, received = CODES[case]
    with pytest.raises(ValueError, match=f"codes must.*Received: {received}"):
        input_checks.codes(values, num_categories=3, num_variables=2)
    values = tf.constant(values)

    def read(codes):
        return input_checks.codes(codes, num_categories=3, num_variables=2)

    static = case in ("fractions", "one-hot", "too many")
    error = ValueError if static else tf.errors.InvalidArgumentError
    with pytest.raises(error, match="codes must"):
        tf.function(read)(values)
    if not static:
        found = tf.function(read, jit_compile=True)(values)
        np.testing.assert_array_equal(found, [[0, -1]])
        assert not input_checks.rows_in(found, 0, 2).numpy().any()


@pytest.mark.parametrize("dtype", [tf.uint8, tf.int32, tf.int64, tf.bool])
def test_codes_of_any_integer_type_are_read(dtype):
    read = tf.function(lambda codes: input_checks.codes(codes, 999, 2))
    values = tf.cast([[0, 1]], dtype)
    for found in (read(values), input_checks.codes(values, 999, 2)):
        assert found.dtype == tf.int32
        np.testing.assert_array_equal(found, [[0, 1]])


def test_large_integers_do_not_become_small_ones():
    values = tf.constant([[2**32 + 1, 0]], tf.int64)
    found = tf.function(lambda x: input_checks.codes(x, 3, 2), jit_compile=True)(values)
    np.testing.assert_array_equal(found, [[-1, 0]])


@pytest.mark.parametrize(
    "value,message",
    [
        (0, "num must be at least 1. Received: num=0"),
        (-5, "num must be at least 1. Received: num=-5"),
        (10**9, "num must be at most 100. Received: num=1000000000"),
        (2.5, "num must be an integer >= 1. Received: num=2.5"),
        (True, "num must be an integer >= 1. Received: num=True"),
        ("3", "num must be an integer >= 1. Received: num='3'"),
    ],
)
def test_counts_out_of_range_are_refused_in_every_mode(value, message):
    with pytest.raises(ValueError, match=message):
        input_checks.count(value, "num", lowest=1, highest=100)
    if isinstance(value, int) and not isinstance(value, bool):
        traced = tf.function(lambda n: input_checks.count(n, "num", lowest=1, highest=100))
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"num must be in 1\.\.100"):
            traced(tf.constant(value))
        with pytest.raises(ValueError, match=message):
            input_checks.count(tf.constant(value), "num", lowest=1, highest=100)


def test_counts_are_returned_as_they_are():
    assert input_checks.count(0, "num") == 0
    assert int(tf.function(lambda n: input_checks.count(n, "num"))(tf.constant(7))) == 7
    with pytest.raises(tf.errors.InvalidArgumentError, match="num must be at least 0"):
        tf.function(lambda n: input_checks.count(n, "num"))(tf.constant(-1))
    for bad in (tf.constant(2.0), tf.constant([2])):
        with pytest.raises(ValueError, match="num must be an integer. Received: num of dtype"):
            tf.function(lambda n: input_checks.count(n, "num"))(bad)


def test_batches_of_other_sizes_are_not_repeated():
    x, y = tf.zeros([5, 2]), tf.zeros([1])
    with pytest.raises(ValueError, match=r"as many examples. Received: len\(x\)=5, len\(y\)=1"):
        input_checks.same_batch(x, y)
    spec = [tf.TensorSpec([None, 2]), tf.TensorSpec([None])]
    traced = tf.function(input_checks.same_batch, input_signature=spec)
    assert traced(x, tf.zeros([5])).shape == (5,)
    with pytest.raises(tf.errors.InvalidArgumentError, match="x and y must have as many examples"):
        traced(x, y)
