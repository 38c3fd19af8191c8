"""`CodeIndex`: codes with the names of their items, searched exactly, kept in a folder."""

from __future__ import annotations

import hashlib
import json
import os
import pathlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
from numpy.typing import ArrayLike

from tf_discrete._internal import checks, reading, writing
from tf_discrete.codes import sealed_json
from tf_discrete.codes.digest import file_digest, model_digest, update_with_array
from tf_discrete.codes.hamming import Neighbors, RadiusNeighbors, hamming_radius, hamming_top_k
from tf_discrete.codes.packing import (
    check_codes,
    check_one_hot,
    pack,
    pack_to_compare,
    unpack,
)
from tf_discrete.export.manifest import check_json
from tf_discrete.types import JsonObject

FORMAT_VERSION = 2
_CODES, _IDS, _MANIFEST = "codes.npy", "ids.json", "manifest.json"
_FAISS = re.compile(r"(flat|hnsw|ivf)-[0-9a-f]{12}\.faiss")
"""Files of FAISS that `trainers.search` stores next to the codes, named by their digest."""
_FIELDS: dict[str, type | tuple[type, ...]] = {
    "num_variables": int,
    "num_categories": int,
    "count": int,
    "model": (str, type(None)),
    "checksums": dict,
    "metadata": dict,
}
_EXPECTED = "a file of a code index, as CodeIndex.save has written it"
_REMEDY = "Build the index again."


