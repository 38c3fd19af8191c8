"""The guide to serving lists the signatures of every model."""

from __future__ import annotations

import re

import pytest

from tests.export import small_models
from tools import tables

GUIDE = (tables.ROOT / "docs" / "serving.md").read_text()
_SECTION = re.compile(r"^\*\*[^*]+\*\*: ([^\n]*)\n(.*?)(?=^\*\*|^Floats)", re.DOTALL | re.MULTILINE)
_ROW = re.compile(r"^\| `(\w+)` \| ([^|]*) \| (.*) \|$", re.MULTILINE)


@pytest.mark.parametrize("name", small_models.CLASSES)
def test_the_guide_lists_the_signatures_of_a_model(name):
    (rows,) = [
        _ROW.findall(text) for names, text in _SECTION.findall(GUIDE) if f"`{name}`" in names
    ]
    listed = {
        signature: list(dict.fromkeys(re.findall(r"`(\w+)`", inputs)))
        for signature, inputs, outputs in rows
        if " only" not in outputs or f"`{name}` only" in outputs
    }
    found = small_models.make(name).signatures()
    assert set(listed) == set(found)
    assert rows[0][0] == next(iter(found))  # The default.
    for signature, about in found.items():
        inputs = [spec.name for spec in about.inputs]
        assert [one for one in listed[signature] if one in inputs] == inputs
