"""Every registered estimator has a complete section in docs/estimators.md and an example in its docstring."""

import pathlib
import re

import pytest

from tests import docstrings_test
from tf_discrete import estimators

GUIDE = pathlib.Path(__file__).resolve().parents[2] / "docs" / "estimators.md"
SECTIONS = re.findall(r"^### `(\w+)`\n(.*?)(?=^##|\Z)", GUIDE.read_text(), re.DOTALL | re.MULTILINE)


def family(name):
    """The heading above the section of an estimator."""
    before = GUIDE.read_text().split(f"### `{name}`")[0]
    return re.findall(r"^## (\w+)", before, re.MULTILINE)[-1].lower()


def test_every_estimator_has_one_section_and_nothing_else_has():
    assert sorted(name for name, _ in SECTIONS) == estimators.names()


@pytest.mark.parametrize("name,text", SECTIONS, ids=[name for name, _ in SECTIONS])
def test_a_section_is_complete(name, text):
    assert re.search(r"^```text\n[ -~\n]+^```$", text, re.MULTILINE), "no formula in ASCII"
    for part in ("- **Exact**: ", "- **Cost**: ", "- **Choose it** "):
        assert part in text, f"{part} is missing"
    assert f"<!-- table: measured {name} -->" in text
    assert family(name) == estimators.get_class(name).family
    supports = estimators.get_class(name).spec.supports
    for latents in ("bernoulli", "categorical"):
        assert (f"{latents.capitalize()} latents only" in text) == (supports == (latents,))


def test_the_decision_guide_names_registered_estimators():
    guide = GUIDE.read_text().split("## Which one?")[1].split("<!-- table")[0]
    rows = [line.split("|")[2] for line in guide.splitlines() if line.startswith("|")][2:]
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert len(rows) > 5 and named <= set(estimators.names())


def test_every_erratum_has_a_formula_a_test_and_the_form_that_holds():
    """The tests that the table names exist, and it names all tests of errata."""
    text = GUIDE.read_text().split("\n## Errata\n")[1]
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    assert len(rows) > 3 and all(len(row) == 3 and all(row) for row in rows)
    named = set(
        re.findall(r"(\w+)(?:\.\.\.)?`", " ".join(re.findall(r"`[^`]*\btest_[^`]*`", text)))
    )
    folder = GUIDE.parents[1] / "tests" / "estimators"
    written = {
        name
        for path in folder.glob("*_test.py")
        for name in re.findall(r"^def (test_\w+)", path.read_text(), re.MULTILINE)
    }
    assert all(any(test.startswith(name) for test in written) for name in named)
    assert {test for test in written if test.startswith("test_erratum_")} <= named


@pytest.mark.parametrize("name", estimators.names())
def test_every_estimator_shows_how_it_is_used(name):
    assert docstrings_test.examples(estimators.get_class(name))
