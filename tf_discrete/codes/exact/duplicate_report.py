"""Which items of an index share a code, and which codes are nearly the same, in bounded memory."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tf_discrete._internal import checks
from tf_discrete.codes.exact.base import Base
from tf_discrete.codes.exact.probing import Probing

_QUERIES = 4096
_BLOCK = 1 << 22


class DuplicateReport(NamedTuple):
    """Equal and nearly equal codes.

    Attributes:
        num_items: M.
        num_distinct: D, different codes.
        num_colliding: Items whose code another item has too.
        pairs_by_distance: int64 [radius + 1], pairs of items at each distance, all of them.
        groups: Ids of the largest groups of items with one code, int64 each, largest first; of equal size
            the group with the lowest id first.
        pairs: int64 [P, 2], pairs of different codes, each code by its lowest id, lower first: those at
            the least distance, then with the lowest ids.
        distances: int32 [P].
    """

    num_items: int
    num_distinct: int
    num_colliding: int
    pairs_by_distance: np.ndarray
    groups: list[np.ndarray]
    pairs: np.ndarray
    distances: np.ndarray


def duplicate_report(base: Base, radius: int, max_pairs: int) -> DuplicateReport:
    """Searches every code among all others.

    Args:
        base: The codes.
        radius: Variables in which two codes may differ, >= 0.
        max_pairs: Pairs, and groups, that are listed.

    Raises:
        ValueError: A negative radius or number of pairs.
    """
    radius = min(checks.whole("radius", radius, lowest=0), base.layout.num_variables)
    max_pairs = checks.whole("max_pairs", max_pairs, 0)
    totals = np.zeros(radius + 1, np.int64)
    pairs: np.ndarray = np.zeros([0, 2], np.int64)
    distances: np.ndarray = np.zeros(0, np.int32)
    nothing = np.zeros(0, np.int64)
    for start in range(0, base.num_distinct if radius else 0, _QUERIES):
        queries = base.words[start : start + _QUERIES]
        probing = Probing(base, queries, np.full(len(queries), radius), None, nothing)
        owner, distance, row = probing.run()
        later = row > owner + start
        one, other, distance = owner[later] + start, row[later], distance[later]
        weights = _sizes(base, one) * _sizes(base, other)
        np.add.at(totals, distance, weights)
        ids = np.stack([base.ids[base.splits[one]], base.ids[base.splits[other]]], axis=1)
        ids.sort(axis=1)
        pairs, distances = np.concatenate([pairs, ids]), np.concatenate([distances, distance])
        if len(pairs) > max_pairs:
            best = np.lexsort([pairs[:, 1], pairs[:, 0], distances])[:max_pairs]
            pairs, distances = pairs[best], distances[best]
    order = np.lexsort([pairs[:, 1], pairs[:, 0], distances])
    colliding, groups = 0, (nothing, nothing, nothing)  # Rows, sizes and lowest ids of groups.
    for start in range(0, base.num_distinct, _BLOCK):
        rows = np.arange(start, min(start + _BLOCK, base.num_distinct))
        sizes = _sizes(base, rows)
        rows, sizes = rows[sizes > 1], sizes[sizes > 1]
        colliding += int(sizes.sum())
        totals[0] += int((sizes * (sizes - 1) // 2).sum())
        lowest = base.ids[base.splits[rows]]
        rows, sizes, lowest = (
            np.concatenate(pair) for pair in zip(groups, (rows, sizes, lowest), strict=True)
        )
        best = np.lexsort([lowest, -sizes])[:max_pairs]
        groups = rows[best], sizes[best], lowest[best]
    return DuplicateReport(
        num_items=len(base.ids),
        num_distinct=base.num_distinct,
        num_colliding=colliding,
        pairs_by_distance=totals,
        groups=[
            np.array(base.ids[int(base.splits[row]) : int(base.splits[row + 1])])
            for row in groups[0]
        ],
        pairs=pairs[order],
        distances=distances[order],
    )


def _sizes(base: Base, rows: np.ndarray) -> np.ndarray:
    """The items of each row."""
    return base.splits[rows + 1].astype(np.int64) - base.splits[rows].astype(np.int64)
