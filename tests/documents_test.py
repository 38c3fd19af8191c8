"""Documents: their code runs, and their tables are those of the registries and results."""

from __future__ import annotations

import dataclasses
import importlib
import re
import sys
import types

import pytest

from tools import architecture_picture, notebooks, tables

_BLOCK = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\]\((?!https?:)([^)\s]+)\)")
_SHELL = re.compile(r"^```bash\n(.*?)^```", re.DOTALL | re.MULTILINE)
_TRAINER = re.compile(r"python -m trainers\.(\w+)((?:\\\n|[^\n;&|#])*)")
_PICTURE = re.compile(r"!\[[^\]]*\]\(([^)]+)\)")


# The blocks of serving.md are Python, shell and a server in turn: tests/serving runs those.
RUN_HERE = [path for path in tables.documents() if path.name != "serving.md"]
FIRST_READ = ("README.md", "extending.md", "your_data.md", "architecture.md")
"""The others are left to `make test-slow`."""


@pytest.mark.usefixtures("restored_registries")
@pytest.mark.parametrize(
    "path",
    [
        pytest.param(path, marks=[] if path.name in FIRST_READ else [pytest.mark.slow])
        for path in RUN_HERE
    ],
    ids=lambda path: path.name,
)
def test_code_blocks_run(path, tmp_path, monkeypatch):
    """The Python blocks of a document run one after the other, in one module."""
    monkeypatch.chdir(tmp_path)
    module = types.ModuleType("document")
    monkeypatch.setitem(sys.modules, "document", module)
    for block in _BLOCK.findall(path.read_text()):
        exec(compile(block, str(path), "exec"), module.__dict__)


def shell_blocks() -> list[tuple[str, str]]:
    """The name of a document or tutorial and the shell commands in it."""
    texts = [(path.name, path.read_text()) for path in tables.documents()]
    for name in notebooks.names():
        texts += [(name, cell.source) for cell in notebooks.read(name).cells]
    return [(name, block) for name, text in texts for block in _SHELL.findall(text + "\n")]


def unknown_flags(block: str) -> list[str]:
    """Flags in the commands of a block that their trainer does not have."""
    found = []
    for program, rest in _TRAINER.findall(block):
        known = {
            field.name
            for field in dataclasses.fields(importlib.import_module(f"trainers.{program}").Config)
        } | {"config", "help", "verbosity"}
        given = re.findall(r"--(\w+)", rest)
        found += [f"{program}: {flag}" for flag in given if flag not in known]
    return found


def test_commands_have_flags_that_exist():
    blocks = shell_blocks()
    assert sum(len(_TRAINER.findall(block)) for _, block in blocks) > 20
    assert not [(name, *unknown) for name, block in blocks if (unknown := unknown_flags(block))]
    bad = "python -m trainers.search --run=a \\\n    --labels=3  # --nothing"
    assert unknown_flags(bad) == ["search: labels"]


@pytest.mark.parametrize("path", tables.documents(), ids=lambda path: path.name)
def test_tables_are_generated(path):
    text = path.read_text()
    assert tables.render(text) == text, "run python -m tools.tables --write"


@pytest.mark.parametrize("path", tables.documents(), ids=lambda path: path.name)
def test_pictures_exist(path):
    for target in _PICTURE.findall(path.read_text()):
        assert (path.parent / target).is_file(), target


@pytest.mark.parametrize(
    "path", [*tables.documents(), tables.ROOT / "CONTRIBUTING.md"], ids=lambda path: path.name
)
def test_links_lead_to_files_and_headings(path):
    text = re.sub(r"^```.*?^```", "", path.read_text(), flags=re.DOTALL | re.MULTILINE)
    for target in _LINK.findall(text):
        file, _, anchor = target.partition("#")
        found = (path.parent / file).resolve() if file else path
        assert found.exists(), target
        assert not anchor or anchor in _anchors(found.read_text()), target


def test_a_link_to_a_missing_heading_is_found():
    assert _LINK.findall("[a](b.md#c), ![d](e.png) and [f](https://g)") == ["b.md#c", "e.png"]
    assert _anchors("# A `b` heading: c, d\n\ntext\n## Where to find it\n") == {
        "a-b-heading-c-d",
        "where-to-find-it",
    }


def _anchors(text):
    """Returns the anchors of the headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_picture_of_the_architecture_is_generated():
    assert architecture_picture.TARGET.read_text() == architecture_picture.svg()


def test_the_files_that_the_architecture_names_exist():
    root = tables.ROOT
    text = (root / "docs" / "architecture.md").read_text().split("## Rules")[0]
    boxes = " ".join(line for box in architecture_picture.BOXES.values() for line in box[3])
    named = set(re.findall(r"\b[a-z_]+/(?:[a-z_]+\.py)?", text + boxes))
    named -= {"images/", "trainers/", "tf_discrete/"}
    assert len(named) > 10
    for name in named:
        assert (root / "tf_discrete" / name).exists(), name
