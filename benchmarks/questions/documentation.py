"""Real vectors: TF-IDF rows of the docstrings of installed packages."""

from __future__ import annotations

import ast
import importlib.util
import pathlib
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

PACKAGES = ("keras", "numpy", "scipy", "sklearn")
FEWEST_WORDS = 40
TEST_EVERY = 5
MAX_SHARE = 0.5
"""Words that more of the texts have are left out."""


class Vectors(NamedTuple):
    """Rows of TF-IDF before they are normalised, and the module that each text is of."""

    train: np.ndarray  # float32 [n, V]
    train_labels: np.ndarray  # int64 [n]
    test: np.ndarray
    test_labels: np.ndarray


def texts(packages: tuple[str, ...] = PACKAGES) -> Iterator[tuple[str, str]]:
    """Yields a module such as keras.layers and a docstring of at least 40 words, each text once."""
    seen = set()
    for package in packages:
        spec = importlib.util.find_spec(package)
        if spec is None or not spec.submodule_search_locations:
            raise ValueError(f"The package must be installed. Received: package={package!r}")
        root = pathlib.Path(spec.submodule_search_locations[0])
        for path in sorted(root.rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            if any("test" in part for part in parts):
                continue
            folders = [part for part in parts if part not in ("src", "_core", "__init__")]
            label = ".".join([package, *folders[:1]])
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.FunctionDef | ast.ClassDef):
                    text = ast.get_docstring(node) or ""
                    if len(text.split()) >= FEWEST_WORDS and text not in seen:
                        seen.add(text)
                        yield label, text


def vectors(num_words: int = 2000, packages: tuple[str, ...] = PACKAGES) -> Vectors:
    """Returns TF-IDF rows of the most frequent words; every fifth text is for testing."""
    from sklearn.feature_extraction.text import TfidfVectorizer  # Slow to import.

    labels, documents = zip(*texts(packages), strict=True)
    weigh = TfidfVectorizer(
        token_pattern=r"[a-z]{3,}",
        max_df=MAX_SHARE,
        max_features=num_words,
        sublinear_tf=True,
        norm=None,
    )
    rows = weigh.fit_transform(documents).toarray().astype(np.float32)
    _, numbers = np.unique(labels, return_inverse=True)
    usable = rows.any(axis=1)
    rows, numbers = rows[usable], numbers[usable]
    test = np.arange(len(rows)) % TEST_EVERY == TEST_EVERY - 1
    return Vectors(rows[~test], numbers[~test], rows[test], numbers[test])
