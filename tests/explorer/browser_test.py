"""A model on a page in a real browser: it loads, it answers, and it computes what TensorFlow computes."""

from __future__ import annotations

import re

import numpy as np
import pytest
import tensorflow as tf

from tests.explorer import browsers, small_pages
from tests.explorer.pages import next_frame, pixels, set_slider
from tf_discrete import explorer

DECODED = "canvas[aria-label='Decoded image']"


def test_a_page_loads_without_an_error_and_loads_nothing_else(pages):
    """The fixture `pages` demands it of all tests here; this one, that it would notice."""
    _, page = pages.open(None)
    next_frame(page)
    assert page.locator("h2").count() == 4 and page.title() == "Gumbel-Softmax"
    assert [url for url in pages.requests if url.startswith("file:")] == [page.url]
    page.evaluate("setTimeout(() => { throw new Error('an error') })")
    page.evaluate("fetch('http://127.0.0.1:9/').catch(() => null)")
    next_frame(page)
    assert any("an error" in error for error in pages.errors)
    assert any("Content Security Policy" in error for error in pages.errors)
    pages.errors.clear()
    pages.requests.clear()


def test_a_browser_that_cannot_inflate_is_told(pages):
    pages.open(small_pages.bits)
    _, path = pages.models[small_pages.bits]
    page = pages.browser.new_page()
    page.add_init_script("delete globalThis.DecompressionStream")
    page.goto(path.as_uri())
    page.evaluate("ready")
    assert "Use a browser of 2023 or later." in page.locator("#explorer").text_content()


@pytest.mark.one_in(3)
@pytest.mark.parametrize(
    "make",
    [
        *(small_pages.categorical, small_pages.bits, small_pages.convolutions),
        small_pages.quantized,
    ],
)
def test_the_decoder_is_that_of_tensorflow(pages, make):
    model, page = pages.open(make)
    count, categories = model.decoded_spec.num_variables, model.num_categories
    codes = np.random.default_rng(3).integers(0, categories, [5, model.num_variables])
    found = page.evaluate(
        "codes => codes.map(code => Array.from(explorer.model.decode(code)))",
        codes[:, :count].tolist(),
    )
    expected = np.asarray(model.decode(codes)).reshape([5, -1])
    np.testing.assert_allclose(found, expected, atol=1e-3)


@pytest.mark.parametrize("precision", ["int11", "int8"])
def test_weights_of_fewer_bits_are_unpacked(pages, tmp_path, precision):
    payload = small_pages.payload(small_pages.colour(), precision=precision)
    path = tmp_path / "page.html"
    path.write_text(explorer.page(payload), encoding="utf-8")
    page = pages.browser.new_page()
    page.goto(path.as_uri())
    page.evaluate("ready")
    codes = np.random.default_rng(3).integers(0, 3, [5, 4])
    found = page.evaluate(
        "codes => codes.map(code => Array.from(explorer.model.decode(code)))", codes.tolist()
    )
    expected = explorer.decode(payload, codes).reshape([5, -1])
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.slow
def test_the_generator_of_class_and_style_is_that_of_tensorflow(pages):
    model, page = pages.open(small_pages.class_and_style)
    style = np.random.default_rng(3).normal(size=[4, 3])
    found = page.evaluate(
        "styles => styles.map((style, y) => Array.from(explorer.model.generate(y, style)))",
        style.tolist(),
    )
    expected = np.asarray(model.generate(np.arange(4), style)).reshape([4, -1])
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_the_lstm_is_that_of_tensorflow(pages):
    model, page = pages.open(small_pages.categorical)
    symbols = np.array([[5, 2], [0, 1]])
    found = page.evaluate(
        "rows => rows.map(explorer.makeLstm(explorer.payload.code_prior).logitsOf)",
        symbols.tolist(),
    )
    expected = np.asarray(model.code_prior.logits_of(tf.constant(symbols, tf.int32)))
    for chunk, possible in enumerate((27, 3)):  # 4 variables in chunks of 3.
        rows = [row[chunk] for row in found]
        np.testing.assert_allclose(rows, expected[:, chunk, :possible], atol=1e-3)


