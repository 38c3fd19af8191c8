"""Which items of an index share a code, and which codes are nearly the same, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from tf_discrete._internal import checks
from tf_discrete.codes.exact.base import Base
from tf_discrete.codes.exact.probing import Probing, TooManyHitsError

MAX_GROUP_IDS = 1000
"""Ids that are listed of a group of equal codes."""
_QUERIES = 4096
_HITS = 1 << 22
"""Pairs that are held at once."""
_BLOCK = 1 << 22
_Pairs = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Rows of one code and of the other, a later one, and their distances."""


class DuplicateReport(NamedTuple):
    """Equal and nearly equal codes.

    Attributes:
        num_items: M.
        num_distinct: D, different codes.
        num_colliding: Items whose code another item has too.
        pairs_by_distance: int64 [radius + 1], pairs of items at each distance, all of them.
        groups: Ids of the largest groups of items with one code, int64 each, largest first; of equal size
            the group with the lowest id first. Of a group the 1000 lowest ids are listed.
        group_sizes: int64 [G], items of each of these groups.
        pairs: int64 [P, 2], pairs of different codes, each code by its lowest id, lower first: those at
            the least distance, then with the lowest ids.
        distances: int32 [P].
    """

    num_items: int
    num_distinct: int
    num_colliding: int
    pairs_by_distance: np.ndarray
    groups: list[np.ndarray]
    group_sizes: np.ndarray
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
    for one, other, distance in _near(base, radius):
        np.add.at(totals, distance, _sizes(base, one) * _sizes(base, other))
        ids = np.stack([base.ids[base.splits[one]], base.ids[base.splits[other]]], axis=1)
        ids.sort(axis=1)
        pairs, distances = np.concatenate([pairs, ids]), np.concatenate([distances, distance])
        if len(pairs) > max_pairs:
            best = np.lexsort([pairs[:, 1], pairs[:, 0], distances])[:max_pairs]
            pairs, distances = pairs[best], distances[best]
    order = np.lexsort([pairs[:, 1], pairs[:, 0], distances])
    nothing = np.zeros(0, np.int64)
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
    starts = base.splits[groups[0]].astype(np.int64)
    ends = starts + np.minimum(groups[1], MAX_GROUP_IDS)
    return DuplicateReport(
        num_items=len(base.ids),
        num_distinct=base.num_distinct,
        num_colliding=colliding,
        pairs_by_distance=totals,
        groups=[
            np.array(base.ids[start:end])
            for start, end in zip(starts.tolist(), ends.tolist(), strict=True)
        ],
        group_sizes=groups[1],
        pairs=pairs[order],
        distances=distances[order],
    )


def _near(base: Base, radius: int) -> Iterator[_Pairs]:
    """Yields all pairs of codes within a radius, at most `_HITS` at once.

    A batch of codes that has more is halved; a single code that has more is compared with all later ones,
    block by block.
    """
    if not radius:  # Different codes differ.
        return
    start, size = 0, _QUERIES
    while start < base.num_distinct:
        rows = np.arange(start, min(start + size, base.num_distinct))
        try:
            yield _searched(base, rows, radius)
        except TooManyHitsError:
            size = len(rows) // 2
            if size:
                continue
            yield from _compared(base, start, radius)
        start += len(rows)
        size = min(2 * len(rows), _QUERIES)


def _searched(base: Base, rows: np.ndarray, radius: int) -> _Pairs:
    """The pairs of some codes with later ones, by their buckets."""
    bound = np.full(len(rows), radius)
    nothing = np.zeros(0, np.int64)
    probing = Probing(base, base.words[rows], bound, None, nothing, first=rows + 1, most=_HITS)
    owner, distance, other = probing.run()
    return rows[owner], other, distance


def _compared(base: Base, row: int, radius: int) -> Iterator[_Pairs]:
    """The pairs of one code with later ones, by comparing all."""
    for start in range(row + 1, base.num_distinct, _HITS):
        distance = base.layout.distances(base.words[start : start + _HITS] ^ base.words[row])
        near = np.flatnonzero(distance <= radius)
        yield np.full(len(near), row), start + near, distance[near].astype(np.int32)


def _sizes(base: Base, rows: np.ndarray) -> np.ndarray:
    """The items of each row."""
    return base.splits[rows + 1].astype(np.int64) - base.splits[rows].astype(np.int64)