class CodeIndex:
    """A set of codes that is searched by the number of differing variables, exactly.

    Of trees, whose codes have very many categories, the digits are searched: `encode_digits` returns them.

    Neighbours come by increasing distance, at equal distance in the order of the codes.

    Args:
        codes: integers [M, N] in [0, num_categories), M >= 1.
        num_categories: K; 2 for Bernoulli codes. Default: 2.
        ids: a string for each code, such as the path of its image. Default: "0", "1", ...
        model: the model whose codes these are, or its `model_digest`; None if it is not known.
        metadata: what JSON holds, for the user. Default: none.

    Raises:
        ValueError: no codes, codes out of range, ids that do not match, or metadata that JSON cannot hold.

    Example:
        >>> index = CodeIndex([[0, 2, 1], [2, 2, 1], [0, 0, 0]], num_categories=3, ids=["a", "b", "c"])
        >>> found = index.search([[0, 2, 2]], k=2)
        >>> [index.ids[i] for i in found.indices[0]], found.distances[0].tolist()
        (['a', 'b'], [1, 2])
    """

    def __init__(
        self,
        codes: ArrayLike,
        num_categories: int = 2,
        ids: Sequence[str] | None = None,
        model: keras.Model | str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ):
        array = check_codes(codes, num_categories)
        if not len(array):
            raise ValueError(
                f"An index must hold at least one code. Received: codes.shape={array.shape}"
            )
        self.num_categories = checks.whole("num_categories", num_categories, lowest=2)
        self.num_variables = array.shape[1]
        self.ids = list(map(str, range(len(array)))) if ids is None else _strings("ids", ids)
        if len(self.ids) != len(array):
            raise ValueError(
                f"There must be one id for each code. Received: {len(self.ids)} ids, {len(array)} codes"
            )
        checks.optional(
            checks.instance,
            "model",
            model,
            (str, keras.layers.Layer),
            "a Keras model or its digest",
        )
        self.model = model if model is None or isinstance(model, str) else model_digest(model)
        checks.optional(checks.instance, "metadata", metadata, Mapping, "a dictionary")
        self.metadata = dict(metadata or {})
        check_json(self.metadata, "metadata")
        self._packed, self._bits = pack_to_compare(array, self.num_categories)
        binary = self.num_categories == 2  # Such codes are stored as they are compared.
        self._stored = self._packed if binary else pack(array, self.num_categories)

    def __len__(self) -> int:
        return len(self._stored)

    @property
    def codes(self) -> np.ndarray:
        """Returns the codes, int32 [M, N]."""
        return unpack(self._stored, self.num_variables, self.num_categories)

    @property
    def digest(self) -> str:
        """SHA-256 of the codes and their sizes, whatever the ids, model and metadata."""
        digest = hashlib.sha256(f"{self.num_variables} {self.num_categories}".encode())
        update_with_array(digest, self._stored)
        return digest.hexdigest()

    def search(self, codes: ArrayLike, k: int) -> Neighbors:
        """Returns the k nearest items of each code.

        Args:
            codes: integers [Q, N].
            k: 1 to M.

        Returns:
            Neighbors; distances are numbers of differing variables.

        Raises:
            ValueError: no query, k out of range, or codes of other sizes.
        """
        found = hamming_top_k(self._queries(codes), self._packed, k)
        return found._replace(distances=found.distances // self._bits)

    def search_radius(self, codes: ArrayLike, radius: int) -> RadiusNeighbors:
        """Returns all items that differ from a code in at most `radius` variables.

        Args:
            codes: integers [Q, N].
            radius: variables, >= 0.

        Raises:
            ValueError: no query, a negative radius, or codes of other sizes.
        """
        radius = checks.whole("radius", radius, lowest=0)
        found = hamming_radius(self._queries(codes), self._packed, radius * self._bits)
        return found._replace(distances=found.distances // self._bits)

    def check_model(self, model: keras.Model) -> None:
        """Refuses a model other than the one whose codes these are.

        Raises:
            ValueError: another model; if the index does not know its model, one with other codes.
        """
        sizes = (getattr(model, "num_variables", None), getattr(model, "num_categories", None))
        if hasattr(model, "latent_spec"):
            sizes = model.latent_spec.digit_sizes
        digest = model_digest(model)
        if sizes != (self.num_variables, self.num_categories) or self.model not in (None, digest):
            raise ValueError(
                "The index must hold codes of this very model: codes of another one, or of the same one "
                "trained further, mean something else. Build the index anew. Received: a model with "
                f"num_variables={sizes[0]}, num_categories={sizes[1]}, digest={digest[:12]}; an index with "
                f"num_variables={self.num_variables}, num_categories={self.num_categories}, "
                f"digest={self.model and self.model[:12]}"
            )

    def save(self, path: str | os.PathLike[str], overwrite: bool = False) -> None:
        """Writes the index as a folder, atomically: codes.npy, ids.json and manifest.json.

        Args:
            path: Path of the folder.
            overwrite: Bool, whether to replace what exists at the path. Default: False.

        Raises:
            FileExistsError: it exists already.
            OSError: no permission, or no space.
        """
        with writing.new_path(path, overwrite, ours=_is_index, kind="code index") as folder:
            folder.mkdir()
            np.save(folder / _CODES, self._stored)
            (folder / _IDS).write_text(json.dumps(self.ids), encoding="utf-8")
            fields = {
                "num_variables": self.num_variables,
                "num_categories": self.num_categories,
                "count": len(self),
                "model": self.model,
                "checksums": {name: file_digest(folder / name) for name in (_CODES, _IDS)},
                "metadata": self.metadata,
            }
            manifest = sealed_json.sealed(fields, FORMAT_VERSION)
            text = json.dumps(manifest, indent=2, allow_nan=False)
            (folder / _MANIFEST).write_text(text + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> CodeIndex:
        """Reads an index that `save` has written, also while another process replaces it.

        Args:
            path: Path of the folder.

        Raises:
            FileNotFoundError: no index there.
            ValueError: a file that is truncated, changed or of another version.
        """
        return reading.read_folder(writing.expand(path), cls._load)

    @classmethod
    def _load(cls, folder: pathlib.Path) -> CodeIndex:
        stored = _read_manifest(folder)
        for name in (_CODES, _IDS):
            _check_digest(folder / name, stored["checksums"].get(name))
        packed = reading.read_array(folder / _CODES, _EXPECTED, _REMEDY)
        with reading.reading(folder / _CODES, _EXPECTED, _REMEDY):
            check_one_hot(stored["num_categories"])
            codes = unpack(packed, stored["num_variables"], stored["num_categories"])
            if len(codes) != stored["count"]:
                raise ValueError(f"{len(codes)} codes instead of {stored['count']}")
        ids = reading.read_json(folder / _IDS, _EXPECTED, _REMEDY, kind=list)
        with reading.reading(folder / _IDS, _EXPECTED, _REMEDY):
            if not all(isinstance(name, str) for name in ids):
                raise ValueError("ids that are no strings")
            return cls(codes, stored["num_categories"], ids, stored["model"], stored["metadata"])

    def _queries(self, codes: ArrayLike) -> np.ndarray:
        array = check_codes(codes, self.num_categories, self.num_variables)
        return pack_to_compare(array, self.num_categories)[0]


def _is_index(folder: pathlib.Path) -> bool:
    """Returns whether a folder holds an index and nothing else, whole or damaged."""
    if not folder.is_dir():
        return False
    own = {_CODES, _IDS, _MANIFEST}
    files = {entry.name for entry in os.scandir(folder) if entry.is_file(follow_symlinks=False)}
    folders = {entry.name for entry in os.scandir(folder)} - files
    if any(not _is_own_file(name) for name in files) or any(
        not writing.is_temporary(name, _is_own_file) for name in folders
    ):
        return False
    if own <= files:
        return True
    try:  # Something is missing: the manifest must say what it is.
        _read_manifest(folder)
    except (OSError, ValueError):
        return False
    return True


def _is_own_file(name: str) -> bool:
    return name in (_CODES, _IDS, _MANIFEST) or _FAISS.fullmatch(name) is not None


def _strings(name: str, value: Any) -> list[str]:
    """Returns a list of strings; a single string is none, and numbers are refused."""
    sequence = isinstance(value, (list, tuple)) or (
        isinstance(value, np.ndarray) and value.ndim == 1
    )
    if sequence and all(isinstance(i, str) for i in value):
        return [str(i) for i in value]
    checks.refuse(name, "a sequence of strings", value)


def _read_manifest(folder: pathlib.Path) -> JsonObject:
    file = folder / _MANIFEST
    try:
        stored = reading.read_json(file, _EXPECTED, _REMEDY)
    except FileNotFoundError:
        raise FileNotFoundError(
            "The path must be the folder of an index, as CodeIndex.save has written it, with its "
            f"{_MANIFEST}. Check the path, or build the index. Received: path={str(folder)!r}"
        ) from None
    with reading.reading(file, _EXPECTED, _REMEDY):
        sealed_json.check(stored, _FIELDS, FORMAT_VERSION)
        small = [name for name in ("num_variables", "count") if stored[name] < 1]
        if small:
            raise ValueError(f"numbers below 1: {', '.join(small)}")
    return stored


def _check_digest(file: pathlib.Path, expected: object) -> None:
    try:
        reading.check_regular(file, _EXPECTED, _REMEDY)
        with reading.reading(file, _EXPECTED, _REMEDY):
            found = file_digest(file)
    except FileNotFoundError:
        raise reading.damaged(file, _EXPECTED, _REMEDY, "it is missing") from None
    if found != expected:
        reason = "its checksum is not that of the manifest"
        raise reading.damaged(file, _EXPECTED, _REMEDY, reason)
