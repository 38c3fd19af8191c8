"""The neighbours of queries in the tables of an index and in its log, merged."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from tf_discrete.codes.exact import probing
from tf_discrete.codes.exact.store import Store
from tf_discrete.codes.hamming import RadiusNeighbors

_QUERIES = 256
"""Queries that are searched together."""


class ExactNeighbors(NamedTuple):
    """The k nearest items of each query, with the certificate that there are no nearer ones.

    Attributes:
        distances: int32 [Q, k], differing variables, ascending.
        ids: int64 [Q, k]; at equal distance ascending, and the lowest ids are kept at the k-th place.
        radius: int32 [Q], all codes within this radius were seen. It is at least the k-th distance.
        scanned: bool [Q], whether that took a scan of all codes, because the buckets would have been slower.
    """

    distances: np.ndarray
    ids: np.ndarray
    radius: np.ndarray
    scanned: np.ndarray


class _Hits(NamedTuple):
    """The hits of a batch of similar queries.

    Attributes:
        rows: int64 [B], the queries of the batch.
        owner: int64 [H], the number in the batch of each hit.
        distance: int32 [H].
        ids: int64 [H].
        probed: The search of the tables.
    """

    rows: np.ndarray
    owner: np.ndarray
    distance: np.ndarray
    ids: np.ndarray
    probed: probing.Probing


def nearest(store: Store, queries: np.ndarray, k: int) -> ExactNeighbors:
    """Returns the k nearest live items of each query, uint64 [Q, W]; there are at least k."""
    count = len(queries)
    found = ExactNeighbors(
        np.empty([count, k], np.int32),
        np.empty([count, k], np.int64),
        np.empty(count, np.int32),
        np.empty(count, np.bool_),
    )
    everything = np.full(count, store.base.layout.num_variables)
    for hits in _batches(store, queries, everything, k):
        order = np.lexsort([hits.ids, hits.distance, hits.owner])
        starts = np.searchsorted(hits.owner[order], np.arange(len(hits.rows)))
        best = order[starts[:, np.newaxis] + np.arange(k)]
        found.distances[hits.rows], found.ids[hits.rows] = hits.distance[best], hits.ids[best]
        found.radius[hits.rows] = hits.probed.covered
        found.scanned[hits.rows] = hits.probed.scanned
    return found


def within(store: Store, queries: np.ndarray, radius: int) -> RadiusNeighbors:
    """Returns all live items within a radius of each query, uint64 [Q, W]; the indices are ids."""
    parts = [
        (hits.rows[hits.owner], hits.distance, hits.ids)
        for hits in _batches(store, queries, np.full(len(queries), radius), None)
    ]
    owner, distance, ids = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.lexsort([ids, distance, owner])
    splits = np.searchsorted(owner[order], np.arange(len(queries) + 1))
    return RadiusNeighbors(splits, distance[order].astype(np.int32), ids[order])


def _batches(
    store: Store, queries: np.ndarray, bound: np.ndarray, k: int | None
) -> Iterator[_Hits]:
    order = np.argsort(queries[:, 0], kind="stable")
    for start in range(0, len(queries), _QUERIES):
        rows = order[start : start + _QUERIES]
        some, dead = queries[rows], store.recent.dead
        probed = probing.Probing(store.base, some, bound[rows], k, dead)
        owner, distance, row = probed.run()
        number, ids = probing.items(store.base, row, dead, k)
        more = store.recent.search(some, probed.bound, k)
        yield _Hits(
            rows,
            np.append(owner[number], more[0]),
            np.append(distance[number], more[1]),
            np.append(ids, more[2]),
            probed,
        )
