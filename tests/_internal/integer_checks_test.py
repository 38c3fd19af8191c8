"""The checks of codes, labels and counts: at once, in graphs, and where assertions are left out."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tf_discrete._internal import integer_checks

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
        integer_checks.codes(values, num_categories=3, num_variables=2)
    values = tf.constant(values)

    def read(codes):
        return integer_checks.codes(codes, num_categories=3, num_variables=2)

    static = case in ("fractions", "one-hot", "too many")
    error = ValueError if static else tf.errors.InvalidArgumentError
    with pytest.raises(error, match="codes must"):
        tf.function(read)(values)
    if not static:
        found = tf.function(read, jit_compile=True)(values)
        np.testing.assert_array_equal(found, [[0, -1]])
        assert not integer_checks.rows_in(found, 0, 2).numpy().any()


@pytest.mark.parametrize("dtype", [tf.uint8, tf.int32, tf.int64, tf.bool])
def test_codes_of_any_integer_type_are_read(dtype):
    read = tf.function(lambda codes: integer_checks.codes(codes, 999, 2))
    values = tf.cast([[0, 1]], dtype)
    for found in (read(values), integer_checks.codes(values, 999, 2)):
        assert found.dtype == tf.int32
        np.testing.assert_array_equal(found, [[0, 1]])


def test_large_integers_do_not_become_small_ones():
    values = tf.constant([[2**32 + 1, 0]], tf.int64)
    found = tf.function(lambda x: integer_checks.codes(x, 3, 2), jit_compile=True)(values)
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
        integer_checks.count(value, "num", lowest=1, highest=100)
    if isinstance(value, int) and not isinstance(value, bool):
        traced = tf.function(lambda n: integer_checks.count(n, "num", lowest=1, highest=100))
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"num must be in 1\.\.100"):
            traced(tf.constant(value))
        with pytest.raises(ValueError, match=message):
            integer_checks.count(tf.constant(value), "num", lowest=1, highest=100)


def test_counts_are_returned_as_they_are():
    assert integer_checks.count(0, "num") == 0
    assert int(tf.function(lambda n: integer_checks.count(n, "num"))(tf.constant(7))) == 7
    with pytest.raises(tf.errors.InvalidArgumentError, match="num must be at least 0"):
        tf.function(lambda n: integer_checks.count(n, "num"))(tf.constant(-1))
    for bad in (tf.constant(2.0), tf.constant([2])):
        with pytest.raises(ValueError, match="num must be an integer. Received: num of dtype"):
            tf.function(lambda n: integer_checks.count(n, "num"))(bad)
