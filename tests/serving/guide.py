"""The code blocks of docs/serving.md."""

from __future__ import annotations

import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]


def blocks(kind: str) -> list[tuple[str, str]]:
    """The blocks as (language, code): of one kind, such as "client", or "" for those without one."""
    text = (ROOT / "docs" / "serving.md").read_text(encoding="utf-8")
    found = re.findall(r"^```(\w+)(?: (\w+))?\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [(language, code) for language, its_kind, code in found if its_kind == kind]
