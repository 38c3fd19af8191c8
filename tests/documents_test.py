"""The documents tell the truth: their code runs, their tables are those of the registry and results."""

from __future__ import annotations

import re

import pytest

from tools import tables

_BLOCK = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
_PICTURE = re.compile(r"!\[[^\]]*\]\(([^)]+)\)")


# The blocks of serving.md are Python, shell and a server in turn: tests/serving runs those.
RUN_HERE = [path for path in tables.documents() if path.name != "serving.md"]


@pytest.mark.parametrize("path", RUN_HERE, ids=lambda path: path.name)
def test_code_blocks_run(path, tmp_path, monkeypatch):
    """The Python blocks of a document run one after the other, in one namespace."""
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, object] = {"__name__": "document"}
    for block in _BLOCK.findall(path.read_text()):
        exec(compile(block, str(path), "exec"), namespace)


@pytest.mark.parametrize("path", tables.documents(), ids=lambda path: path.name)
def test_tables_are_generated(path):
    text = path.read_text()
    assert tables.render(text) == text, "run python -m tools.tables --write"


@pytest.mark.parametrize("path", tables.documents(), ids=lambda path: path.name)
def test_pictures_exist(path):
    for target in _PICTURE.findall(path.read_text()):
        assert (path.parent / target).is_file(), target
