"""Which variables go into which substring: those that repeat one another go apart.

Real codes are clustered: variables are skewed and depend on one another, so a substring of neighbouring
variables has a few very full buckets. What a query reads of a table is the number of codes whose substring
is the same or nearly the same. Over pairs of codes of a sample, that is the mean of decay**distance, where
distance counts the differing variables of the substring. The assignment starts from variables dealt in the
order of their variance and exchanges the best two variables of every two substrings as long as the sum falls.
"""

from __future__ import annotations

import itertools

import numpy as np

from tf_discrete.codes.exact.layout import even_lengths

SAMPLE = 1 << 16
"""Codes that the assignment is chosen from."""
_PAIRS = 1 << 13
_DECAY = 0.25
_SWEEPS = 8


def balanced_order(codes: np.ndarray, substrings: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Assigns variables to substrings.

    Args:
        codes: integers [B, N], a sample.
        substrings: Number of substrings, 1 to N.

    Returns:
        order: The variables, substring by substring.
        lengths: Variables of each substring.

    Example:
        >>> twice = np.random.default_rng(0).integers(0, 2, [100, 2]).repeat(2, axis=1)
        >>> order, lengths = balanced_order(twice, substrings=2)  # Equal variables are apart.
        >>> sorted(i // 2 for i in order[:2]), lengths
        ([0, 1], (2, 2))

    Reference:
        Wan, Tang, Zhang, Huang, Li. Data driven multi-index hashing. ICIP 2013.
    """
    size = codes.shape[1]
    lengths = even_lengths(size, substrings)
    differing = _differing_pairs(codes)
    member = np.empty(size, np.int64)
    by_variance = np.argsort(-differing.mean(axis=0), kind="stable")
    places = np.array(
        [(i, j) for j in range(lengths[0]) for i in range(substrings) if j < lengths[i]]
    )
    member[by_variance] = places[:, 0]
    factors = np.where(differing, np.float32(_DECAY), np.float32(1.0))
    pairs = list(itertools.combinations(range(substrings), 2))
    for _ in range(_SWEEPS):
        if not any([_exchange(member, factors, one, other) for one, other in pairs]):
            break
    order = np.argsort(member, kind="stable")
    return tuple(order.tolist()), lengths


def _differing_pairs(codes: np.ndarray) -> np.ndarray:
    """Whether each variable differs, bool [pairs, N], over random pairs of different codes."""
    generator = np.random.default_rng(0)
    one, other = generator.integers(0, len(codes), [2, min(_PAIRS, 2 * len(codes))])
    differing = codes[one] != codes[other]
    kept = differing[differing.any(axis=1)]
    return kept if len(kept) else np.zeros([1, codes.shape[1]], np.bool_)


def _exchange(member: np.ndarray, factors: np.ndarray, one: int, other: int) -> bool:
    """Exchanges the two variables of two substrings that lower the sum most; False if none lowers it."""
    mine, theirs = np.flatnonzero(member == one), np.flatnonzero(member == other)
    products = factors[:, mine].prod(axis=1), factors[:, theirs].prod(axis=1)
    without = [
        product[:, np.newaxis] / factors[:, part]
        for product, part in zip(products, (mine, theirs), strict=True)
    ]
    new = without[0].T @ factors[:, theirs] + factors[:, mine].T @ without[1]
    place = np.unravel_index(int(np.argmin(new)), new.shape)
    if new[place] >= (1 - 1e-6) * float(products[0].sum() + products[1].sum()):
        return False
    member[mine[place[0]]], member[theirs[place[1]]] = other, one
    return True
