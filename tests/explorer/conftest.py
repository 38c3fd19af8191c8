"""One browser for all tests of the explorer, and its pages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.explorer import browsers
from tests.explorer.pages import Pages


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """A running browser; skips where there is none."""
    with browsers.launched() as found:
        yield found


@pytest.fixture(scope="module")
def opened(browser, tmp_path_factory):
    return Pages(browser, tmp_path_factory.mktemp("pages"))


@pytest.fixture
def pages(opened):
    opened.errors.clear()
    opened.requests.clear()
    yield opened
    for context in opened.browser.contexts:
        context.close()
    assert opened.errors == []
    assert {url.split(":")[0] for url in opened.requests} <= {"file", "data"}
