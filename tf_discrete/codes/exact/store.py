"""The folder of an exact index: generations of files, the log of the current one, and who may write."""

from __future__ import annotations

import contextlib
import os
import pathlib
import re
import shutil
from collections.abc import Iterable, Iterator

import numpy as np

from tf_discrete._internal import checks, locking, reading, writing
from tf_discrete.codes.digest import file_digest
from tf_discrete.codes.exact import base as base_files
from tf_discrete.codes.exact import building, index_manifest, log
from tf_discrete.codes.exact.recent import Recent
from tf_discrete.codes.packing import bytes_per_code
from tf_discrete.types import JsonObject

_PLACES = 1 << 20
_OWN = re.compile(r"(base|log)-\d{6}(\.bin)?")


class Store:
    """The state of an index that was read from its folder.

    Args:
        path: The folder.

    Attributes:
        path: The folder.
        manifest: The manifest that was read.
        base: The files of its generation.
        recent: What its log holds.

    Raises:
        DamagedFileError: A file that is truncated, changed or of another version.
        FileNotFoundError: No index there.
    """

    def __init__(self, path: pathlib.Path):
        self.path = path
        self.manifest: index_manifest.Manifest
        self.base: base_files.Base
        self.recent: Recent
        self._end = 0
        self._load()

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Keeps other writers away and reads what they have written before.

        Raises:
            InUseError: Another process is writing the index.
            ValueError: The index was built again since it was opened.
        """
        with locking.lock(self.path):
            self._refresh()
            yield

    def append(self, change: log.Change) -> None:
        """Makes a change, on the disk first."""
        self._end = log.append(self._log(), self._end, change)
        self.recent.apply(change)

    def replace(self, chunks: Iterable[building.Chunk], memory_codes: int) -> None:
        """Writes the next generation, makes it the current one and removes all others."""
        self._sweep()
        layout, manifest = self.base.layout, self.manifest
        write_generation(
            self.path,
            chunks,
            (layout.num_variables, layout.num_categories),
            memory_codes,
            build=manifest.build,
            generation=manifest.generation + 1,
            model=manifest.model,
            metadata=manifest.metadata,
        )
        self._load()
        self._sweep()

    def items(self, size: int) -> Iterator[building.Chunk]:
        """Yields all live items, at most `size` at once."""
        base, recent = self.base, self.recent
        for start in range(0, len(base.ids), size):
            places = np.arange(start, min(start + size, len(base.ids)))
            places = np.setdiff1d(places, recent.dead, assume_unique=True)
            words = base.words[base.rows_of(places)]
            yield np.asarray(base.ids[places]), base.layout.packed(words)
        for start in range(0, len(recent.ids), size):
            part = slice(start, start + size)
            yield recent.ids[part], base.layout.packed(recent.words[part])

    def find(self, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns which items are there.

        Args:
            ids: int64, ascending.

        Returns:
            places: int64, ascending places of live items in the ids of the base.
            recent: int64, ids of those that were added since.
        """
        recent = np.intersect1d(ids, self.recent.ids)
        lowest, highest = self.manifest.id_range
        wanted = ids[(ids >= lowest) & (ids <= highest)]
        parts = [np.zeros(0, np.int64)]
        for start in range(0, len(self.base.ids) if len(wanted) else 0, _PLACES):
            block = self.base.ids[start : start + _PLACES]
            place = np.minimum(np.searchsorted(wanted, block), len(wanted) - 1)
            parts.append(start + np.flatnonzero(wanted[place] == block))
        places = np.setdiff1d(np.concatenate(parts), self.recent.dead, assume_unique=True)
        return places, recent

    def verify(self) -> None:
        """Reads all files of the base and compares their checksums.

        Raises:
            DamagedFileError: A file was changed.
        """
        for name, expected in self.manifest.checksums.items():
            file = self._folder() / name
            if file_digest(file) != expected:
                reason = "its checksum is not that of the manifest"
                raise reading.damaged(file, base_files.EXPECTED, base_files.REMEDY, reason)

    def _folder(self) -> pathlib.Path:
        return self.path / f"base-{self.manifest.generation:06d}"

    def _log(self) -> pathlib.Path:
        return self.path / f"log-{self.manifest.generation:06d}.bin"

    def _load(self) -> None:
        """Reads one state of the folder, also while another process compacts or replaces the index."""
        reading.read_folder(self.path, lambda _: self._read())

    def _read(self) -> None:
        """Reads the manifest, maps the base and reads the log."""
        while True:
            manifest = index_manifest.read(self.path)
            self.manifest = manifest
            try:
                self.base = base_files.read(self._folder(), manifest.layout, manifest.files)
                self._read_log()
                return
            except FileNotFoundError as error:
                if index_manifest.read(self.path) == manifest:
                    file = getattr(error.__cause__, "filename", None) or self._folder()
                    raise reading.damaged(
                        file, base_files.EXPECTED, base_files.REMEDY, "it is missing"
                    ) from error

    def _read_log(self) -> None:
        layout = self.base.layout
        size = bytes_per_code(layout.num_variables, layout.num_categories)
        changes, self._end = log.read(self._log(), size)
        self.recent = Recent(layout)
        for change in changes:
            self.recent.apply(change)

    def _refresh(self) -> None:
        """Reads what other processes have written meanwhile; called by the one that holds the lock."""
        found = index_manifest.read(self.path)
        if found.build != self.manifest.build:
            raise ValueError(
                "An index is changed by the object that has opened it. Open the index again: it was built "
                f"again meanwhile. Received: path={str(self.path)!r}"
            )
        if found.generation != self.manifest.generation:
            self._load()
        elif self._log().stat().st_size != self._end:
            self._read_log()

    def _sweep(self) -> None:
        """Removes the files of other generations, which a compaction leaves, done or killed."""
        current = {self._folder().name, self._log().name}
        for entry in os.scandir(self.path):
            if _OWN.fullmatch(entry.name) and entry.name not in current:
                if entry.is_dir(follow_symlinks=False):
                    shutil.rmtree(entry.path, ignore_errors=True)
                else:
                    os.unlink(entry.path)


