"""`ExactIndex`: exact search among up to billions of codes in files, with a certificate."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import keras
import numpy as np
from numpy.typing import ArrayLike

from tf_discrete._internal import checks, writing
from tf_discrete.codes.digest import digest_of
from tf_discrete.codes.exact import building, log, searching
from tf_discrete.codes.exact.duplicate_report import DuplicateReport, duplicate_report
from tf_discrete.codes.exact.searching import ExactNeighbors
from tf_discrete.codes.exact.sorting import RUN
from tf_discrete.codes.exact.store import Store, replacing, write_generation
from tf_discrete.codes.hamming import RadiusNeighbors, check_k, check_queries
from tf_discrete.codes.packing import bytes_per_code, check_packed
from tf_discrete.export.manifest import check_json

_PACKED = "an array uint8 [M, bytes], or an iterable of pairs of arrays (ids, packed)"


class ExactIndex:
    """Packed codes in a folder, searched exactly by multi-index hashing without reading all of them.

    The variables of a code are divided into substrings, and a table for each substring lists the codes by
    it. A query reads the buckets around its own substrings until no code can be left that is nearer
    than its k-th neighbour; where the buckets would take longer than a scan, all codes are compared. Both
    are exact. The files are mapped into memory, so the index may be larger than it, and several processes
    share them.

    Items are added and deleted without building the index again: a change is a record in a log, on the disk
    when the method returns, there as a whole or not at all after a kill. `compact` merges the log into the
    tables. One process writes at a time, and any number read; a reader sees the state that it has opened.

    Distances are numbers of differing variables, also of more than 2 categories. Codes are the bytes of
    `pack`.

    Example:
        >>> import tempfile
        >>> from tf_discrete.codes import pack
        >>> folder = tempfile.mkdtemp() + "/index"
        >>> packed = pack([[0, 2, 1], [2, 2, 1], [0, 0, 0]], num_categories=3)
        >>> index = ExactIndex.build(folder, packed, num_variables=3, num_categories=3)
        >>> index.add(pack([[0, 2, 2]], num_categories=3), ids=[7])
        >>> index.delete([1])
        >>> found = index.search(pack([[0, 2, 2]], num_categories=3), k=2)
        >>> found.ids.tolist(), found.distances.tolist(), bool((found.radius >= 1).all())
        ([[7, 0]], [[0, 1]], True)

    Reference:
        Norouzi, Punjani, Fleet. Fast exact search in Hamming space with multi-index hashing. 2014.
        arXiv:1307.2982.
    """

    def __init__(self, path: str | os.PathLike[str]):
        """Opens an index; `open` is the same with a check of all bytes."""
        self._store = Store(writing.expand(path))

    @classmethod
    def build(
        cls,
        path: str | os.PathLike[str],
        packed: ArrayLike | Iterable[building.Chunk],
        num_variables: int,
        num_categories: int = 2,
        *,
        ids: ArrayLike | None = None,
        model: keras.Model | str | None = None,
        metadata: Mapping[str, Any] | None = None,
        overwrite: bool = False,
        memory_codes: int = RUN,
    ) -> ExactIndex:
        """Writes an index, atomically, in memory bounded by `memory_codes`.

        Args:
            path: Path of the folder.
            packed: Array uint8 [M, bytes], the bytes of `pack`; or an iterable of pairs (ids int64 [B],
                packed uint8 [B, bytes]), of which one is in memory at a time.
            num_variables: N.
            num_categories: K. Default: 2.
            ids: int64 [M], distinct; only for an array. Default: 0..M-1.
            model: The model whose codes these are, or its `model_digest`. Default: not known.
            metadata: What JSON holds, for the user. Default: none.
            overwrite: Bool, whether to replace an index at the path. Objects that have it open still read it,
                and refuse to change it. Default: False.
            memory_codes: Codes that are sorted in memory at once. Default: 2**22.

        Raises:
            FileExistsError: Something is at the path already.
            InUseError: Another process is writing the index that is to be replaced.
            OSError: No permission, or no space.
            ValueError: No codes, codes of other sizes, or an id that comes twice.
        """
        num_variables = checks.whole("num_variables", num_variables)
        num_categories = checks.whole("num_categories", num_categories, lowest=2)
        memory_codes = checks.whole("memory_codes", memory_codes)
        checks.optional(checks.instance, "metadata", metadata, Mapping, "a dictionary")
        metadata = dict(metadata or {})
        check_json(metadata, "metadata")
        digest = None if model is None else digest_of(model)
        chunks = _chunks(packed, ids)
        with replacing(writing.expand(path), overwrite) as folder:
            write_generation(
                folder,
                chunks,
                (num_variables, num_categories),
                memory_codes,
                build=uuid.uuid4().hex,
                generation=1,
                model=digest,
                metadata=metadata,
            )
        return cls(path)

    @classmethod
    def open(cls, path: str | os.PathLike[str], verify: bool = False) -> ExactIndex:
        """Opens an index.

        Args:
            path: Path of the folder.
            verify: Bool, whether to read all bytes and compare their checksums; the sizes of all files and
                the log are checked in any case. Default: False.

        Raises:
            FileNotFoundError: No index there.
            ValueError: A file that is truncated, changed or of another version.
        """
        index = cls(path)
        if checks.flag("verify", verify):
            index._store.verify()
        return index

    def __len__(self) -> int:
        return (
            len(self._store.base.ids) - len(self._store.recent.dead) + len(self._store.recent.ids)
        )

    @property
    def num_variables(self) -> int:
        """N."""
        return self._store.base.layout.num_variables

    @property
    def num_categories(self) -> int:
        """K."""
        return self._store.base.layout.num_categories

    @property
    def model(self) -> str | None:
        """The digest of the model whose codes these are, or None."""
        return self._store.manifest.model

    @property
    def metadata(self) -> dict[str, Any]:
        """The metadata that `build` was given."""
        return dict(self._store.manifest.metadata)

    @property
    def num_bytes(self) -> int:
        """Bytes of all files."""
        return sum(file.stat().st_size for file in self._store.path.rglob("*") if file.is_file())

    @property
    def num_recent(self) -> int:
        """Items that were added or deleted since the last `build` or `compact`: each query reads them all."""
        return len(self._store.recent.ids) + len(self._store.recent.dead)

    def search(self, packed: ArrayLike, k: int) -> ExactNeighbors:
        """Returns the k nearest items of each code.

        Args:
            packed: uint8 [Q, bytes], the bytes of `pack`. Many at once take less time each.
            k: 1 to the number of items.

        Raises:
            ValueError: No query, k out of range, or codes of other sizes.
        """
        k = check_k(checks.whole("k", k), len(self))
        return searching.nearest(self._store, self._queries(packed), k)

    def search_radius(self, packed: ArrayLike, radius: int) -> RadiusNeighbors:
        """Returns all items that differ from a code in at most `radius` variables; `indices` are ids.

        Args:
            packed: uint8 [Q, bytes].
            radius: Variables, >= 0; 0 finds equal codes.

        Raises:
            ValueError: No query, a negative radius, or codes of other sizes.
        """
        radius = min(checks.whole("radius", radius, lowest=0), self.num_variables)
        return searching.within(self._store, self._queries(packed), radius)

    def near_duplicates(self, radius: int, max_pairs: int = 10_000) -> DuplicateReport:
        """Counts all items that share a code and all pairs of codes within a radius, in bounded memory.

        Args:
            radius: Variables in which two codes may differ, >= 0.
            max_pairs: Pairs, and groups of equal codes, that are listed; all are counted. Default: 10000.

        Raises:
            ValueError: A negative radius, or items were added or deleted and `compact` was not called since.
        """
        if self.num_recent:
            raise ValueError(
                "Near duplicates are counted in the tables. Call compact() first. "
                f"Received: {self.num_recent} items added or deleted since"
            )
        return duplicate_report(self._store.base, radius, max_pairs)

    def add(self, packed: ArrayLike, ids: ArrayLike, replace: bool = False) -> None:
        """Adds items; all of them are on the disk when the method returns, or none is there.

        Ids beyond those of the tables are added at once; for others, all ids are read to see if they are
        new.

        Args:
            packed: uint8 [A, bytes], the bytes of `pack`.
            ids: int64 [A], distinct.
            replace: Bool, whether an item that is there already gets the new code. Default: False.

        Raises:
            InUseError: Another process is writing the index.
            OSError: No permission, or no space; the index is as it was.
            ValueError: Codes of other sizes, or an id that is there already.
        """
        replace = checks.flag("replace", replace)
        array = building.checked(packed, self.num_variables, self.num_categories)
        names = building.checked_ids(ids, len(array))
        ordered = building.check_distinct(names)
        with self._store.writing():
            places, removed = self._store.find(ordered)
            if len(places) + len(removed) and not replace:
                present = np.append(self._store.base.ids[places], removed)
                raise ValueError(
                    "An id must be new. Choose others, or give replace=True. "
                    f"Received: {len(present)} ids that are there already, such as {int(present[0])}"
                )
            self._store.append(log.Change(places, removed, names, array))

    def delete(self, ids: ArrayLike) -> None:
        """Deletes items; all of them are gone from the disk's state when the method returns, or none is.

        All ids of the index are read to find them.

        Args:
            ids: int64 [D], distinct, all of them in the index.

        Raises:
            InUseError: Another process is writing the index.
            OSError: No permission, or no space; the index is as it was.
            ValueError: An id that is not there.
        """
        names = building.check_distinct(building.checked_ids(ids, len(np.asarray(ids))))
        with self._store.writing():
            places, removed = self._store.find(names)
            present = np.append(self._store.base.ids[places], removed)
            missing = np.setdiff1d(names, present)
            if len(missing):
                raise ValueError(
                    "Only ids of the index can be deleted. Leave the others out. "
                    f"Received: {len(missing)} ids that are not there, such as {int(missing[0])}"
                )
            size = bytes_per_code(self.num_variables, self.num_categories)
            nothing = np.zeros(0, np.int64), np.zeros([0, size], np.uint8)
            self._store.append(log.Change(places, removed, *nothing))

    def compact(self, memory_codes: int = RUN) -> None:
        """Builds the tables again with what was added and without what was deleted, and empties the log.

        Readers go on with the state that they have opened. A kill at any moment leaves the old state or
        the new one.

        Args:
            memory_codes: Codes that are sorted in memory at once. Default: 2**22.

        Raises:
            InUseError: Another process is writing the index.
            OSError: No permission, or no space; the index is as it was.
            ValueError: All items were deleted.
        """
        memory_codes = checks.whole("memory_codes", memory_codes)
        with self._store.writing():
            self._store.replace(self.items(memory_codes), memory_codes)

    def items(self, size: int = 1 << 20) -> Iterator[building.Chunk]:
        """Yields all items as pairs of ids int64 [B] and packed codes uint8 [B, bytes], in no order of ids.

        Args:
            size: B, most items at once. Default: 2**20.
        """
        return self._store.items(checks.whole("size", size))

    def check_model(self, model: keras.Model | str) -> None:
        """Refuses codes of another model than the one whose codes these are.

        Args:
            model: A model, or its `model_digest`, which is in the manifest of an export, too.

        Raises:
            ValueError: Another model; nothing is refused by an index that does not know its model.
        """
        digest = digest_of(model)
        if self.model not in (None, digest):
            raise ValueError(
                "The codes must be those of the model of the index; codes of another one mean something "
                "else. Build an index for this model. "
                f"Received: a model with digest {digest[:12]}, an index of {str(self.model)[:12]}"
            )

    def _queries(self, packed: ArrayLike) -> np.ndarray:
        array = check_packed(packed, "packed")
        check_queries(array)
        return self._store.base.layout.words(
            building.checked(array, self.num_variables, self.num_categories)
        )


def _pair(chunk: object) -> building.Chunk:
    """Returns a chunk; a nested list, whose rows could be taken for chunks, is refused."""
    if not isinstance(chunk, (tuple, list)) or len(chunk) != 2 or not hasattr(chunk[1], "dtype"):
        checks.refuse("packed", _PACKED, chunk)
    return chunk[0], chunk[1]


def _chunks(
    packed: ArrayLike | Iterable[building.Chunk], ids: ArrayLike | None
) -> Iterable[building.Chunk]:
    """The chunks of an array, or those given."""
    if not hasattr(packed, "dtype"):
        if ids is not None:
            checks.refuse("ids", "None where packed is an iterable of (ids, packed)", ids)
        if not isinstance(packed, Iterable):
            checks.refuse("packed", _PACKED, packed)
        return map(_pair, packed)
    array = check_packed(packed, "packed")  # type: ignore[arg-type]
    names = np.arange(len(array)) if ids is None else building.checked_ids(ids, len(array))
    size = 1 << 20
    return (
        (names[start : start + size], array[start : start + size])
        for start in range(0, len(array), size)
    )
