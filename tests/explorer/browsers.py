"""A headless browser for tests, or a skip that says what is missing."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
HOW = "apt-get install chromium, or name one by TF_DISCRETE_BROWSER"


def executable() -> str | None:
    """Returns the path of a Chromium: of the environment, else of the system."""
    named = os.environ.get("TF_DISCRETE_BROWSER")
    return named or next(filter(None, map(shutil.which, NAMES)), None)


@contextlib.contextmanager
def launched() -> Iterator[Any]:
    """Yields a running browser; skips without Playwright or a browser."""
    api = pytest.importorskip(
        "playwright.sync_api", reason="Playwright is in the extra tf-discrete[browser]"
    )
    path = executable()
    if path is None:
        pytest.skip(f"no browser on this machine: {HOW}")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()
