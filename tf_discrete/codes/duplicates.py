"""Which items share a code, and which codes are nearly the same."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from tf_discrete._internal import checks
from tf_discrete.codes.hamming import hamming_radius
from tf_discrete.codes.packing import check_codes, pack, pack_to_compare

_QUERIES = 256


class Collisions(NamedTuple):
    """How many items share their code with another.

    Attributes:
        num_items: B.
        num_distinct: different codes.
        num_colliding: items whose code another item has too.
        num_pairs: pairs of items with the same code.
        largest: the items (int64 indices) of the largest groups, largest first; of equal size, the group
            with the lowest index first.
    """

    num_items: int
    num_distinct: int
    num_colliding: int
    num_pairs: int
    largest: list[np.ndarray]


class NearDuplicates(NamedTuple):
    """Pairs of items whose codes differ in few variables.

    Attributes:
        radius: most variables that differ.
        num_pairs: pairs found, those left out of `pairs` too.
        pairs: int64 [P, 2], the lower index first; in the order of the indices.
        distances: int32 [P], differing variables.
    """

    radius: int
    num_pairs: int
    pairs: np.ndarray
    distances: np.ndarray


def collisions(codes: ArrayLike, num_categories: int = 2, max_groups: int = 10) -> Collisions:
    """Groups items by their code.

    Args:
        codes: integers [B, N] in [0, num_categories).
        num_categories: K. Default: 2.
        max_groups: groups listed in `largest`. Default: 10.

    Raises:
        ValueError: values outside [0, num_categories), or not a code.

    Example:
        >>> report = collisions([[0, 1], [1, 1], [0, 1]])
        >>> report.num_distinct, report.num_colliding, report.largest[0].tolist()
        (2, 2, [0, 2])
    """
    packed = pack(codes, num_categories)
    max_groups = checks.whole("max_groups", max_groups, 0, checks.INT64_MAX)
    _, first, inverse, counts = np.unique(
        packed, axis=0, return_index=True, return_inverse=True, return_counts=True
    )
    inverse = inverse.reshape(-1)
    shared = np.flatnonzero(counts > 1)
    listed = shared[np.lexsort([first[shared], -counts[shared]])][:max_groups]
    return Collisions(
        num_items=len(packed),
        num_distinct=len(counts),
        num_colliding=int(counts[shared].sum()),
        num_pairs=int((counts * (counts - 1) // 2).sum()),
        largest=[np.flatnonzero(inverse == group) for group in listed],
    )


def near_duplicates(
    codes: ArrayLike, radius: int, num_categories: int = 2, max_pairs: int = 10_000
) -> NearDuplicates:
    """Finds every pair of items within a radius, exactly; the time grows with the square of their number.

    Args:
        codes: integers [B, N] in [0, num_categories).
        radius: most variables in which two codes may differ; 0 for equal codes.
        num_categories: K. Default: 2.
        max_pairs: pairs that are listed; all are counted. Default: 10000.

    Raises:
        ValueError: values outside [0, num_categories), not a code, or a negative radius.

    Example:
        >>> near_duplicates([[0, 1, 1], [1, 1, 1], [0, 0, 0]], radius=1).pairs.tolist()
        [[0, 1]]
    """
    array = check_codes(codes, num_categories)
    radius = checks.whole("radius", radius, lowest=0)
    max_pairs = checks.whole("max_pairs", max_pairs, 0, checks.INT64_MAX)
    packed, bits = pack_to_compare(array, num_categories)
    pairs, distances = [np.zeros([0, 2], np.int64)], [np.zeros(0, np.int32)]
    found = listed = 0
    for start in range(0, len(packed), _QUERIES):
        near = hamming_radius(packed[start : start + _QUERIES], packed[start:], radius * bits)
        left = start + np.repeat(np.arange(len(near.splits) - 1), np.diff(near.splits))
        right = start + near.indices
        wanted = np.flatnonzero(left < right)
        found += len(wanted)
        wanted = wanted[np.lexsort([right[wanted], left[wanted]])][: max_pairs - listed]
        listed += len(wanted)
        pairs.append(np.stack([left[wanted], right[wanted]], axis=1))
        distances.append(near.distances[wanted] // bits)
    return NearDuplicates(radius, found, np.concatenate(pairs), np.concatenate(distances))
