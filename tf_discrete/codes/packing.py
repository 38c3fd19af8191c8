"""Codes as bytes: by width, to store them, and one-hot, to compare them bit by bit."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

from tf_discrete._internal import checks
from tf_discrete.types import Tensor

MAX_ONE_HOT = 2**16
"""Categories that codes to compare may have: beyond, one code takes more than 8 kB for each variable."""
_BLOCK = 2**16
"""Codes that are packed or unpacked at once; bounds the memory for bits, of a byte each."""


def check_codes(
    codes: ArrayLike, num_categories: int, num_variables: int | None = None
) -> np.ndarray:
    """Returns codes as an array, after a check.

    Args:
        codes: integers or booleans [B, N] in [0, num_categories); B may be 0.
        num_categories: K >= 2; 2 for Bernoulli codes.
        num_variables: N, or None for any.

    Returns:
        int32 [B, N]; int64 for more than 2**31 categories.

    Raises:
        ValueError: another shape, no integers, or values out of range.
    """
    array = as_array("codes", codes)
    check_num_categories(num_categories)
    if array.ndim != 2 or array.shape[1] < 1 or num_variables not in (None, array.shape[1]):
        wanted = "N" if num_variables is None else num_variables
        raise ValueError(
            f"codes must be [B, {wanted}], one category a variable. Give what the model's encode returns. "
            f"Received: codes.shape={array.shape}"
        )
    if not (np.issubdtype(array.dtype, np.integer) or array.dtype == np.bool_):
        raise ValueError(
            "codes must be integers. Take the argmax of one-hot samples, or round bits. "
            f"Received: codes.dtype={array.dtype}"
        )
    if array.size and not (array.min() >= 0 and array.max() < num_categories):
        raise ValueError(
            f"codes must lie in [0, num_categories) = [0, {num_categories}). Give the num_categories of "
            f"their model. Received: minimum={array.min()}, maximum={array.max()}"
        )
    return array.astype(_dtype(num_categories), copy=False)


def check_num_categories(num_categories: int) -> None:
    """Refuses variables with fewer than 2 categories, and what is no integer."""
    checks.whole("num_categories", num_categories, 2, checks.INT64_MAX)


def _dtype(num_categories: int) -> type[np.signedinteger]:
    """Returns the dtype of codes of K categories, the smallest that holds them all and at least int32."""
    return np.int32 if num_categories <= 2**31 else np.int64


def as_array(name: str, value: ArrayLike) -> np.ndarray:
    """Returns an argument as an array; rows of several lengths are refused."""
    try:
        return np.asarray(value)
    except (TypeError, ValueError):
        checks.refuse(name, "an array", value)


def check_one_hot(num_categories: int) -> None:
    """Refuses more categories than codes to compare may have."""
    if num_categories > MAX_ONE_HOT:
        raise ValueError(
            f"num_categories must be at most {MAX_ONE_HOT} for codes that are compared: one-hot, each "
            "variable takes a bit for each category. Use more variables of fewer categories. "
            f"Received: num_categories={num_categories}"
        )


def bits_per_variable(num_categories: int) -> int:
    """Returns the number of bits of a variable in `pack`: log2(num_categories), rounded up.

    Example:
        >>> [bits_per_variable(categories) for categories in (2, 3, 10, 256)]
        [1, 2, 4, 8]
    """
    check_num_categories(num_categories)
    return (int(num_categories) - 1).bit_length()


def bytes_per_code(num_variables: int, num_categories: int = 2) -> int:
    """Returns the number of bytes of a code in `pack`.

    Example:
        >>> bytes_per_code(64), bytes_per_code(20, 10)
        (8, 10)
    """
    num_variables = checks.whole("num_variables", num_variables)
    return -(-num_variables * bits_per_variable(num_categories) // 8)


def pack(codes: ArrayLike, num_categories: int = 2) -> np.ndarray:
    """Returns codes as bytes to store: each variable takes `bits_per_variable` bits, high bit first.

    Bernoulli codes become what `numpy.packbits(codes, axis=1)` gives: the first variable is the highest
    bit of the first byte, and zeros fill the last byte. FAISS reads the same bytes.

    Args:
        codes: integers [B, N] in [0, num_categories).
        num_categories: K; 2 for Bernoulli codes. Default: 2.

    Returns:
        packed: uint8 [B, bytes_per_code(N, K)].

    Raises:
        ValueError: values outside [0, num_categories), or not a code.

    Example:
        >>> pack([[1, 0, 0, 0, 0, 0, 0, 0, 1]])
        array([[128, 128]], dtype=uint8)
    """
    array = check_codes(codes, num_categories)
    if num_categories == 2:
        return np.packbits(array.astype(np.uint8), axis=1)
    shifts = np.arange(bits_per_variable(num_categories) - 1, -1, -1, dtype=array.dtype)
    return _in_blocks(
        array,
        bytes_per_code(array.shape[1], num_categories),
        lambda part: ((part[:, :, np.newaxis] >> shifts) & 1).astype(np.uint8),
    )


def unpack(packed: ArrayLike, num_variables: int, num_categories: int = 2) -> np.ndarray:
    """Returns codes from the bytes of `pack`.

    Args:
        packed: uint8 [B, bytes_per_code(N, K)].
        num_variables: N.
        num_categories: K. Default: 2.

    Returns:
        codes: int32 [B, N]; int64 for more than 2**31 categories.

    Raises:
        ValueError: bytes that are no packed codes of these sizes.

    Example:
        >>> unpack(pack([[2, 0, 9]], num_categories=10), num_variables=3, num_categories=10)
        array([[2, 0, 9]], dtype=int32)
    """
    array = check_packed(packed, "packed")
    size, width = bytes_per_code(num_variables, num_categories), bits_per_variable(num_categories)
    if array.shape[1] != size:
        raise ValueError(
            f"Codes of {num_variables} variables with {num_categories} categories take {size} bytes each. "
            "Give the sizes that they were packed with. "
            f"Received: packed.shape={array.shape}, num_variables={num_variables}, "
            f"num_categories={num_categories}"
        )
    codes = np.empty([len(array), num_variables], _dtype(num_categories))
    for start in range(0, len(array), _BLOCK):
        part = array[start : start + _BLOCK]
        codes[start : start + _BLOCK] = _unpack(part, num_variables, num_categories, width)
    return codes


def _unpack(array: np.ndarray, num_variables: int, num_categories: int, width: int) -> np.ndarray:
    bits = np.unpackbits(array, axis=1)
    used, padding = bits[:, : num_variables * width], bits[:, num_variables * width :]
    codes = used.astype(_dtype(num_categories))
    if width > 1:
        shifts = np.arange(width - 1, -1, -1, dtype=codes.dtype)
        codes = (codes.reshape(len(array), num_variables, width) << shifts).sum(-1)
    if padding.any() or (codes.size and codes.max() >= num_categories):
        raise ValueError(
            "The bytes are no codes of these sizes. Give the num_variables and num_categories that they were "
            f"packed with. Received: num_variables={num_variables}, num_categories={num_categories}, "
            f"largest category {codes.max()}, bits beyond the code set: {bool(padding.any())}"
        )
    return codes


def pack_one_hot(codes: ArrayLike, num_categories: int) -> np.ndarray:
    """Returns codes as bytes to compare: K bits a variable, one of them set, packed as `numpy.packbits` does.

    Two codes differ in half as many variables as their bytes differ in bits. In bytes packed by width
    the number of differing bits depends on how categories are numbered and means nothing.

    Args:
        codes: integers [B, N] in [0, num_categories).
        num_categories: K.

    Returns:
        packed: uint8 [B, ceil(N * K / 8)].

    Raises:
        ValueError: values outside [0, num_categories), not a code, or more than 65536 categories.

    Example:
        >>> pack_one_hot([[0, 3]], num_categories=4)
        array([[129]], dtype=uint8)
    """
    array = check_codes(codes, num_categories)
    check_one_hot(num_categories)
    return _in_blocks(
        array,
        -(-array.shape[1] * num_categories // 8),
        lambda part: part[:, :, np.newaxis] == np.arange(num_categories),
    )


def pack_to_compare(codes: ArrayLike, num_categories: int = 2) -> tuple[np.ndarray, int]:
    """Codes as bytes whose Hamming distance counts differing variables, and the bits that each counts.

    Args:
        codes: integers [B, N] in [0, num_categories).
        num_categories: K. Default: 2.

    Returns:
        packed: uint8, `pack` for 2 categories and `pack_one_hot` for more.
        bits: 1 for 2 categories, else 2; divide distances between bytes by it.

    Example:
        >>> packed, bits = pack_to_compare([[0, 3]], num_categories=4)
        >>> packed.shape, bits
        ((1, 1), 2)
    """
    check_num_categories(num_categories)
    if num_categories == 2:
        return pack(codes), 1
    return pack_one_hot(codes, num_categories), 2


def pack_tensor(codes: Tensor) -> tf.Tensor:
    """`pack` of binary codes in TensorFlow, to be served: the same bytes.

    Args:
        codes: Numbers 0 and 1 [..., N]; not checked.

    Returns:
        packed: uint8 [..., ceil(N / 8)].

    Example:
        >>> pack_tensor([[1, 0, 0, 0, 0, 0, 0, 0, 1]]).numpy()
        array([[128, 128]], dtype=uint8)
    """
    bits = tf.cast(tf.convert_to_tensor(codes), tf.int32)
    size, leading = bits.shape[-1], tf.shape(bits)[:-1]
    bits = tf.pad(bits, [*[(0, 0)] * (bits.shape.rank - 1), (0, -size % 8)])
    octets = tf.reshape(bits, tf.concat([leading, [(size + 7) // 8, 8]], axis=0))
    return tf.cast(tf.reduce_sum(octets * [128, 64, 32, 16, 8, 4, 2, 1], axis=-1), tf.uint8)


def check_packed(packed: ArrayLike, name: str) -> np.ndarray:
    """Returns packed codes as an array, after a check; messages call them `name`."""
    array = as_array(name, packed)
    if array.ndim != 2 or array.dtype != np.uint8 or array.shape[1] < 1:
        raise ValueError(
            f"{name} must be packed codes, uint8 [B, bytes]. Pack them with tf_discrete.codes.pack. "
            f"Received: {name}.dtype={array.dtype}, {name}.shape={array.shape}"
        )
    return array


def _in_blocks(
    codes: np.ndarray, size: int, bits_of: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    """Packs `bits_of` [B, N, bits] of codes [B, N] into rows of `size` bytes, few rows at once."""
    packed = np.empty([len(codes), size], np.uint8)
    rows = max(1, _BLOCK * 8 // max(size, 1))
    for start in range(0, len(codes), rows):
        bits = bits_of(codes[start : start + rows])
        packed[start : start + rows] = np.packbits(bits.reshape(len(bits), -1), axis=1)
    return packed