def test_clicks_and_keys_change_the_code_and_the_image(pages):
    model, page = pages.open(small_pages.categorical)
    next_frame(page)
    code = page.evaluate("explorer.state.code")
    assert code == model.encode(small_pages.examples().observations[:1])[0].numpy().tolist()
    first = pixels(page, DECODED)
    other = (code[1] + 1) % 3
    page.click(f".cell[data-variable='1'][data-category='{other}']")
    next_frame(page)
    changed = pixels(page, DECODED)
    assert changed != first
    decoded = np.asarray(model.decode([[code[0], other, *code[2:]]])).reshape(-1)
    np.testing.assert_allclose(np.array(changed[::4]) / 255, decoded, atol=3e-3)
    assert (
        page.locator("[role=status] >> nth=0").text_content().startswith("1 of 4 variables differ")
    )
    page.click("button.name >> nth=1")  # To the next category, the third.
    assert page.evaluate("explorer.state.code[1]") == (code[1] + 2) % 3
    page.focus(".cell[data-variable='1'][tabindex='0']")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("explorer.state.code") == code
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowLeft")
    assert page.evaluate("explorer.state.focused") == 2
    assert page.evaluate("explorer.state.code[2]") == (code[2] + 2) % 3
    page.click("button[name=restore]")
    next_frame(page)
    assert page.evaluate("explorer.state.code") == code and pixels(page, DECODED) == first


def test_a_bit_is_flipped(pages):
    model, page = pages.open(small_pages.bits)
    next_frame(page)
    first, before = pixels(page, DECODED), page.evaluate("explorer.state.code")
    page.click(".bit >> nth=3")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    next_frame(page)
    after = page.evaluate("explorer.state.code")
    assert [n for n in range(12) if before[n] != after[n]] == [3, 4]
    assert pixels(page, DECODED) != first


def test_neighbours_are_sorted_by_hamming_distance(pages):
    model, page = pages.open(small_pages.categorical)
    page.evaluate("explorer.setCode([0, 1, 2, 0])")
    next_frame(page)
    found = page.eval_on_selector_all(
        ".neighbours .tile", "tiles => tiles.map(t => [t.dataset.index, t.dataset.distance])"
    )
    codes = np.asarray(model.encode(small_pages.examples().observations))
    distances = (codes != [0, 1, 2, 0]).sum(1)
    order = np.argsort(distances, kind="stable")[:8]
    assert [[int(i), int(d)] for i, d in found] == [[i, distances[i]] for i in order]
    page.click(".neighbours .tile >> nth=2")
    assert page.evaluate("explorer.state.index") == order[2]


@pytest.mark.slow
def test_samples_and_lower_temperatures(pages):
    model, page = pages.open(small_pages.categorical)
    next_frame(page)
    before = pixels(page, "[aria-label='Sample 1: edit its code'] canvas")
    for name, words in (("sample-prior", "the prior."), ("sample-code-prior", "the LSTM prior at")):
        page.click(f"button[name={name}]")
        next_frame(page)
        after = pixels(page, "[aria-label='Sample 1: edit its code'] canvas")
        assert after != before
        assert f"samples of {words}" in page.locator("[role=status] >> nth=1").text_content()
        before = after
    set_slider(page, "lstm-temperature", 0.2)  # The same random numbers, a colder prior.
    next_frame(page)
    assert "at temperature 0.20" in page.locator("[role=status] >> nth=1").text_content()
    set_slider(page, "lstm-temperature", 1)
    next_frame(page)
    assert pixels(page, "[aria-label='Sample 1: edit its code'] canvas") == before
    page.click("[aria-label='Sample 1: edit its code']")
    next_frame(page)
    assert pixels(page, DECODED) == before
    warm, cold = (pixels(page, f"[aria-label='Reconstruction at {t}']") for t in ("2", "0.1"))
    assert warm != cold