@contextlib.contextmanager
def replacing(path: pathlib.Path, overwrite: bool) -> Iterator[pathlib.Path]:
    """Yields a folder for an index that takes the place of `path`; meanwhile nobody changes an index there.

    Raises:
        FileExistsError: Something is at the path already, and it may not or must not be replaced.
        InUseError: Another process is writing the index at the path.
    """
    with writing.naming(path):
        replaced = checks.flag("overwrite", overwrite) and is_index(path)
    with (
        locking.lock(path) if replaced else contextlib.nullcontext(),
        writing.new_path(path, overwrite, ours=is_index, kind="code index") as folder,
    ):
        folder.mkdir()
        yield folder


def write_generation(
    path: pathlib.Path,
    chunks: Iterable[building.Chunk],
    sizes: tuple[int, int],
    memory_codes: int,
    *,
    build: str,
    generation: int,
    model: str | None,
    metadata: JsonObject,
) -> None:
    """Writes a base and an empty log, and then the manifest that makes them current."""
    folder = path / f"base-{generation:06d}"
    folder.mkdir()
    layout, files, id_range = building.build(folder, chunks, *sizes, memory_codes)
    checksums = {name: file_digest(folder / name) for name in files}
    (path / f"log-{generation:06d}.bin").write_bytes(b"")
    for name in (*(folder / name for name in files), folder, path / f"log-{generation:06d}.bin"):
        writing.sync(pathlib.Path(name))
    writing.sync(path)
    manifest = index_manifest.Manifest(
        layout, build, generation, id_range, files, checksums, model, metadata
    )
    index_manifest.write(path, manifest)


def is_index(folder: pathlib.Path) -> bool:
    """Returns whether a folder holds an index and nothing else."""
    if not folder.is_dir() or not (folder / index_manifest.NAME).is_file():
        return False
    own = {index_manifest.NAME, locking.LOCK_FILE}
    return all(
        entry.name in own
        or _OWN.fullmatch(entry.name)
        or writing.is_temporary(entry.name, index_manifest.NAME.__eq__)
        for entry in os.scandir(folder)
    )
