"""Puts docs/explorer.html together again from its model and the sources: `--write`, or `--check`."""

from __future__ import annotations

import argparse
import json
import pathlib
import re
import sys

from tf_discrete import explorer

ROOT = pathlib.Path(__file__).resolve().parents[1]
TARGET = ROOT / "docs" / "explorer.html"

_PAYLOAD = re.compile(r'<script type="application/json" id="payload">(.*?)</script>', re.DOTALL)


def rebuilt(text: str) -> str:
    """Returns a page as the present sources make it of the same model and images."""
    found = _PAYLOAD.search(text)
    if found is None:
        raise ValueError(
            "The page must be one of trainers.explore. Write it again with it. "
            "Received: a page without payload"
        )
    return explorer.page(json.loads(found[1]))


def main(argv: list[str] | None = None) -> int:
    """Runs the command line; returns 1 where `--check` finds a difference."""
    parser = argparse.ArgumentParser(description=__doc__)
    mode = parser.add_mutually_exclusive_group(required=True)
    mode.add_argument("--check", action="store_true", help="report a difference, change nothing")
    mode.add_argument("--write", action="store_true", help="rewrite the page")
    arguments = parser.parse_args(argv)
    text = TARGET.read_text(encoding="utf-8")
    new = rebuilt(text)
    if arguments.write:
        TARGET.write_text(new, encoding="utf-8")
    elif new != text:
        print(f"{TARGET} is not of these sources. Remedy: python -m tools.explorer_page --write")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
