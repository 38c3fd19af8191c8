"""`PostgresStore`: a table of PostgreSQL with the type `bit` and the operator `<~>` of pgvector."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from tf_discrete._internal import checks, extras
from tf_discrete.codes.code_files import CodeLayout, layout_text
from tf_discrete.codes.stores.code_store import CodeStore

_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")


class PostgresStore(CodeStore):
    """Codes in a table with the columns id bigint, code bit(n) and label bigint.

    The first variable is the leftmost bit. Without an index on `code` queries are exact; with one, a query
    that finds fewer items than it asks for is an error. The layout is the comment of the table.

    Args:
        layout: What the bytes of the codes mean.
        connection: An open `psycopg.Connection`. The caller commits, or has set `autocommit`.
        table: Name of the table, which is created if it is not there. Default: "codes".

    Raises:
        ImportError: psycopg is not installed.
        ValueError: A name of a table with other characters than lower-case letters, digits and underscores,
            or a table that holds codes of another layout or model.
    """

    def __init__(self, layout: CodeLayout, connection: Any, table: str = "codes"):
        super().__init__(layout)
        with extras.required("This store needs psycopg", "stores"):
            from psycopg import sql
        if not isinstance(table, str) or not _NAME.fullmatch(table):
            checks.refuse("table", "of lower-case letters, digits and underscores", table)
        self._connection, self._table = connection, table
        connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
        if connection.execute("SELECT to_regclass(%s)", [table]).fetchone()[0] is None:
            with connection.transaction():
                connection.execute(
                    f"CREATE TABLE {table} (id bigint PRIMARY KEY, "
                    f"code bit({self.num_bits}) NOT NULL, label bigint)"
                )
                comment = sql.SQL("COMMENT ON TABLE {} IS {}")
                described = sql.Literal(layout_text(layout))
                connection.execute(comment.format(sql.Identifier(table), described))
        found = connection.execute("SELECT obj_description(%s::regclass, 'pg_class')", [table])
        self._take_layout(found.fetchone()[0], table)

    def __len__(self) -> int:
        return self._connection.execute(f"SELECT count(*) FROM {self._table}").fetchone()[0]

    def _update(self, packed: np.ndarray, ids: np.ndarray, labels: np.ndarray | None) -> None:
        given = [None] * len(ids) if labels is None else labels.tolist()
        rows = zip(self._texts(packed), given, ids.tolist(), strict=True)
        with self._connection.cursor() as cursor:
            cursor.executemany(
                f"UPDATE {self._table} SET code = %s::text::bit({self.num_bits}), label = %s "
                "WHERE id = %s",
                list(rows),
            )

    def _delete(self, ids: np.ndarray) -> None:
        self._connection.execute(f"DELETE FROM {self._table} WHERE id = ANY(%s)", [ids.tolist()])

    def search_statement(self) -> str:
        """Returns the SELECT of `search`, whose parameters are a text of 0 and 1 and the limit."""
        return (
            f"SELECT code <~> %s::text::bit({self.num_bits}) AS distance, id FROM {self._table} "
            "ORDER BY distance, id LIMIT %s"
        )

    def _add(self, packed: np.ndarray, ids: np.ndarray, labels: np.ndarray | None) -> None:
        given = [None] * len(ids) if labels is None else labels.tolist()
        self._connection.execute(
            f"INSERT INTO {self._table} (id, code, label) SELECT id, code::bit({self.num_bits}), label "
            "FROM unnest(%s::bigint[], %s::text[], %s::bigint[]) AS added (id, code, label) "
            "ON CONFLICT (id) DO NOTHING",
            [ids.tolist(), self._texts(packed), given],
        )

    def _search(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        statement = self.search_statement()
        found = [
            self._connection.execute(statement, [text, k]).fetchall()
            for text in self._texts(queries)
        ]
        fewest = min(map(len, found))
        if fewest < k:
            raise ValueError(
                "A query must find as many items as it asks for. SET hnsw.ef_search to at least that number, "
                "or drop the index on code, whose answers are approximate and few. Received: "
                f"{fewest} of {k} items in table {self._table!r}"
            )
        table = np.array(found, np.float64).reshape(len(queries), k, 2)
        ids = np.array([[row[1] for row in rows] for rows in found], np.int64)
        return table[..., 0].astype(np.int64), ids

    def _texts(self, packed: np.ndarray) -> list[str]:
        """Each code as a text of 0 and 1, the first variable first."""
        bits = np.unpackbits(packed, axis=1)[:, : self.num_bits] + np.uint8(ord("0"))
        return [bytes(row).decode() for row in bits]
