"""Packed codes: the bytes of NumPy, round trips, and what is refused."""

import numpy as np
import pytest
import tensorflow as tf

from tf_discrete import codes

RANDOM = np.random.default_rng(0)


@pytest.mark.parametrize("num_variables", [1, 7, 8, 9, 64, 70])
def test_bits_are_packed_as_numpy_packs_them(num_variables):
    bits = RANDOM.integers(0, 2, [20, num_variables])
    packed = codes.pack(bits)
    np.testing.assert_array_equal(packed, np.packbits(bits, axis=1))
    assert packed.shape == (20, codes.bytes_per_code(num_variables))
    np.testing.assert_array_equal(codes.unpack(packed, num_variables), bits)
    traced = tf.function(codes.pack_tensor, input_signature=[tf.TensorSpec([None, num_variables])])
    np.testing.assert_array_equal(traced(bits.astype(np.float32)), packed)


def test_bits_of_any_axes_and_of_no_rows_are_packed_in_a_graph():
    bits = RANDOM.integers(0, 2, [3, 0, 2, 13])
    for array in (bits, bits[:, :0], RANDOM.integers(0, 2, [2, 3, 16])):
        found = tf.function(codes.pack_tensor)(tf.constant(array))
        np.testing.assert_array_equal(found, np.packbits(array, axis=-1))


@pytest.mark.parametrize("num_categories", [2, 3, 4, 5, 10, 256, 257, 70_000])
@pytest.mark.parametrize("num_variables", [1, 3, 8])
def test_categories_return_from_as_few_bits_as_hold_them(num_variables, num_categories):
    drawn = RANDOM.integers(0, num_categories, [30, num_variables])
    drawn[0], drawn[1] = 0, num_categories - 1
    packed = codes.pack(drawn, num_categories)
    bits = int(np.ceil(np.log2(num_categories)))
    assert packed.dtype == np.uint8 and packed.shape == (30, -(-num_variables * bits // 8))
    again = codes.unpack(packed, num_variables, num_categories)
    assert again.dtype == np.int32
    np.testing.assert_array_equal(again, drawn)


def test_the_bytes_of_width_packing_are_the_binary_numbers_in_a_row():
    assert codes.pack([[2, 0, 9]], 10).tolist() == [[0b0010_0000, 0b1001_0000]]


def test_no_codes_at_all_are_packed_too():
    packed = codes.pack(np.zeros([0, 9], np.int32))
    assert packed.shape == (0, 2)
    assert codes.unpack(packed, 9).shape == (0, 9)


@pytest.mark.parametrize("num_categories", [2, 3, 11])
def test_one_hot_bits_differ_twice_where_a_variable_differs(num_categories):
    drawn = RANDOM.integers(0, num_categories, [25, 13])
    packed = codes.pack_one_hot(drawn, num_categories)
    distances = codes.hamming_distances(packed, packed)
    differing = (drawn[:, np.newaxis] != drawn).sum(-1)
    np.testing.assert_array_equal(distances, 2 * differing)


@pytest.mark.parametrize(
    ("bad", "num_categories", "message"),
    [
        ([1, 0], 2, r"codes must be \[B, N\].*Received: codes.shape=\(2,\)"),
        (np.zeros([3, 0], int), 2, r"codes must be \[B, N\]"),
        ([[0.0, 1.0]], 2, r"Take the argmax.*Received: codes.dtype=float64"),
        ([[0, 2]], 2, r"\[0, 2\).*Received: minimum=0, maximum=2"),
        ([[0, -1]], 3, r"Received: minimum=-1"),
        ([[0, 0]], 1, r"at least 2.*Received: num_categories=1"),
    ],
)
@pytest.mark.parametrize("function", [codes.pack, codes.pack_one_hot])
def test_what_is_no_code_is_refused(function, bad, num_categories, message):
    with pytest.raises(ValueError, match=message):
        function(bad, num_categories)


def test_bytes_of_other_codes_are_refused():
    packed = codes.pack(np.ones([2, 12], int))
    with pytest.raises(ValueError, match=r"take 3 bytes each.*packed.shape=\(2, 2\)"):
        codes.unpack(packed, 24)
    with pytest.raises(ValueError, match=r"Received: num_variables=9.*beyond the code set: True"):
        codes.unpack(packed, 9)
    with pytest.raises(ValueError, match=r"num_categories=3, largest category 3"):
        codes.unpack(packed, 6, num_categories=3)
    with pytest.raises(ValueError, match=r"packed must be packed codes.*packed.dtype=int32"):
        codes.unpack(packed.astype(np.int32), 12)


def test_numbers_of_bits():
    assert [codes.bits_per_variable(k) for k in (2, 3, 4, 5, 8, 9)] == [1, 2, 2, 3, 3, 4]
    with pytest.raises(ValueError, match="num_categories=1"):
        codes.bits_per_variable(1)
