"""Pages in a browser: opened once for each model, watched for errors, moved by sliders."""

from __future__ import annotations

from tests.explorer import small_pages
from tf_discrete import explorer


class Pages:
    """Opens pages of models in one browser, and notes what goes wrong in them."""

    def __init__(self, browser, folder):
        self.browser, self.folder, self.models = browser, folder, {}
        self.errors: list[str] = []
        self.requests: list[str] = []

    def open(self, make, **options):
        if make not in self.models:
            model = make() if make else None
            payload = small_pages.payload(model, title="A page") if model else None
            path = self.folder / f"{len(self.models)}.html"
            path.write_text(explorer.page(payload), encoding="utf-8")
            self.models[make] = model, path
        model, path = self.models[make]
        page = self.browser.new_page(**options)
        page.set_default_timeout(60_000)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda said: said.type == "error" and self.errors.append(said.text))
        page.on("request", lambda request: self.requests.append(request.url))
        page.goto(path.as_uri())
        page.evaluate("ready")
        return model, page


def next_frame(page):
    page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


def set_slider(page, name, value):
    page.eval_on_selector(
        f"input[name={name}]",
        "(input, value) => { input.value = value; input.dispatchEvent(new Event('input')); }",
        value,
    )
    next_frame(page)


def pixels(page, selector):
    return page.eval_on_selector(
        selector,
        "c => Array.from(c.getContext('2d').getImageData(0, 0, c.width, c.height).data)",
    )
