"""Puts the page together: one HTML file that needs no server, no network and no other file."""

from __future__ import annotations

import html
import importlib.resources
import json
import pathlib
import re

from tf_discrete.types import JsonObject

SCRIPTS = (
    "arithmetic.js",
    "network.js",
    "priors.js",
    "relaxation.js",
    "estimators.js",
    "elements.js",
    "relaxation_view.js",
    "simplex_view.js",
    "gradient_view.js",
    "gallery.js",
    "code_model.js",
    "code_editor.js",
    "code_panels.js",
    "code_view.js",
    "class_style_view.js",
    "main.js",
)
"""The sources of the page in the order in which they are put together."""

_HEAD, _MARK = 2000, b'name="generator" content="tf_discrete.explorer"'
_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data: blob:"
)


def source(name: str) -> str:
    """Returns a source of the page, a file of the folder `assets`."""
    assets = importlib.resources.files("tf_discrete.explorer") / "assets"
    return (assets / name).read_text(encoding="utf-8")


def script() -> str:
    """Returns the whole script: a function `explorePacked(root, payload)` and what it needs."""
    return "\n".join(source(name) for name in SCRIPTS)


def page(payload: JsonObject | None = None) -> str:
    """Returns the text of an HTML file with the widget of the relaxation and, if given, a model.

    The same payload always gives the same text. The browser is told to load nothing, from anywhere.

    Args:
        payload: See `payload.of_model`. Default: None, for the relaxation alone.

    Example:
        >>> text = page()
        >>> text.startswith("<!doctype html>"), "http-equiv" in text
        (True, True)
    """
    title = (payload or {}).get("title") or "Gumbel-Softmax"
    data = json.dumps(payload, separators=(",", ":")).replace("<", "\\u003c")
    parts = {
        "policy": _POLICY,
        "title": html.escape(title),
        "style": source("style.css"),
        "payload": data,
        "script": f'(() => {{\n"use strict";\n{script()}\nglobalThis.ready = start();\n}})();',
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda mark: parts[mark[1]], source("page.html"))


def is_page(path: pathlib.Path) -> bool:
    """Returns whether a file is one that `page` has made."""
    if not path.is_file():
        return False
    with open(path, "rb") as file:
        return _MARK in file.read(_HEAD)
