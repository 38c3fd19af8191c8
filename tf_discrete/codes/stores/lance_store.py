"""`LanceStore`: a table of LanceDB."""

from __future__ import annotations

import os

import numpy as np

from tf_discrete._internal import extras
from tf_discrete.codes.code_files import KEY, CodeLayout, layout_text
from tf_discrete.codes.stores.code_store import CodeStore


class LanceStore(CodeStore):
    """Codes in a table of LanceDB with the columns id, code (a list of bytes) and label.

    Queries go without a vector index and are exact. The layout is in the metadata of the table.

    Args:
        layout: What the bytes of the codes mean.
        uri: Folder of the database, or another address that `lancedb.connect` takes.
        table: Name of the table, which is opened if it is there and created if not. Default: "codes".

    Attributes:
        table: The table of LanceDB.

    Raises:
        ImportError: LanceDB is not installed.
        ValueError: The table holds codes of another layout or model.
    """

    def __init__(self, layout: CodeLayout, uri: str | os.PathLike[str], table: str = "codes"):
        super().__init__(layout)
        with extras.required("This store needs LanceDB", "stores"):
            import lancedb
            import pyarrow
        self._pyarrow = pyarrow
        self._width = -(-self.num_bits // 8)
        code = pyarrow.list_(pyarrow.uint8(), self._width)
        columns = [("id", pyarrow.int64()), ("code", code), ("label", pyarrow.int64())]
        self._schema = pyarrow.schema(columns)
        described = self._schema.with_metadata({KEY: layout_text(layout)})
        database = lancedb.connect(os.fspath(uri))
        try:
            self.table = database.create_table(table, schema=described)
        except ValueError:  # It is there.
            self.table = database.open_table(table)
        self._take_layout((self.table.schema.metadata or {}).get(KEY), table)

    def __len__(self) -> int:
        return self.table.count_rows()

    def _update(self, packed: np.ndarray, ids: np.ndarray, labels: np.ndarray | None) -> None:
        # In one version of the table.
        rows = self._rows(packed, ids, labels)
        merge = self.table.merge_insert("id").when_matched_update_all()
        merge.when_not_matched_insert_all().execute(rows)

    def _delete(self, ids: np.ndarray) -> None:
        for start in range(0, len(ids), 1000):
            listed = ", ".join(map(str, ids[start : start + 1000].tolist()))
            self.table.delete(f"id IN ({listed})")

    def _add(self, packed: np.ndarray, ids: np.ndarray, labels: np.ndarray | None) -> None:
        merge = self.table.merge_insert("id").when_not_matched_insert_all()
        merge.execute(self._rows(packed, ids, labels))

    def _rows(self, packed: np.ndarray, ids: np.ndarray, labels: np.ndarray | None):  # type: ignore[no-untyped-def]
        arrow = self._pyarrow
        flat = arrow.array(np.ascontiguousarray(packed).ravel())
        code = arrow.FixedSizeListArray.from_arrays(flat, self._width)
        label = arrow.nulls(len(ids), arrow.int64()) if labels is None else arrow.array(labels)
        columns = [arrow.array(ids, arrow.int64()), code, label.cast(arrow.int64())]
        return arrow.Table.from_arrays(columns, schema=self._schema)

    def _search(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        rows = []
        for query in queries:
            asked = self.table.search(query, vector_column_name="code").distance_type("hamming")
            found = asked.bypass_vector_index().limit(k).to_arrow()
            rows.append((found["_distance"].to_numpy(), found["id"].to_numpy()))
        distances, ids = (np.stack(column) for column in zip(*rows, strict=True))
        return distances.astype(np.int64), ids
