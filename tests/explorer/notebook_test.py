"""The widget: an ES module that draws the page into a cell."""

import builtins
import json

import pytest

from tests.explorer import small_pages
from tf_discrete.explorer import notebook

_RENDER = """
async ([text, payload]) => {
  const url = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
  const found = (await import(url)).default;
  const el = document.createElement("div");
  document.body.append(el);
  await found.render({ model: { get: (name) => (name === "payload" ? payload : null) }, el });
"""
_TEXT = _RENDER + "return el.textContent; }"
_CELL = (
    _RENDER
    + """
  let passed = 0;
  el.addEventListener("keydown", () => passed++);
  const slider = el.querySelector("input[name=temperature]");
  slider.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowLeft", bubbles: true }));
  const keys = [el.firstChild.dataset.lmSuppressShortcuts, passed];
  const count = (selector) => el.querySelectorAll(selector).length;
  return [el.firstChild.className, count(".cell"), count("h2"), ...keys];
}
"""
)


def test_the_module_draws_the_page_in_a_cell(browser):
    payload = json.dumps(small_pages.payload(small_pages.categorical()))
    page = browser.new_page()
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    found = page.evaluate(_CELL, [notebook.module(), payload])
    alone = page.evaluate(_CELL, [notebook.module(), "null"])
    page.context.close()
    assert errors == []
    assert found[:2] == ["tfd", 4 * 3] and alone[:2] == ["tfd", 0] and found[2] > alone[2]
    assert found[3:] == ["true", 0], "the notebook takes no keys of the page"


def test_a_browser_that_cannot_inflate_is_told_in_the_cell(browser):
    page = browser.new_page()
    page.evaluate("delete globalThis.DecompressionStream")
    said = page.evaluate(
        _TEXT, [notebook.module(), json.dumps(small_pages.payload(small_pages.bits()))]
    )
    page.context.close()
    assert said == "The model must be read by DecompressionStream. Use a browser of 2023 or later."


def test_the_widget_holds_the_payload():
    pytest.importorskip("anywidget", reason="anywidget is in tf-discrete[notebook]")
    payload = small_pages.payload(small_pages.bits())
    found = notebook.widget(payload)
    assert json.loads(found.payload) == payload
    assert "export default" in str(found._esm) and ".tfd" in str(found._css)


def test_without_anywidget_the_extra_is_named(monkeypatch):
    real = builtins.__import__

    def missing(name, *arguments, **options):
        if name == "anywidget":
            raise ImportError(name)
        return real(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(ImportError, match=r"pip install 'tf-discrete\[notebook\]'"):
        notebook.widget()