@pytest.mark.slow
def test_a_class_is_chosen_and_a_style_is_changed(pages):
    _, page = pages.open(small_pages.class_and_style)
    next_frame(page)
    assert "class probabilities: " in page.locator(".inline figcaption >> nth=0").text_content()
    said = page.locator(".inline .bars >> nth=0").get_attribute("aria-label")
    assert re.match(r"Probability of each class: 0 0\.\d+, 1 0\.\d+", said)
    selector = "canvas[aria-label='Decoded class and style']"
    seen = [pixels(page, selector)]
    page.click("[data-class='7']")
    next_frame(page)
    seen.append(pixels(page, selector))
    page.click("button[name=new-style]")
    next_frame(page)
    seen.append(pixels(page, selector))
    set_slider(page, "style-2", 3)
    seen.append(pixels(page, selector))
    assert all(one != other for one, other in zip(seen, seen[1:], strict=False))


@pytest.mark.slow
def test_images_are_chosen_by_keys_and_filtered_by_class(pages):
    _, page = pages.open(small_pages.categorical)
    page.focus("[role=option][tabindex='0']")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("explorer.state.index") == 1
    page.click(".chip >> text=5")
    shown = page.eval_on_selector_all(
        "[role=option]", "all => all.filter(o => !o.hidden).map(o => Number(o.dataset.index))"
    )
    assert shown == [4, 8, 10]
    page.click(
        ".cell[data-variable='0'][aria-checked='false'] >> nth=0"
    )  # Of an image that is hidden.
    reached = page.eval_on_selector_all(
        "[role=option]",
        "all => all.filter(o => o.tabIndex === 0).map(o => Number(o.dataset.index))",
    )
    assert reached == [4]


@pytest.mark.slow
def test_many_categories_are_shown_a_page_at_a_time(pages):
    _, page = pages.open(small_pages.many_categories)
    next_frame(page)

    def captions():
        return page.eval_on_selector_all(
            ".strip .tile", "all => all.filter(o => !o.hidden).map(o => Number(o.textContent))"
        )

    page.evaluate("explorer.setCode([39, 0])")
    page.click("button.name >> nth=0")  # From the last category to the first.
    next_frame(page)
    assert captions() == list(range(32))
    page.click("button[name=categories-after]")
    next_frame(page)
    assert captions() == list(range(32, 40))
    assert "Categories 32 to 39 of 40 of z1" in page.locator(".strip h3").text_content()
    page.click(".strip .tile >> nth=3")
    next_frame(page)
    assert page.evaluate("explorer.state.code") == [35, 0] and captions() == list(range(32, 40))
    assert page.evaluate("explorer.milliseconds") >= 0  # To decode, for the frame after it.


@pytest.mark.slow
@pytest.mark.parametrize(
    ("make", "scheme"),
    [(small_pages.categorical, "light"), (small_pages.class_and_style, "dark")],
    ids=["light", "dark"],
)
def test_it_fits_a_phone_and_its_text_can_be_read(pages, make, scheme):
    _, page = pages.open(make, viewport={"width": 360, "height": 740}, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    colours = page.eval_on_selector_all(
        ".lead, h2, button, output, th",
        """all => all.map(element => {
          let behind = element;
          const shade = e => getComputedStyle(e).backgroundColor;
          while (/rgba\\(.*, 0\\)|transparent/.test(shade(behind))) behind = behind.parentElement;
          return [getComputedStyle(element).color, shade(behind)];
        })""",
    )
    assert len(colours) > 20
    assert min(contrast(*pair) for pair in set(map(tuple, colours))) >= 4.5


def contrast(one, other):
    """The ratio of two colours' luminances, as WCAG defines it; 4.5 is its level AA."""

    def luminance(colour):
        rgb = np.array([float(x) for x in colour[colour.index("(") + 1 : -1].split(",")[:3]]) / 255
        linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
        return linear @ [0.2126, 0.7152, 0.0722]

    bright, dark = sorted([luminance(one), luminance(other)], reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def test_without_a_browser_the_tests_say_so(monkeypatch):
    monkeypatch.delenv("TF_DISCRETE_BROWSER", raising=False)
    monkeypatch.setattr(browsers.shutil, "which", lambda name: None)
    pytest.importorskip("playwright.sync_api", reason="Playwright is an extra")
    with pytest.raises(pytest.skip.Exception, match="no browser on this machine: apt-get install"):
        with browsers.launched():
            pass
