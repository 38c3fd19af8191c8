"""`CodeStore`: what all stores have in common, and how their answers become exact and ordered."""

from __future__ import annotations

import abc
import contextlib

import numpy as np
from numpy.typing import ArrayLike

from tf_discrete._internal import checks
from tf_discrete.codes.code_files import CodeFiles, CodeLayout, layout_of
from tf_discrete.codes.exact.building import check_distinct, checked, checked_ids
from tf_discrete.codes.hamming import Neighbors, check_k, check_queries
from tf_discrete.codes.packing import pack_one_hot, unpack


class CodeStore(abc.ABC):
    """Packed codes by id in a store; all of them find the same neighbours, by distance and then by id.

    A store that orders equally distant items as it likes is asked for more of them, until all items at the
    k-th distance are there.

    Args:
        layout: What the bytes of the codes mean.

    Attributes:
        layout: What the bytes of the codes mean; of a table that was there, what is stored with it.
        num_bits: Bits that the store compares: N, or N * K for more than 2 categories.
    """

    def __init__(self, layout: CodeLayout):
        self.layout = layout
        self._bits = 1 if layout.num_categories == 2 else 2
        self.num_bits = layout.num_variables * (1 if self._bits == 1 else layout.num_categories)

    def fill(self, files: CodeFiles, size: int = 1 << 16) -> None:
        """Adds all codes of Parquet files, `size` at once.

        A store on disk goes on after a kill: items that are there already stay as they are.

        Raises:
            ValueError: Codes of other sizes, or of another model.
        """
        same = files.layout[:2] == self.layout[:2]
        if not same or (self.layout.model and files.layout.model != self.layout.model):
            raise ValueError(
                "The files must hold codes as the store does, of the same model. "
                f"Received: files of {tuple(files.layout)}, a store of {tuple(self.layout)}"
            )
        for batch in files.batches(size, ("labels",)):
            self.add(batch.packed, batch.ids, batch.labels)

    def add(self, packed: ArrayLike, ids: ArrayLike, labels: ArrayLike | None = None) -> None:
        """Adds items.

        Args:
            packed: uint8 [A, bytes], the bytes of `pack`.
            ids: int64 [A], >= 0, distinct. LanceDB and PostgreSQL leave an item that is there as it is; in
                the other stores ids must be new.
            labels: int64 [A]; kept by LanceDB and PostgreSQL. Default: none.

        Raises:
            ValueError: Codes of other sizes, or an id that is negative or comes twice.
        """
        bytes_, names, given = self._checked(packed, ids, labels)
        if len(names):
            self._add(bytes_, names, given)

    def update(self, packed: ArrayLike, ids: ArrayLike, labels: ArrayLike | None = None) -> None:
        """Gives items other codes, after a check of all of them.

        Args:
            packed: uint8 [A, bytes], the bytes of `pack`.
            ids: int64 [A], >= 0, distinct. PostgreSQL ignores those that are not there, the other stores add
                them.
            labels: int64 [A]; kept by LanceDB and PostgreSQL. Default: none.

        Raises:
            ValueError: Codes of other sizes, or an id that is negative or comes twice.
        """
        bytes_, names, given = self._checked(packed, ids, labels)
        if len(names):
            self._update(bytes_, names, given)

    def delete(self, ids: ArrayLike) -> None:
        """Deletes items; ids that are not there are ignored.

        Args:
            ids: int64 [D].
        """
        array = np.asarray(ids)
        if array.size:
            self._delete(checked_ids(array, array.size))

    @abc.abstractmethod
    def __len__(self) -> int:
        """The number of items."""

    def search(self, packed: ArrayLike, k: int) -> Neighbors:
        """Returns the k nearest items of each code, exactly; `indices` are ids.

        Args:
            packed: uint8 [Q, bytes], the bytes of `pack`.
            k: 1 to the number of items.

        Raises:
            ValueError: No query, k out of range, or codes of other sizes.
        """
        queries, size = self._to_compare(packed), len(self)
        check_queries(queries)
        k = check_k(checks.whole("k", k), size)
        found = Neighbors(
            np.empty([len(queries), k], np.int32), np.empty([len(queries), k], np.int64)
        )
        asked, pending = min(size, 2 * k + 8), np.arange(len(queries))
        while pending.size:
            distances, ids = self._search(queries[pending], asked)
            order = np.lexsort([ids, distances], axis=1)[:, :k]
            nearest = np.take_along_axis(distances, order, axis=1)
            found.distances[pending] = nearest // self._bits
            found.indices[pending] = np.take_along_axis(ids, order, axis=1)
            # Where the last is as far as the k-th, others of this distance may be left out.
            ties = distances.max(axis=1) == nearest[:, -1]
            pending = pending[ties & (asked < size)]
            asked = min(size, 4 * asked)
        return found

    def _take_layout(self, stored: str | bytes | None, table: str) -> None:
        """Takes the layout that is stored with a table.

        Raises:
            ValueError: The codes of the table are others, or their layout is not stored.
        """
        found: CodeLayout | None = None
        with contextlib.suppress(KeyError, TypeError, ValueError):
            found = layout_of(stored or "")
        sizes, model = self.layout[:2], self.layout.model
        if found is None or found[:2] != sizes or model not in (None, found.model):
            raise ValueError(
                "A table must hold codes of this layout and model, as this store writes them. Choose another "
                f"table. Received: table={table!r} of {found}, opened for {self.layout}"
            )
        self.layout = found

    def _checked(
        self, packed: ArrayLike, ids: ArrayLike, labels: ArrayLike | None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """Bytes to compare, ids and labels of items, after a check."""
        bytes_ = self._to_compare(packed)
        names = checked_ids(ids, len(bytes_))
        check_distinct(names)
        if len(names) and int(names.min()) < 0:
            checks.refuse("ids", "at least 0", int(names.min()))
        return bytes_, names, None if labels is None else checked_ids(labels, len(bytes_), "labels")

    def _update(self, packed: np.ndarray, ids: np.ndarray, labels: np.ndarray | None) -> None:
        """Gives items other bytes to compare."""
        self._delete(ids)
        self._add(packed, ids, labels)

    @abc.abstractmethod
    def _delete(self, ids: np.ndarray) -> None:
        """Deletes items, int64 [D]; ids that are not there are ignored."""

    @abc.abstractmethod
    def _add(self, packed: np.ndarray, ids: np.ndarray, labels: np.ndarray | None) -> None:
        """Adds bytes to compare, uint8 [A, ceil(num_bits / 8)]."""

    @abc.abstractmethod
    def _search(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns distances and ids [Q, k] of the k nearest, in any order."""

    def _to_compare(self, packed: ArrayLike) -> np.ndarray:
        sizes = self.layout[:2]
        array = checked(packed, *sizes)
        return array if self._bits == 1 else pack_one_hot(unpack(array, *sizes), sizes[1])
