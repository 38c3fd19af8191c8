"""Codes as digits in a mixed radix: the path of a category through a tree, the digit at the root first.

With a branching (b_1, ..., b_D) the category of the digits (d_1, ..., d_D) is
d_1 * b_2 * ... * b_D + ... + d_{D-1} * b_D + d_D, an integer of 64 bits: floats, which skip integers above
2**24 or 2**53, have no part in it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tf_discrete._internal import checks
from tf_discrete._internal.assertions import is_known
from tf_discrete.types import Tensor

MAX_BALANCED = 64
"""Children of a node that `balanced_branching` goes up to."""


def check_branching(branching: Sequence[int], num_categories: int | None = None) -> tuple[int, ...]:
    """Returns the children of a node at each depth of a tree, as plain integers.

    Args:
        branching: Integers >= 2, the root's first.
        num_categories: K, whose product the branching must be. None for any product. Default: None.

    Raises:
        ValueError: No such integers, a product above 2**63 - 1, or another one than `num_categories`.

    Example:
        >>> check_branching([32, 32], num_categories=1000)
        Traceback (most recent call last):
        ...
        ValueError: The product of branching must be num_categories. Set num_categories=1024, or \
branching=(25, 40). Received: branching=(32, 32), num_categories=1000
    """
    found = checks.sizes("branching", branching, each="depth of the tree")
    if not found or min(found) < 2:
        checks.refuse("branching", "integers >= 2, one for each depth of the tree", branching)
    product = math.prod(found)
    if product > checks.INT64_MAX:
        raise ValueError(
            "A category must be an integer of 64 bits. Give a branching whose product is at most "
            f"2**63 - 1, or more variables. Received: branching={found}, whose product is {product}"
        )
    if num_categories is not None and product != num_categories:
        raise ValueError(
            f"The product of branching must be num_categories. Set num_categories={product}"
            f"{_other_branching(num_categories)}. "
            f"Received: branching={found}, num_categories={num_categories}"
        )
    return found


def balanced_branching(num_categories: int, most: int = MAX_BALANCED) -> tuple[int, ...]:
    """Returns the shortest branching into K categories whose nodes have at most `most` children.

    Args:
        num_categories: Int K >= 2.
        most: Int >= 2, largest number of children of a node. Default: 64.

    Raises:
        ValueError: A prime factor of K is larger than `most`.

    Example:
        >>> balanced_branching(2**20), balanced_branching(1000), balanced_branching(10**9)
        ((32, 32, 32, 32), (25, 40), (25, 25, 25, 40, 40, 40))
    """
    num_categories = checks.whole("num_categories", num_categories, 2, checks.INT64_MAX)
    most = checks.whole("most", most, lowest=2)
    primes = prime_factors(num_categories, most)
    if math.prod(primes) != num_categories:
        raise ValueError(
            "The prime factors of num_categories must be at most the children of a node. Choose another "
            "number of categories, such as a power of 2, raise most, or use paths, which allow any "
            "number (--latents=path of a trainer, or distributions.path_latents). "
            f"Received: num_categories={num_categories}, most={most}"
        )
    depth = 1
    while True:
        sizes = [1] * depth
        for prime in reversed(primes):  # The largest first, each to the smallest digit.
            sizes[sizes.index(min(sizes))] *= prime
        if max(sizes) <= most:
            return tuple(sorted(sizes))
        depth += 1


def equal_branching(num_categories: int, most: int = MAX_BALANCED) -> tuple[int, ...]:
    """Returns the shortest branching of equal numbers up to `most` that reaches K leaves.

    Args:
        num_categories: Int K >= 2; any number, the last leaves may be no categories.
        most: Int >= 2, largest number of children of a node. Default: 64.

    Raises:
        ValueError: An argument is out of range.

    Example:
        >>> equal_branching(10**6 + 3), equal_branching(2**20)
        ((32, 32, 32, 32), (32, 32, 32, 32))
    """
    num_categories = checks.whole("num_categories", num_categories, 2, checks.INT64_MAX)
    most, depth = checks.whole("most", most, lowest=2), 1
    while most**depth < num_categories:
        depth += 1
    children = max(2, round(num_categories ** (1 / depth)))
    children += children**depth < num_categories
    return (children,) * depth


def place_values(branching: Sequence[int]) -> np.ndarray:
    """Returns how many categories lie below a node that each digit chooses, int64 [D].

    Example:
        >>> place_values((3, 4, 5)).tolist()
        [20, 5, 1]
    """
    below = [math.prod(branching[depth + 1 :]) for depth in range(len(branching))]
    return np.array(below, np.int64)


def contains(codes: Tensor, branching: Sequence[int]) -> tf.Tensor:
    """Returns whether codes are leaves of the tree, bool [...].

    Args:
        codes: Int [...].
        branching: Children of a node at each depth.

    Raises:
        ValueError: Codes whose values are known, and that lie outside.

    Example:
        >>> tf.function(contains)(tf.constant([-1, 0, 59, 60]), (3, 4, 5)).numpy().tolist()
        [False, True, True, False]
    """
    codes, count = tf.cast(codes, tf.int64), math.prod(branching)
    if is_known(codes):
        known = codes.numpy()
        if known.size and not 0 <= known.min() <= known.max() < count:
            raise ValueError(
                f"Codes must lie in [0, {count}), the leaves of the tree. Give codes of the same latents. "
                f"Received: minimum={known.min()}, maximum={known.max()}, branching={tuple(branching)}"
            )
    return (codes >= 0) & (codes < count)


def to_digits(codes: Tensor, branching: Sequence[int]) -> tf.Tensor:
    """Returns the digits of codes.

    Args:
        codes: Int [...] in [0, K).
        branching: Children of a node at each depth.

    Returns:
        digits: int64 [..., D]; in a graph those of codes outside [0, K) are -1, whose one-hot vector is 0.

    Raises:
        ValueError: See `contains`.

    Example:
        >>> to_digits([0, 59, 27], (3, 4, 5)).numpy().tolist()
        [[0, 0, 0], [2, 3, 4], [1, 1, 2]]
    """
    inside = contains(codes, branching)[..., tf.newaxis]
    codes = tf.cast(codes, tf.int64)[..., tf.newaxis]
    digits = codes // place_values(branching) % np.array(branching, np.int64)
    return tf.where(inside, digits, tf.constant(-1, tf.int64))


def from_digits(digits: Tensor, branching: Sequence[int]) -> tf.Tensor:
    """Returns the codes of digits.

    Args:
        digits: Int [..., D].
        branching: Children of a node at each depth.

    Returns:
        codes: int64 [...].

    Example:
        >>> from_digits([2, 3, 4], (3, 4, 5)).numpy()
        np.int64(59)
    """
    return tf.reduce_sum(tf.cast(digits, tf.int64) * place_values(branching), axis=-1)


def prime_factors(number: int, most: int) -> list[int]:
    """Returns the prime factors of a number up to `most`, in increasing order."""
    found: list[int] = []
    for prime in range(2, most + 1):
        while number % prime == 0:
            found.append(prime)
            number //= prime
    return found


def _other_branching(num_categories: object) -> str:
    """Returns a remedy for a branching that does not make K categories."""
    try:
        return f", or branching={balanced_branching(num_categories)}"  # type: ignore[arg-type]
    except ValueError:
        return ""
