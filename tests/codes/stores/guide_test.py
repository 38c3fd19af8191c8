"""The guide's commands for each store run: create, query, update, delete."""

import contextlib
import pathlib
import re
import sys
import types

import pytest

from tests.codes.stores import postgres_server

GUIDE = pathlib.Path(__file__).parents[3] / "docs" / "bulk_codes.md"
ADDRESS = "postgresql://localhost/images"


def blocks(heading: str, language: str = "py(?:thon)?") -> list[str]:
    """Returns the code below a heading of the guide."""
    (section,) = re.findall(
        rf"^##+ {re.escape(heading)}\n(.*?)(?=^##+ |\Z)",
        GUIDE.read_text(),
        re.DOTALL | re.MULTILINE,
    )
    return re.findall(rf"^```(?:{language})\n(.*?)^```", section, re.DOTALL | re.MULTILINE)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("heading", "package"),
    [
        ("FAISS", "faiss"),
        ("usearch", "usearch.index"),
        ("LanceDB", "lancedb"),
        ("PostgreSQL with pgvector", "psycopg"),
    ],
)
def test_the_commands_of_the_guide_run(tmp_path, monkeypatch, heading, package):
    pytest.importorskip(package, reason=f"no {package}: make engines")
    monkeypatch.chdir(tmp_path)
    document = types.ModuleType("document")
    monkeypatch.setitem(sys.modules, "document", document)
    (reading,), (code,) = blocks("Read the codes"), blocks(heading)
    exec(reading, document.__dict__)
    with (
        postgres_server.running()
        if package == "psycopg"
        else contextlib.nullcontext(ADDRESS) as address
    ):
        exec(code.replace(ADDRESS, address), document.__dict__)
        if package == "psycopg":
            check_sql(address)
        else:
            assert len(document.store) == 998
    assert document.found.indices[:, 0].tolist() == [0, 1]
    assert document.found.distances[:, 0].tolist() == [0, 0]
    if package == "lancedb":
        assert 0 in [row["id"] for row in document.rows.to_list()]


def check_sql(address: str) -> None:
    """Runs the statements of the guide as any client does."""
    import psycopg

    (statements,) = blocks("PostgreSQL with pgvector", "sql")
    with psycopg.connect(address, autocommit=True) as connection:
        assert connection.execute("SELECT count(*) FROM codes").fetchone() == (998,)
        (bits,) = connection.execute("SELECT code::text FROM codes WHERE id = 0").fetchone()
        for statement in statements.replace("0110...", bits).splitlines():
            rows = connection.execute(statement.partition("--")[0])
            if statement.startswith("SELECT"):
                assert rows.fetchall()[:2] == [(0, 0.0), (7, 0.0)]  # 7 was given the code of 0.
