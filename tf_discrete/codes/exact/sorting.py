"""Sorts more codes than fit into memory: sorted runs on disk, merged range by range."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator

import numpy as np

RUN = 1 << 22
"""Codes that are sorted in memory at once; the default."""


class Runs:
    """Codes and ids on disk, in runs that are sorted by code and then by id.

    Args:
        folder: An existing folder for the temporary files.
        num_words: Words of a code.
        run: Codes of a run. Default: 2**22, which takes some 300 MB while it is sorted.
    """

    def __init__(self, folder: pathlib.Path, num_words: int, run: int = RUN):
        self._paths = folder / "runs-words", folder / "runs-ids"
        self._files = [open(path, "wb") for path in self._paths]
        self._num_words, self._run = num_words, run
        self._ends = [0]

    def __len__(self) -> int:
        return self._ends[-1]

    def add(self, words: np.ndarray, ids: np.ndarray) -> None:
        """Writes one run.

        Args:
            words: uint64 [B, W], B at most the codes of a run.
            ids: int64 [B].
        """
        order = sorted_order(words, ids)
        self._files[0].write(np.ascontiguousarray(words[order]).data)
        self._files[1].write(np.ascontiguousarray(ids[order]).data)
        self._ends.append(len(self) + len(ids))

    def merged(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yields words and ids by ascending code and then id; equal codes come in the same part.

        A part has about the codes of one run, or all that share their first word where those are more.
        """
        for file in self._files:
            file.close()
        if not len(self):
            return
        words = np.memmap(self._paths[0], np.uint64, "r", shape=(len(self), self._num_words))
        ids = np.memmap(self._paths[1], np.int64, "r", shape=(len(self),))
        pieces = list(zip(self._ends, self._ends[1:], strict=False))
        firsts = [words[start:end, 0] for start, end in pieces]
        places = np.array([start for start, _ in pieces])
        for splitter in self._splitters(firsts):
            ends = np.array(
                [
                    start + np.searchsorted(first, splitter, side="right")
                    for (start, _), first in zip(pieces, firsts, strict=True)
                ]
            )
            ranges = [slice(a, b) for a, b in zip(places, ends, strict=True) if a < b]
            places = ends
            if ranges:
                some = np.concatenate([words[part] for part in ranges])
                names = np.concatenate([ids[part] for part in ranges])
                order = sorted_order(some, names)
                yield some[order], names[order]
        del words, ids
        for path in self._paths:
            path.unlink()

    def _splitters(self, firsts: list[np.ndarray]) -> np.ndarray:
        """Values of the first word between which about as many codes lie as a run has."""
        every = max(1, self._run // 1024)
        sample = np.sort(np.concatenate([np.asarray(first[::every]) for first in firsts]))
        chosen = sample[:: max(1, self._run // every)][1:]
        return np.unique(np.append(chosen, np.uint64(2**64 - 1)))


def sorted_order(words: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """Returns the order by word, the first one first, and then by id."""
    if words.shape[1] == 1 and bool((ids[1:] > ids[:-1]).all()):
        return np.argsort(words[:, 0], kind="stable")
    return np.lexsort([ids, *words.T[::-1]])
