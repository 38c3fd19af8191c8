"""The items added to an index and deleted from it since its base was built, in memory."""

from __future__ import annotations

import numpy as np

from tf_discrete.codes.exact.layout import Layout
from tf_discrete.codes.exact.log import Change

_BLOCK = 1 << 16


class Recent:
    """Added items, and places of the base that are deleted.

    Attributes:
        dead: int64, ascending places in the ids of the base.
        ids: int64 [A], ascending.
        words: uint64 [A, W].
    """

    def __init__(self, layout: Layout):
        self._layout = layout
        self.dead = np.zeros(0, np.int64)
        self.ids = np.zeros(0, np.int64)
        self.words = np.zeros([0, layout.num_words], np.uint64)

    def apply(self, change: Change) -> None:
        """Makes a change."""
        self.dead = np.union1d(self.dead, change.places.astype(np.int64))
        kept = ~np.isin(self.ids, change.removed)
        ids = np.concatenate([self.ids[kept], change.ids])
        words = np.concatenate([self.words[kept], self._layout.words(change.packed)])
        order = np.argsort(ids, kind="stable")
        self.ids, self.words = ids[order], words[order]

    def search(
        self, queries: np.ndarray, bound: np.ndarray, k: int | None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Compares queries with all added items.

        Args:
            queries: uint64 [Q, W].
            bound: Greatest distance of each query, [Q].
            k: Items that are needed, the nearest and of those the ones with the lowest ids. None: all.

        Returns:
            owner: int64 [H], the query of each hit.
            distance: int32 [H].
            ids: int64 [H].
        """
        parts = [(np.zeros(0, np.int64), np.zeros(0, np.int32), np.zeros(0, np.int64))]
        for start in range(0, len(self.ids), _BLOCK):
            block, names = self.words[start : start + _BLOCK], self.ids[start : start + _BLOCK]
            for number, query in enumerate(queries):
                distance = self._layout.distances(block ^ query).astype(np.int32)
                near = np.flatnonzero(distance <= bound[number])
                if k is not None and near.size > k:
                    near = near[np.argsort(distance[near], kind="stable")[:k]]
                parts.append((np.full(len(near), number), distance[near], names[near]))
        owner, distance, ids = (np.concatenate(column) for column in zip(*parts, strict=True))
        return owner, distance, ids
