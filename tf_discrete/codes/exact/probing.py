"""Multi-index hashing: reads the buckets around each query until nothing nearer can be left.

A query probes ring t of a table: all keys that differ from its own in exactly t variables. If the rings
0..t_i - 1 of each table i were probed, a code that was not seen differs in at least t_i variables of each
substring i, so all codes within the radius sum(t_i) - 1 were seen. Each ring, of whichever table, adds one to
this radius. The next ring is the one with the fewest codes to be expected, query by query: for clustered
codes, most of a query's neighbours may share one substring that tells little, and another substring that
tells much.

References:
    Norouzi, Punjani, Fleet. Fast exact search in Hamming space with multi-index hashing. 2014.
    arXiv:1307.2982. Qin et al. GPH: Similarity search in Hamming space. ICDE 2018. (General bounds on the
    substrings.)
"""

from __future__ import annotations

import numpy as np

from tf_discrete.codes.exact.base import Base
from tf_discrete.codes.exact.rings import ring_masks, ring_size

SCAN_COST = 16
"""Codes that a scan compares in the time in which one candidate from a bucket is fetched and compared."""
_CANDIDATES = 1 << 18
"""Candidates, and keys, that are compared at once."""
_SCAN_BLOCK = 1 << 16
_PROBE_COST = 0.5
"""Cost of looking up a key, in candidates."""


class TooManyHitsError(Exception):
    """A search holds more hits than it may."""


