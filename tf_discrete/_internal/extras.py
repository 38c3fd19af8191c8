"""Imports of packages that are extras: an error names the extra to install."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator


@contextlib.contextmanager
def required(rule: str, extra: str, otherwise: str = "") -> Iterator[None]:
    """Context of the imports of an extra.

    Args:
        rule: What needs which package, as a sentence without its full stop.
        extra: Name of the extra in `setup.py`.
        otherwise: What works without the package, as the end of the sentence that says how to install
            it. Default: nothing.

    Raises:
        ImportError: An import in the block failed; has the reason.

    Example:
        >>> with required("Parquet files need pyarrow", "parquet"):
        ...     import no_such_package
        Traceback (most recent call last):
        ImportError: Parquet files need pyarrow. Install it: pip install 'tf-discrete[parquet]'. Received:
        No module named 'no_such_package'
    """
    try:
        yield
    except ImportError as error:
        raise ImportError(
            f"{rule}. Install it: pip install 'tf-discrete[{extra}]'{otherwise}. Received: {error}"
        ) from error
