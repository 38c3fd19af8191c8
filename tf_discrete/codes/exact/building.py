"""Builds the base of an index from a stream of codes, in bounded memory."""

from __future__ import annotations

import pathlib
import tempfile
from collections.abc import Iterable, Iterator

import numpy as np

from tf_discrete._internal import checks, writing
from tf_discrete.codes.exact import balance, base
from tf_discrete.codes.exact.layout import Layout, num_substrings
from tf_discrete.codes.exact.sorting import Runs
from tf_discrete.codes.packing import bits_per_variable, bytes_per_code, check_packed, unpack
from tf_discrete.types import JsonObject

Chunk = tuple[np.ndarray, np.ndarray]
"""Ids int64 [B] and packed codes uint8 [B, bytes]."""
_BLOCK = 1 << 16


def checked(
    packed: object, num_variables: int, num_categories: int, name: str = "packed"
) -> np.ndarray:
    """Returns packed codes after a check of their sizes, of every category and of the bits that fill up a
    byte.

    Raises:
        ValueError: No packed codes of these sizes.
    """
    array = check_packed(packed, name)  # type: ignore[arg-type]
    width = bits_per_variable(num_categories)
    size = bytes_per_code(num_variables, num_categories)
    padding = 8 * size - num_variables * width
    plain = num_categories == 2**width and array.shape[1] == size
    if plain and not (array[:, -1] & ((1 << padding) - 1)).any():
        return array
    for start in range(0, max(1, len(array)), _BLOCK):  # Says what is wrong, if anything is.
        unpack(array[start : start + _BLOCK], num_variables, num_categories)
    return array


def checked_ids(ids: object, count: int, name: str = "ids") -> np.ndarray:
    """Returns ids as int64 [count], after a check.

    Raises:
        ValueError: No integers, or another number of them.
    """
    array = np.asarray(ids)
    if array.shape != (count,) or not np.issubdtype(array.dtype, np.integer):
        raise ValueError(
            f"{name} must be integers, one for each code. "
            f"Received: {name}.shape={array.shape}, {name}.dtype={array.dtype}, {count} codes"
        )
    if array.dtype == np.uint64 and count and int(array.max()) > checks.INT64_MAX:
        checks.refuse(name, f"at most {checks.INT64_MAX}", int(array.max()))
    return array.astype(np.int64, copy=False)


def check_distinct(ids: np.ndarray) -> np.ndarray:
    """Returns the ids of a change in ascending order; each must come once.

    Raises:
        ValueError: An id that comes twice.
    """
    ordered = np.sort(ids)
    same = np.flatnonzero(ordered[1:] == ordered[:-1])
    if len(same):
        checks.refuse("ids", "distinct", f"{int(ordered[same[0]])} more than once")
    return ordered


class Spool:
    """Codes and ids on disk in the order in which they came.

    Args:
        folder: Folder for the temporary files.
        num_variables: N.
        num_categories: K.
    """

    def __init__(self, folder: pathlib.Path, num_variables: int, num_categories: int):
        self._sizes = num_variables, num_categories
        self._paths = folder / "spool-codes", folder / "spool-ids"
        self._bytes = bytes_per_code(num_variables, num_categories)
        self._folder = folder
        self.count = 0

    def fill(self, chunks: Iterable[Chunk]) -> None:
        """Reads all codes.

        Raises:
            ValueError: Codes of other sizes, ids that are no integers, an id that comes twice, or no codes.
        """
        last, ascending = -(2**63), True
        with open(self._paths[0], "wb") as codes_file, open(self._paths[1], "wb") as ids_file:
            for ids, packed in chunks:
                array = checked(packed, *self._sizes)
                names = checked_ids(ids, len(array))
                if not len(array):
                    continue
                ascending &= int(names[0]) > last and bool((names[1:] > names[:-1]).all())
                last = int(names[-1])
                codes_file.write(np.ascontiguousarray(array).data)
                ids_file.write(np.ascontiguousarray(names).data)
                self.count += len(array)
        if not self.count:
            raise ValueError("An index must hold at least one code. Received: no codes")
        if not ascending:
            self._check_distinct()

    def sample(self, size: int) -> np.ndarray:
        """Returns codes at even distances, int [size at most, N]."""
        codes, _ = self._arrays()
        chosen = codes[:: max(1, -(-self.count // size))]
        return unpack(chosen, *self._sizes)

    def chunks(self, size: int) -> Iterator[Chunk]:
        """Yields all ids and codes again, then removes the files."""
        codes, ids = self._arrays()
        for start in range(0, self.count, size):
            yield np.asarray(ids[start : start + size]), np.asarray(codes[start : start + size])
        del codes, ids
        for path in self._paths:
            path.unlink()

    def _arrays(self) -> tuple[np.ndarray, np.ndarray]:
        return (
            np.memmap(self._paths[0], np.uint8, "r", shape=(self.count, self._bytes)),
            np.memmap(self._paths[1], np.int64, "r", shape=(self.count,)),
        )

    def _check_distinct(self) -> None:
        """Refuses an id that comes twice; the ids are sorted in a file."""
        path = self._folder / "sorted-ids"
        path.write_bytes(b"")
        sorted_ids = np.memmap(path, np.int64, "w+", shape=(self.count,))
        sorted_ids[:] = self._arrays()[1]
        sorted_ids.sort()
        for start in range(0, self.count - 1, 1 << 22):
            part = sorted_ids[start : start + (1 << 22) + 1]
            same = np.flatnonzero(part[1:] == part[:-1])
            if same.size:
                raise ValueError(
                    "Each id must come once. Give the items ids of their own. "
                    f"Received: id {int(part[same[0]])} more than once"
                )
        del sorted_ids
        path.unlink()


def build(
    folder: pathlib.Path,
    chunks: Iterable[Chunk],
    num_variables: int,
    num_categories: int,
    memory_codes: int,
) -> tuple[Layout, JsonObject, tuple[int, int]]:
    """Writes the files of a base.

    Args:
        folder: An existing, empty folder.
        chunks: Ids and packed codes.
        num_variables: N.
        num_categories: K.
        memory_codes: Codes that are sorted in memory at once.

    Returns:
        layout: How codes lie in words, balanced for these codes.
        files: Sizes and types of the files.
        range: The least and the greatest id.

    Raises:
        OSError: No permission, or no space.
        ValueError: As `Spool.fill`.
    """
    with writing.naming(folder), tempfile.TemporaryDirectory(dir=folder) as temporary:
        spool = Spool(pathlib.Path(temporary), num_variables, num_categories)
        spool.fill(chunks)
        substrings = num_substrings(num_variables, num_categories, spool.count)
        layout = Layout(
            num_variables,
            num_categories,
            *balance.balanced_order(spool.sample(balance.SAMPLE), substrings),
        )
        runs = Runs(pathlib.Path(temporary), layout.num_words, memory_codes)
        lowest, highest = 2**63 - 1, -(2**63)
        for ids, packed in spool.chunks(memory_codes):
            runs.add(layout.words(packed), ids)
            lowest, highest = min(lowest, int(ids.min())), max(highest, int(ids.max()))
        return layout, base.write(folder, layout, runs), (lowest, highest)
