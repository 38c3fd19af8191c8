"""The documentation site: its pages, its links, and every public name in its reference."""

from __future__ import annotations

import doctest
import importlib
import inspect
import os
import re
import subprocess
import sys

import pytest

import tf_discrete
from tools import site

CONFIG = (site.ROOT / "mkdocs.yml").read_text()


def test_examples():
    assert doctest.testmod(site).failed == 0


def test_the_menu_has_every_page():
    menu = re.findall(r"(\S+\.md)$", CONFIG, re.MULTILINE)
    expected = {*site.pages().values(), *(f"api/{name}.md" for name in ("index", *site.MODULES))}
    assert sorted(menu) == sorted(expected)


def test_the_reference_has_every_public_module():
    modules = {name for name in tf_discrete.__all__ if inspect.ismodule(getattr(tf_discrete, name))}
    assert modules <= set(site.MODULES)
    # What the guides import is there too.
    guides = [*(site.ROOT / "docs").glob("*.md"), site.ROOT / "README.md"]
    text = "\n".join(path.read_text() for path in guides)
    used = set(re.findall(r"^from tf_discrete\.([\w.]+) import", text, re.MULTILINE))
    assert used <= set(site.MODULES)


def test_the_reference_has_every_public_name_once():
    pages = site.reference()
    objects = re.findall(r"^::: (\S+)$", "\n".join(pages.values()), re.MULTILINE)
    assert len(objects) == len(set(objects)) > 200
    for name in site.MODULES:
        module = importlib.import_module(f"tf_discrete.{name}")
        for public in site.public_names(module):
            assert site.object_path(module, public) in objects, f"{name}.{public}"
    for public in tf_discrete.__all__:
        value = getattr(tf_discrete, public)
        if not inspect.ismodule(value):
            assert f"{value.__module__}.{value.__qualname__}" in objects, public


@pytest.mark.parametrize("source", site.pages())
def test_links_lead_to_pages_and_pictures(source):
    text = site.converted((site.ROOT / source).read_text(), source)
    known = set(site.pages().values())
    for target in re.findall(r"\]\((?!https?:)([^)\s]+)\)", re.sub(r"(?ms)^```.*?^```$", "", text)):
        path = target.partition("#")[0]
        there = (
            path in known or path in site.FILES.values() or (site.ROOT / "docs" / path).is_file()
        )
        assert not path or there, target


def test_no_file_has_the_name_of_a_page():
    pages = {os.path.splitext(page)[0] for page in site.pages().values()}
    assert not pages & {os.path.splitext(name)[0] for name in site.FILES.values()}


@pytest.mark.slow
def test_the_site_is_built_without_a_warning(tmp_path):
    pytest.importorskip("mkdocstrings", reason="the generator of the site is the extra docs")
    pytest.importorskip("material", reason="the theme of the site is the extra docs")
    site.main()
    words = ["-m", "mkdocs", "build", "--quiet", "--site-dir", str(tmp_path / "site")]
    built = subprocess.run(
        [sys.executable, *words],
        cwd=site.ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert built.returncode == 0, built.stdout + built.stderr
    page = (tmp_path / "site" / "api" / "estimators.html").read_text()
    assert "GumbelSoftmax" in page and "https://fonts" not in page
