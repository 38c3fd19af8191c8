import numpy as np
import pytest

from tf_discrete.explorer import packed


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int32", "float32"])
def test_arrays_come_back(dtype):
    array = np.random.default_rng(0).uniform(0, 200, [2, 3]).astype(dtype)
    found = packed.unpack(packed.pack(array))
    assert found.dtype == array.dtype
    np.testing.assert_array_equal(found, array)


@pytest.mark.parametrize("precision", packed.PRECISIONS)
def test_weights_are_within_half_a_step_of_their_output(precision):
    random = np.random.default_rng(0)
    weights = random.normal(size=[5, 4, 3]) * [1e-3, 1.0, 1e3]
    found = packed.unpack(packed.pack_weights(weights, precision))
    step = np.abs(weights).max(axis=(0, 1)) / (2 ** (int(precision[3:]) - 1) - 1)
    assert (np.abs(found - weights) <= 0.501 * step).all()
    assert not np.array_equal(found, weights)


def test_weights_of_zeros_stay_zeros():
    assert packed.unpack(packed.pack_weights(np.zeros([3, 2]), "int8")).tolist() == [[0, 0]] * 3


@pytest.mark.parametrize(
    ("weights", "precision", "message"),
    [
        ([[np.nan]], "int8", r"must be finite.*Received: weights of shape \(1, 1\)"),
        ([[1.0]], "int4", "precision must be one of int16, int12"),
    ],
)
def test_what_cannot_be_packed_is_refused(weights, precision, message):
    with pytest.raises(ValueError, match=message):
        packed.pack_weights(np.array(weights), precision)
