"""Packed codes in Parquet: one file or a folder of shards, with what their bytes mean."""

from __future__ import annotations

import json
import os
import pathlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, NamedTuple

import keras
import numpy as np

from tf_discrete._internal import checks, extras, parquet_files, reading, writing
from tf_discrete.codes.digest import digest_of, file_digest
from tf_discrete.codes.packing import bytes_per_code

if TYPE_CHECKING:
    import pyarrow

MANIFEST, PLAN, RECORDS = "manifest.json", "plan.json", "records"
"""Names that `trainers.encode` writes next to the shards: the manifest at the end, the others first."""
BIT_ORDER = "first variable in the highest bit of the first byte"
FORMAT_VERSION = 1
KEY = b"tf_discrete.codes"
"""Key of the layout in the metadata of a Parquet file or a table."""
_EXPECTED = "a Parquet file of codes, with the columns id and code"
_REMEDY = "Encode the images again; shards that are whole are not made again."
_GROUP = 1 << 16
_OPTIONAL = {"labels": "label", "scores": "score", "paths": "path"}
"""Columns that a file may have, by their names in a `CodeBatch`."""


class CodeLayout(NamedTuple):
    """Sizes and model of packed codes.

    Attributes:
        num_variables: N.
        num_categories: K.
        model: `model_digest` of the model whose codes they are, or None.
    """

    num_variables: int
    num_categories: int = 2
    model: str | None = None


def layout_text(layout: CodeLayout) -> str:
    """Returns a layout as text, which is stored next to the codes.

    Example:
        >>> layout_of(layout_text(CodeLayout(8, 3)))
        CodeLayout(num_variables=8, num_categories=3, model=None)
    """
    versions = {"format_version": FORMAT_VERSION, "bit_order": BIT_ORDER}
    return json.dumps({**versions, **layout._asdict()})


def layout_of(text: str | bytes) -> CodeLayout:
    """Returns the layout that a text describes.

    Raises:
        KeyError, TypeError, ValueError: No text of `layout_text`, or one of another version.
    """
    stored = json.loads(text)
    if (stored["format_version"], stored["bit_order"]) != (FORMAT_VERSION, BIT_ORDER):
        raise ValueError(f"metadata {stored}")
    return CodeLayout(*(stored[name] for name in CodeLayout._fields))


class CodeBatch(NamedTuple):
    """Some rows.

    Attributes:
        ids: int64 [B].
        packed: uint8 [B, bytes], the bytes of `pack`.
        labels: int64 [B], or None where there are none.
        scores: float32 [B], log q(code | image) in nats, or None where there are none.
        paths: str [B], where the images are in their folder, or None where there are none.
    """

    ids: np.ndarray
    packed: np.ndarray
    labels: np.ndarray | None = None
    scores: np.ndarray | None = None
    paths: np.ndarray | None = None


