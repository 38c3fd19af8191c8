"""The tutorials: their cells run in turn, and the committed outputs are those of a run without an error."""

import base64
import sys
import types

import pytest

from tools import notebooks

SHORT = ("new_estimator",)
"""Run by `make test`, the others by `make test-slow`."""


@pytest.mark.usefixtures("restored_registries")
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[] if name in SHORT else pytest.mark.slow)
        for name in notebooks.names()
    ],
)
def test_cells_run(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    module = types.ModuleType("tutorial")
    monkeypatch.setitem(sys.modules, "tutorial", module)
    for cell in notebooks.read(name).cells:
        if cell.cell_type == "code":
            exec(compile(cell.source, f"{name}.ipynb", "exec"), module.__dict__)


@pytest.mark.parametrize("name", notebooks.names())
def test_outputs_are_committed(name):
    cells = [cell for cell in notebooks.read(name).cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    kinds = [out.output_type for cell in cells for out in cell.outputs]
    assert "stream" in kinds and "error" not in kinds
    pictures = [
        out.data["image/png"]
        for cell in cells
        for out in cell.outputs
        if "image/png" in out.get("data", {})
    ]
    drawn = sum("plots." in cell.source for cell in cells)
    assert len(pictures) == drawn
    assert all(base64.b64decode(text).startswith(b"\x89PNG") for text in pictures)
    assert sum(map(len, pictures)) < 2**20
