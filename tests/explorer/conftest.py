"""One browser for all tests of the explorer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.explorer import browsers


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """A running browser; skips where there is none."""
    with browsers.launched() as found:
        yield found