class CodeFiles:
    """Codes in Parquet, read a part at a time.

    The columns are `id` (int64), `code` (fixed-size binary, the bytes of `pack`) and, where there are any,
    `label` (int64), `score` (float) and `path` (string); others are ignored. The sizes of the codes and the
    digest of their model are in the metadata of each file. A folder with a `manifest.json` must hold the
    shards that the manifest names, and no others.

    Args:
        path: A Parquet file, or a folder of them.
        verify: Whether to compare the checksums of the manifest. Default: True.

    Raises:
        FileNotFoundError: No Parquet file there.
        ValueError: A shard that is missing, foreign, truncated or changed, or of other codes than the rest,
            or an encoding that is not finished.

    Example:
        >>> import tempfile
        >>> path = tempfile.mkdtemp() + "/codes.parquet"
        >>> batch = CodeBatch(np.array([7]), np.array([[128]], np.uint8))
        >>> write_codes(path, [batch], CodeLayout(num_variables=3))
        1
        >>> files = CodeFiles(path)
        >>> files.layout.num_variables, len(files), next(files.batches()).ids
        (3, 1, array([7]))
    """

    def __init__(self, path: str | os.PathLike[str], verify: bool = True):
        self._path = writing.expand(path)
        self._shards = _shards(self._path, checks.flag("verify", verify))
        layouts = {shard: _layout(shard) for shard in self._shards}
        self.layout, self._count = layouts[self._shards[0]]
        for shard, (layout, _) in layouts.items():
            if layout != self.layout:
                reason = f"codes {tuple(layout)}, the first shard has {tuple(self.layout)}"
                raise reading.damaged(shard, _EXPECTED + " of one model", _REMEDY, reason)
        self._count = sum(count for _, count in layouts.values())

    def __len__(self) -> int:
        return self._count

    def batches(
        self, size: int = _GROUP, optional: Sequence[str] = tuple(_OPTIONAL)
    ) -> Iterator[CodeBatch]:
        """Yields all rows in the order of the shards.

        Args:
            size: Rows at once, at most. Default: 65,536.
            optional: Which of "labels", "scores" and "paths" are read where there are any. Default: all.

        Raises:
            DamagedFileError: A shard cannot be read to its end.
            ValueError: Another name, or a size below 1.
        """
        size, parquet = checks.whole("size", size), _pyarrow().parquet
        for name in optional:
            checks.choice("optional", name, tuple(_OPTIONAL))
        width = bytes_per_code(*self.layout[:2])
        for shard in self._shards:
            with reading.reading(shard, _EXPECTED, _REMEDY), parquet.ParquetFile(shard) as file:
                there = [name for name in optional if _OPTIONAL[name] in file.schema_arrow.names]
                columns = ["id", "code", *(_OPTIONAL[name] for name in there)]
                for part in file.iter_batches(size, columns=columns):
                    yield _batch(part, width, there)

    def chunks(self, size: int = 1 << 20) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yields pairs of ids and packed codes, as `ExactIndex.build` takes them."""
        for batch in self.batches(size, ()):
            yield batch.ids, batch.packed

    def check_model(self, model: keras.Model | str) -> None:
        """Refuses the codes of another model.

        Args:
            model: A model, or its `model_digest`, which is in the manifest of an export, too.

        Raises:
            ValueError: Another model; nothing is refused by files that do not know their model.
        """
        digest = digest_of(model)
        if self.layout.model not in (None, digest):
            raise ValueError(
                "The codes must be those of the same model; codes of another one mean something else. "
                "Encode the images with this model. "
                f"Received: a model with digest {digest[:12]}, codes of {str(self.layout.model)[:12]}"
            )


def write_codes(
    path: str | os.PathLike[str],
    batches: Iterable[CodeBatch],
    layout: CodeLayout,
    extra: Mapping[str, str] | None = None,
) -> int:
    """Writes one Parquet file, atomically.

    Args:
        path: The file; one that this function has written is replaced.
        batches: The rows; labels, scores and paths are those of all of them or of none.
        layout: What the bytes mean.
        extra: More metadata of the file. Default: none.

    Returns:
        The number of rows.

    Raises:
        FileExistsError: Something else is at the path.
        ImportError: pyarrow is not installed.
        OSError: No permission, or no space.
        ValueError: Codes of other sizes.
    """
    arrow, count = _pyarrow(), 0
    width = bytes_per_code(layout.num_variables, layout.num_categories)
    ours = parquet_files.has_key(KEY)
    with writing.new_path(path, True, ours=ours, kind="Parquet file of codes") as new:
        writer = None
        for batch in batches:
            schema = _schema(width, _given(batch), layout, extra or {})
            if writer is None:
                writer = arrow.parquet.ParquetWriter(new, schema)
            writer.write_table(arrow.Table.from_batches([_record_batch(batch, schema, width)]))
            count += len(batch.ids)
        if writer is None:
            writer = arrow.parquet.ParquetWriter(new, _schema(width, (), layout, extra or {}))
        writer.close()
    return count


def _given(batch: CodeBatch) -> list[str]:
    return [name for name in _OPTIONAL if getattr(batch, name) is not None]


def _schema(
    width: int, optional: Iterable[str], layout: CodeLayout, extra: Mapping[str, str]
) -> pyarrow.Schema:
    import pyarrow

    types = {"labels": pyarrow.int64(), "scores": pyarrow.float32(), "paths": pyarrow.string()}
    fields = [("id", pyarrow.int64()), ("code", pyarrow.binary(width))]
    fields += [(_OPTIONAL[name], types[name]) for name in optional]
    metadata: dict[str | bytes, str] = {KEY: layout_text(layout)}
    metadata.update(extra.items())
    return pyarrow.schema(fields, metadata=metadata)


def _record_batch(batch: CodeBatch, schema: pyarrow.Schema, width: int) -> pyarrow.RecordBatch:
    import pyarrow

    if batch.packed.shape != (len(batch.ids), width) or batch.packed.dtype != np.uint8:
        checks.refuse("packed", f"uint8 [{len(batch.ids)}, {width}]", batch.packed.shape)
    data = pyarrow.py_buffer(np.ascontiguousarray(batch.packed))
    code = pyarrow.Array.from_buffers(pyarrow.binary(width), len(batch.ids), [None, data])
    columns = [pyarrow.array(batch.ids, pyarrow.int64()), code]
    columns += [
        pyarrow.array(getattr(batch, name), schema.field(_OPTIONAL[name]).type)
        for name in _given(batch)
    ]
    return pyarrow.RecordBatch.from_arrays(columns, schema=schema)


def _batch(part: pyarrow.RecordBatch, width: int, optional: Iterable[str]) -> CodeBatch:
    column = part.column("code")
    data = np.frombuffer(column.buffers()[1], np.uint8)
    start = column.offset * width
    packed = data[start : start + len(column) * width].reshape(-1, width)
    others = {
        name: part.column(_OPTIONAL[name]).to_numpy(zero_copy_only=name != "paths")
        for name in optional  # Numbers are not copied, so that a null among them is refused.
    }
    return CodeBatch(part.column("id").to_numpy(), packed, **others)


def _shards(path: pathlib.Path, verify: bool) -> list[pathlib.Path]:
    """The Parquet files of a path, held against the manifest where there is one."""
    if path.is_file():
        return [path]
    found, manifest = sorted(path.glob("*.parquet")), path / MANIFEST
    if not manifest.exists() and any((path / name).exists() for name in (PLAN, RECORDS)):
        raise ValueError(
            "A folder of encoded images must be finished. Run trainers.encode again with the same flags: it "
            f"encodes what is missing. Received: path={os.fspath(path)!r} without {MANIFEST}"
        )
    if not found:
        raise FileNotFoundError(
            "There must be a Parquet file of codes. Check the path. "
            f"Received: path={os.fspath(path)!r}"
        )
    if not manifest.exists():
        return found
    stored = reading.read_json(manifest, "the manifest of encoded images", _REMEDY)
    with reading.reading(manifest, "the manifest of encoded images", _REMEDY):
        shards = {str(shard["file"]): str(shard["sha256"]) for shard in stored["shards"]}
    foreign = [shard for shard in found if shard.name not in shards]
    if foreign:
        raise reading.damaged(foreign[0], _EXPECTED, _REMEDY, "the manifest does not name it")
    for name, digest in shards.items():
        shard = path / name
        if not shard.is_file():
            raise reading.damaged(shard, _EXPECTED, _REMEDY, "it is missing")
        if verify and file_digest(shard) != digest:
            reason = "its checksum is not that of the manifest"
            raise reading.damaged(shard, _EXPECTED, _REMEDY, reason)
    return [path / name for name in shards]


def _layout(shard: pathlib.Path) -> tuple[CodeLayout, int]:
    """Returns the layout of the codes in a file, and its number of rows."""
    parquet = _pyarrow().parquet
    with reading.reading(shard, _EXPECTED, _REMEDY), parquet.ParquetFile(shard) as file:
        schema = file.schema_arrow
        layout = layout_of((schema.metadata or {})[KEY])
        width = bytes_per_code(layout.num_variables, layout.num_categories)
        if schema.field("code").type.byte_width != width or str(schema.field("id").type) != "int64":
            raise ValueError(f"columns {schema.names} of the types {list(map(str, schema.types))}")
        return layout, file.metadata.num_rows


def _pyarrow() -> ModuleType:
    with extras.required("Parquet files need pyarrow", "parquet"):
        import pyarrow.parquet
    return pyarrow