class Probing:
    """The search of a batch of queries in one base.

    Args:
        base: The codes.
        queries: uint64 [Q, W].
        bound: Distance to search up to, int [Q].
        k: Live items that are wanted; the bound of a query falls as they are found. None: all within the
        bound.
        dead: int64, ascending places in `base.ids` that are deleted.
        first: int64 [Q], the first row that may be a hit of each query. None: all rows may be hits.
        most: Hits that are held at once. None: any number.

    Attributes:
        covered: int32 [Q], all codes within this radius were seen.
        scanned: bool [Q], whether all codes were compared.
    """

    def __init__(
        self,
        base: Base,
        queries: np.ndarray,
        bound: np.ndarray,
        k: int | None,
        dead: np.ndarray,
        first: np.ndarray | None = None,
        most: int | None = None,
    ):
        self._base, self._queries, self._k = base, queries, k
        self._first, self._most, self._num_new = first, most, 0
        self._dead_rows, self._dead_counts = np.unique(base.rows_of(dead), return_counts=True)
        layout = base.layout
        count, tables = len(queries), len(layout.lengths)
        self.bound = bound.astype(np.int32)
        self.covered = np.full(count, -1, np.int32)
        self.scanned = np.zeros(count, np.bool_)
        self._rings = np.zeros([count, tables], np.int64)
        self._spent = np.zeros(count)
        self._owner, self._row = np.zeros(0, np.int64), np.zeros(0, np.int64)
        self._distance = np.zeros(0, np.int32)
        self._new: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        self._keys = [layout.keys(queries, table) for table in range(tables)]
        self._cost = np.stack(
            [
                base.offsets[table][keys + 1].astype(np.float64) - base.offsets[table][keys]
                for table, keys in enumerate(self._keys)
            ],
            axis=1,
        )
        self._limit = base.num_distinct / SCAN_COST

    def run(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Searches.

        Returns:
            owner: int64 [H], the query of each hit.
            distance: int32 [H].
            row: int64 [H], a row of `base.words`; each once for each query. All rows within the bound are
            hits.

        Raises:
            TooManyHitsError: More than `most` hits.
        """
        while (active := np.flatnonzero((self.covered < self.bound) & ~self.scanned)).size:
            tables = np.argmin(self._cost[active], axis=1)
            rings = self._rings[active, tables]
            for table, ring in np.unique(np.stack([tables, rings], axis=1), axis=0).tolist():
                self._probe(active[(tables == table) & (rings == ring)], table, ring)
            self._merge()
        if self.scanned.any():
            self._scan(np.flatnonzero(self.scanned))
        return self._owner, self._distance, self._row

    def _probe(self, asking: np.ndarray, table: int, ring: int) -> None:
        """Compares some queries with all codes in a ring of a table."""
        layout = self._base.layout
        length, width = layout.lengths[table], layout.width
        keys = ring_size(length, width, ring)
        if keys * _PROBE_COST > self._limit:
            self.scanned[asking] = True
            return
        masks = ring_masks(length, width, ring)
        offsets = self._base.offsets[table]
        step = max(1, _CANDIDATES // keys)
        for start in range(0, len(asking), step):
            some = asking[start : start + step]
            probed = self._keys[table][some][:, np.newaxis] ^ masks
            begins = offsets[probed].astype(np.int64)
            sizes = offsets[probed + 1] - begins
            totals = sizes.sum(axis=1)
            self._spent[some] += totals + _PROBE_COST * keys
            affordable = self._spent[some] <= self._limit
            self.scanned[some[~affordable]] = True
            some, begins, sizes = some[affordable], begins[affordable], sizes[affordable]
            self._compare(some, table, begins, sizes)
            self._advance(some, table, ring, totals[affordable])

    def _advance(self, some: np.ndarray, table: int, ring: int, found: np.ndarray) -> None:
        layout = self._base.layout
        length, width = layout.lengths[table], layout.width
        self._rings[some, table] += 1
        if ring == length:  # The table is read to its end: every code was seen.
            self.covered[some] = layout.num_variables
            return
        self.covered[some] += 1
        now, following = (ring_size(length, width, i) for i in (ring, ring + 1))
        self._cost[some, table] = (np.maximum(found, 1) / now + _PROBE_COST) * following

    def _compare(self, some: np.ndarray, table: int, begins: np.ndarray, sizes: np.ndarray) -> None:
        """Compares queries with ranges of a table, [queries, keys], a bounded number at once."""
        owner, key = np.nonzero(sizes)
        begins, sizes = begins[owner, key], sizes[owner, key]
        owner = some[owner]
        ends = np.cumsum(sizes)
        total = int(ends[-1]) if len(ends) else 0
        for start in range(0, total, _CANDIDATES):
            stop = min(start + _CANDIDATES, total)
            first = int(np.searchsorted(ends, start, side="right"))
            last = int(np.searchsorted(ends, stop, side="left")) + 1
            part = slice(first, last)
            before = ends[part] - sizes[part]
            low, high = np.maximum(before, start), np.minimum(ends[part], stop)
            count = high - low
            places = np.arange(start, stop) + np.repeat(begins[part] - before, count)
            rows = self._base.bucket_rows(table, places)
            asked = np.repeat(owner[part], count)
            differing = self._base.words[rows]
            differing ^= self._queries[asked]
            self._add(asked, self._base.layout.distances(differing), rows)

    def _scan(self, asking: np.ndarray) -> None:
        """Compares some queries with all codes, block by block while they are in a processor's cache."""
        layout, words = self._base.layout, self._base.words
        self._keep(~np.isin(self._owner, asking))  # Each row may be a hit only once.
        counts = np.zeros([len(self._queries), layout.num_variables + 1], np.int64)
        for start in range(0, len(words), _SCAN_BLOCK):
            block = words[start : start + _SCAN_BLOCK]
            for query in asking:
                if self._first is not None and start + len(block) <= self._first[query]:
                    continue
                distance = layout.distances(block ^ self._queries[query])
                rows = np.flatnonzero(distance <= self.bound[query])
                if self._first is not None:
                    rows = rows[rows + start >= self._first[query]]
                if not rows.size:
                    continue
                distance = distance[rows]
                if self._k is not None:
                    np.add.at(counts[query], distance, self._live(rows + start))
                    enough = np.flatnonzero(np.cumsum(counts[query]) >= self._k)
                    if enough.size:
                        self.bound[query] = min(self.bound[query], enough[0])
                        near = distance <= self.bound[query]
                        distance, rows = distance[near], rows[near]
                self._hold(np.full(len(rows), query), distance, rows + start)
        self._merge()
        self.covered[asking] = layout.num_variables

    def _add(self, owner: np.ndarray, distance: np.ndarray, rows: np.ndarray) -> None:
        """Keeps candidates within the bounds; a row comes once for each query in one call."""
        near = np.flatnonzero(distance <= self.bound[owner])
        if self._first is not None:
            near = near[rows[near] >= self._first[owner[near]]]
        if not near.size:
            return
        owner, distance = owner[near], distance[near].astype(np.int32)
        rows = rows[near].astype(np.int64)
        if self._k is not None and len(near) > 2 * self._k:
            self._tighten(owner, distance, rows)
            near = np.flatnonzero(distance <= self.bound[owner])
            owner, distance, rows = owner[near], distance[near], rows[near]
        self._hold(owner, distance, rows)

    def _hold(self, owner: np.ndarray, distance: np.ndarray, rows: np.ndarray) -> None:
        """Keeps candidates until the next merge, which comes at once where there are more than `most`."""
        self._new.append((owner, distance, rows))
        self._num_new += len(owner)
        if self._most is not None and self._num_new > self._most:
            self._merge()

    def _merge(self) -> None:
        """Adds the new candidates to the hits, each row once for each query."""
        if not self._new:
            return
        columns = zip((self._owner, self._distance, self._row), *self._new, strict=True)
        owner, distance, rows = (np.concatenate(column) for column in columns)
        self._new, self._num_new = [], 0
        near = np.flatnonzero(distance <= self.bound[owner])
        owner, distance, rows = owner[near], distance[near], rows[near]
        _, first = np.unique(owner * self._base.num_distinct + rows, return_index=True)
        self._owner, self._row = owner[first], rows[first]
        self._distance = distance[first].astype(np.int32)
        if self._k is not None and len(first):
            self._tighten(self._owner, self._distance, self._row)
            self._keep(self._distance <= self.bound[self._owner])
        if self._most is not None and len(self._owner) > self._most:
            raise TooManyHitsError

    def _keep(self, kept: np.ndarray) -> None:
        if not kept.all():
            self._owner, self._row = self._owner[kept], self._row[kept]
            self._distance = self._distance[kept]

    def _tighten(self, owner: np.ndarray, distance: np.ndarray, rows: np.ndarray) -> None:
        """Lowers the bounds to the distance within which k live items are among distinct rows."""
        wide = self._base.layout.num_variables + 1
        present, local = np.unique(owner, return_inverse=True)
        counts = np.bincount(
            local * wide + distance, weights=self._live(rows), minlength=len(present) * wide
        )
        enough = np.cumsum(counts.reshape(-1, wide), axis=1) >= (self._k or 0)
        reached = enough.any(axis=1)
        found = np.argmax(enough, axis=1)[reached]
        self.bound[present[reached]] = np.minimum(self.bound[present[reached]], found)

    def _live(self, rows: np.ndarray) -> np.ndarray:
        """The items of each row that are not deleted."""
        splits = self._base.splits
        counts = splits[rows + 1].astype(np.int64) - splits[rows].astype(np.int64)
        if len(self._dead_rows):
            place = np.minimum(np.searchsorted(self._dead_rows, rows), len(self._dead_rows) - 1)
            counts -= np.where(self._dead_rows[place] == rows, self._dead_counts[place], 0)
        return counts


def items(
    base: Base, row: np.ndarray, dead: np.ndarray, most: int | None
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the live items of rows, as the number of the row in the argument and the id.

    Args:
        base: The codes.
        row: int64 [H].
        dead: int64, ascending places in `base.ids` that are deleted.
        most: Live items of a row that are needed, those with the lowest ids. None: all.
    """
    begins = base.splits[row].astype(np.int64)
    sizes = base.splits[row + 1].astype(np.int64) - begins
    if most is not None:
        removed = np.searchsorted(dead, begins + sizes) - np.searchsorted(dead, begins)
        sizes = np.minimum(sizes, most + removed)
    number = np.repeat(np.arange(len(row)), sizes)
    before = np.cumsum(sizes) - sizes
    places = np.arange(int(sizes.sum())) + np.repeat(begins - before, sizes)
    if len(dead):
        found = np.minimum(np.searchsorted(dead, places), len(dead) - 1)
        alive = dead[found] != places
        number, places = number[alive], places[alive]
    return number, np.asarray(base.ids[places])
