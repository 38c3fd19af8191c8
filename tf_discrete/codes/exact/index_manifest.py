"""The manifest of an exact index: its current files with their checksums, and the model of its codes."""

from __future__ import annotations

import pathlib
from typing import NamedTuple

from tf_discrete._internal import reading, writing
from tf_discrete.codes import sealed_json
from tf_discrete.codes.exact import base
from tf_discrete.codes.exact.layout import Layout
from tf_discrete.types import JsonObject

NAME = "exact-index.json"
FORMAT_VERSION = 2
_FIELDS: dict[str, type | tuple[type, ...]] = {
    "num_variables": int,
    "num_categories": int,
    "order": list,
    "lengths": list,
    "build": str,
    "generation": int,
    "id_range": list,
    "files": dict,
    "checksums": dict,
    "model": (str, type(None)),
    "metadata": dict,
}


class Manifest(NamedTuple):
    """The content of `exact-index.json`.

    Attributes:
        layout: How codes lie in words.
        build: Identity of the build, which compactions keep.
        generation: Number of the current base and log.
        id_range: The least and the greatest id of the base.
        files: Type and shape of each file of the base.
        checksums: SHA-256 of each file of the base.
        model: Digest of the model, or None.
        metadata: JSON of the user.
    """

    layout: Layout
    build: str
    generation: int
    id_range: tuple[int, int]
    files: JsonObject
    checksums: dict[str, str]
    model: str | None
    metadata: JsonObject


def write(folder: pathlib.Path, manifest: Manifest) -> None:
    """Puts a manifest in the place of the one that is there, atomically.

    Raises:
        OSError: No permission, or no space.
    """
    layout = manifest.layout
    fields: JsonObject = {
        "num_variables": layout.num_variables,
        "num_categories": layout.num_categories,
        "order": list(layout.order),
        "lengths": list(layout.lengths),
        **{name: value for name, value in manifest._asdict().items() if name != "layout"},
    }
    writing.write_json(folder / NAME, sealed_json.sealed(fields, FORMAT_VERSION))


def read(folder: pathlib.Path) -> Manifest:
    """Reads the manifest of an index.

    Raises:
        DamagedFileError: It was changed, or is of another version.
        FileNotFoundError: There is none.
    """
    file = folder / NAME
    try:
        stored = reading.read_json(file, base.EXPECTED, base.REMEDY)
    except FileNotFoundError:
        raise FileNotFoundError(
            "The path must be the folder of an index, as ExactIndex.build has written it, with its "
            f"{NAME}. Check the path, or build the index. Received: path={str(folder)!r}"
        ) from None
    with reading.reading(file, base.EXPECTED, base.REMEDY):
        sealed_json.check(stored, _FIELDS, FORMAT_VERSION)
        layout = Layout(
            stored["num_variables"],
            stored["num_categories"],
            tuple(stored["order"]),
            tuple(stored["lengths"]),
        )
        if set(stored["files"]) != set(base.names(layout)):
            raise ValueError(f"the files {', '.join(sorted(stored['files']))}")
        lowest, highest = stored["id_range"]
        return Manifest(
            layout,
            stored["build"],
            stored["generation"],
            (lowest, highest),
            stored["files"],
            stored["checksums"],
            stored["model"],
            stored["metadata"],
        )
