"""The file: complete, the same each time, and without an address."""

import json
import re

from tests.explorer import small_pages
from tf_discrete import explorer
from tf_discrete.explorer import assembly
from tools import explorer_page

_PAYLOAD = re.compile(r'<script type="application/json" id="payload">(.*?)</script>', re.DOTALL)


def test_the_page_is_a_function_of_its_payload_and_holds_it():
    payload = small_pages.payload(small_pages.bits(), title='<b>"bits" & {{script}}</b>')
    text = explorer.page(payload)
    assert text == explorer.page(json.loads(json.dumps(payload)))
    assert json.loads(_PAYLOAD.search(text)[1]) == payload
    assert "<title>&lt;b&gt;&quot;bits&quot; &amp; {{script}}&lt;/b&gt;</title>" in text
    assert "{{" not in text.replace("{{script}}", "")


def test_the_page_names_no_address_and_may_load_nothing():
    text = explorer.page()
    assert not re.search(r"https?:|//[a-z]+\.|@import|url\(", text)
    assert re.findall(r'(?:src|href)="([^"]*)"', text) == ["data:,"]
    assert "content=\"default-src 'none'; style-src 'unsafe-inline'; script-src" in text


def test_every_source_is_in_the_page():
    folder = explorer_page.ROOT / "tf_discrete" / "explorer" / "assets"
    scripts = {path.name for path in folder.glob("*.js")}
    assert scripts == set(assembly.SCRIPTS)
    assert {path.name for path in folder.iterdir()} == scripts | {"page.html", "style.css"}
    assert all(assembly.source(name) in explorer.page() for name in scripts | {"style.css"})


def test_pages_are_known_by_their_mark(tmp_path):
    own, other = tmp_path / "own.html", tmp_path / "other.html"
    own.write_text(explorer.page())
    other.write_text("<!doctype html>")
    assert explorer.is_page(own)
    assert not explorer.is_page(other) and not explorer.is_page(tmp_path / "none.html")


def test_the_page_of_the_documents_is_made_of_these_sources():
    text = explorer_page.TARGET.read_text(encoding="utf-8")
    assert text == explorer_page.rebuilt(text), "run python -m tools.explorer_page --write"
    assert len(text.encode()) < 3_000_000
    assert json.loads(_PAYLOAD.search(text)[1])["examples"]["log_probs"]["dtype"] == "int16"
