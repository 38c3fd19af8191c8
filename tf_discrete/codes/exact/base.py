"""The files of an index that never change: sorted distinct codes, their ids, a table for each substring."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Iterable

import numpy as np

from tf_discrete._internal import reading
from tf_discrete.codes.exact.layout import Layout
from tf_discrete.codes.exact.sorting import Runs
from tf_discrete.types import JsonObject

EXPECTED = "a file of an exact index, as ExactIndex.build has written it"
REMEDY = "Build the index again."
_BLOCK = 1 << 22
_MAX_DISTINCT = 2**32 - 1


@dataclasses.dataclass(frozen=True)
class Base:
    """Arrays, mapped from files.

    Attributes:
        layout: How codes lie in words.
        words: uint64 [D, W], the distinct codes in ascending order.
        splits: uint32 or uint64 [D + 1]; code d has the ids splits[d] to splits[d + 1].
        ids: int64 [M], ascending for each code.
        offsets: For each substring uint32 [2**key_bits + 1], where the rows of each key begin.
        rows: For each substring but the first uint32 [D], rows of `words` by ascending key; the rows of the
            first are in order already.
    """

    layout: Layout
    words: np.ndarray
    splits: np.ndarray
    ids: np.ndarray
    offsets: tuple[np.ndarray, ...]
    rows: tuple[np.ndarray, ...]

    @property
    def num_distinct(self) -> int:
        """D."""
        return len(self.words)

    def bucket_rows(self, table: int, places: np.ndarray) -> np.ndarray:
        """Returns rows of `words` at places of a table."""
        return places if table == 0 else self.rows[table - 1][places]

    def rows_of(self, places: np.ndarray) -> np.ndarray:
        """Returns the rows of `words` of places in `ids`."""
        return np.searchsorted(self.splits, places, side="right") - 1


def write(folder: pathlib.Path, layout: Layout, runs: Runs) -> JsonObject:
    """Writes the files of a base, in memory bounded by the codes of a run.

    Args:
        folder: An existing folder.
        layout: How codes lie in words.
        runs: All codes.

    Returns:
        The sizes and types of the files, for `read`.

    Raises:
        ValueError: More than 2**32 - 1 distinct codes.
    """
    count, distinct = len(runs), 0
    splits_type = "<u4" if count < 2**32 else "<u8"
    counts = [np.zeros(2**bits, np.int64) for bits in layout.key_bits]
    with (
        open(folder / "words.bin", "wb") as words_file,
        open(folder / "ids.bin", "wb") as ids_file,
        open(folder / "splits.bin", "wb") as splits_file,
    ):
        seen = 0
        for words, ids in runs.merged():
            new = np.append(True, (words[1:] != words[:-1]).any(axis=1))
            first = np.flatnonzero(new)
            codes = np.ascontiguousarray(words[first])
            words_file.write(codes.astype("<u8", copy=False).data)
            ids_file.write(ids.astype("<i8", copy=False).data)
            splits_file.write((seen + first).astype(splits_type).data)
            for table, total in enumerate(counts):
                total += np.bincount(layout.keys(codes, table), minlength=len(total))
            seen, distinct = seen + len(ids), distinct + len(first)
            if distinct > _MAX_DISTINCT:
                raise ValueError(
                    f"An index holds at most {_MAX_DISTINCT} distinct codes. Build several. "
                    f"Received: {distinct} distinct codes"
                )
        splits_file.write(np.array([seen], splits_type).data)
    files: JsonObject = {
        "words.bin": ["<u8", [distinct, layout.num_words]],
        "ids.bin": ["<i8", [count]],
        "splits.bin": [splits_type, [distinct + 1]],
    }
    all_words = np.memmap(folder / "words.bin", "<u8", "r", shape=(distinct, layout.num_words))
    for table, total in enumerate(counts):
        offsets = np.append(0, np.cumsum(total))
        offsets.astype("<u4").tofile(folder / f"offsets-{table}.bin")
        files[f"offsets-{table}.bin"] = ["<u4", [len(offsets)]]
        if table:
            _write_rows(folder / f"rows-{table}.bin", layout, table, all_words, offsets[:-1])
            files[f"rows-{table}.bin"] = ["<u4", [distinct]]
    return files


def _write_rows(
    path: pathlib.Path, layout: Layout, table: int, words: np.ndarray, offsets: np.ndarray
) -> None:
    """Sorts the rows by key, stably: each block is sorted and put where its keys go on."""
    rows = np.memmap(path, "<u4", "w+", shape=(len(words),))
    following = offsets.copy()
    for start in range(0, len(words), _BLOCK):
        keys = layout.keys(words[start : start + _BLOCK], table)
        order = np.argsort(keys, kind="stable")
        keys = keys[order]
        begins = np.flatnonzero(np.append(True, keys[1:] != keys[:-1]))
        lengths = np.diff(np.append(begins, len(keys)))
        within = np.arange(len(keys)) - np.repeat(begins, lengths)
        rows[following[keys] + within] = (order + start).astype(np.uint32)
        following[keys[begins]] += lengths
    rows.flush()


def read(folder: pathlib.Path, layout: Layout, files: JsonObject) -> Base:
    """Maps the files of a base; each must have the size that the manifest says.

    Raises:
        DamagedFileError: A file of another size.
        FileNotFoundError: A file is missing.
    """
    arrays = {name: _mapped(folder / name, *entry) for name, entry in files.items()}
    tables = range(len(layout.lengths))
    with reading.reading(folder, EXPECTED, REMEDY):
        return Base(
            layout,
            arrays["words.bin"],
            arrays["splits.bin"],
            arrays["ids.bin"],
            tuple(arrays[f"offsets-{table}.bin"] for table in tables),
            tuple(arrays[f"rows-{table}.bin"] for table in tables[1:]),
        )


def names(layout: Layout) -> Iterable[str]:
    """Returns the names of the files of a base."""
    yield from ("words.bin", "ids.bin", "splits.bin")
    for table in range(len(layout.lengths)):
        yield f"offsets-{table}.bin"
        if table:
            yield f"rows-{table}.bin"


def _mapped(path: pathlib.Path, dtype: str, shape: list[int]) -> np.ndarray:
    size = reading.check_regular(path, EXPECTED, REMEDY)
    expected = np.dtype(dtype).itemsize * int(np.prod(shape, dtype=object))
    if size != expected:
        raise reading.damaged(path, EXPECTED, REMEDY, f"{size} bytes instead of {expected}")
    with reading.reading(path, EXPECTED, REMEDY):
        return np.memmap(path, dtype, "r", shape=tuple(shape)).view(np.ndarray)
