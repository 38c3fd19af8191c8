"""Writes a new estimator, likelihood or data set as a worked example to edit, with all that the tests demand.

    python -m tools.new_component estimator my_estimator

It writes the module and its test, and adds the import line, the section of the guide, the line in the
changelog, the tables and the BUILD targets. What it writes works at once; templates are in tools/templates.
"""

from __future__ import annotations

import argparse
import pathlib
import re
import subprocess
import sys
from collections.abc import Mapping

ROOT = pathlib.Path(__file__).resolve().parent.parent
TEMPLATES = pathlib.Path(__file__).resolve().parent / "templates"
PACKAGES = {"estimator": "estimators", "likelihood": "likelihoods", "dataset": "datasets"}
_CHANGELOG = {
    "estimator": "- **Estimator `{name}`**: say in one line what it does.",
    "likelihood": "- **Likelihood `{name}`**: say in one line what it is for.",
    "dataset": "- **Data set `{name}`**: say in one line what it holds.",
}


def write(kind: str, name: str, root: pathlib.Path = ROOT) -> list[pathlib.Path]:
    """Writes the files of a component and adds the lines to others.

    Args:
        kind: "estimator", "likelihood" or "dataset".
        name: that users type, in snake case.
        root: of the repository.

    Returns:
        The files that were written or changed.

    Raises:
        ValueError: a name that is no snake case.
        FileExistsError: a module or a test of the name is there already.
    """
    if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", name):
        raise ValueError(f"A name must be in snake case. Choose another. Received: name={name!r}")
    package = PACKAGES[kind]
    module, test = f"tf_discrete/{package}/{name}.py", f"tests/{package}/{name}_test.py"
    for path in (module, test):
        if (root / path).exists():
            raise FileExistsError(
                f"A new component must not replace a file. Choose another name. Received: name={name!r}, "
                f"which has {path}"
            )
    words = {"name": name, "Name": name.title().replace("_", "")}
    changed = [root / module, root / test]
    for path, template in ((module, kind), (test, f"{kind}_test")):
        (root / path).parent.mkdir(exist_ok=True)
        (root / path).write_text(_fill(template + ".py.txt", words))
    changed.append(_add_import(kind, words, root))
    changed.append(_add_to_changelog(_CHANGELOG[kind].format(**words), root))
    if kind == "estimator":
        changed.append(_add_section(_fill("estimator.md.txt", words), root))
    return changed


def _fill(template: str, words: dict[str, str]) -> str:
    text = (TEMPLATES / template).read_text()
    for key, value in words.items():
        text = text.replace(f"@{key}@", value)
    return text


def _add_import(kind: str, words: dict[str, str], root: pathlib.Path) -> pathlib.Path:
    """Adds the line before the first import of the package that sorts after it."""
    path = root / f"tf_discrete/{PACKAGES[kind]}/__init__.py"
    package = f"tf_discrete.{PACKAGES[kind]}"
    line = f"from {package}.{words['name']} import {words['Name']} as {words['Name']}\n"
    if kind == "dataset":
        line = f"from {package} import {words['name']} as {words['name']}\n"
    lines = path.read_text().splitlines(keepends=True)
    after = [i for i, other in enumerate(lines) if other.startswith("from ") and other > line]
    if not after:
        raise ValueError(f"{path} must import its registry. Add the line by hand: {line}")
    index = after[0]
    path.write_text("".join([*lines[:index], line, *lines[index:]]))
    return path


def _add_to_changelog(line: str, root: pathlib.Path) -> pathlib.Path:
    path = root / "CHANGELOG.md"
    before, heading, after = path.read_text().partition("\n### Added\n\n")
    path.write_text(f"{before}{heading}{line}\n{after}")
    return path


def _add_section(section: str, root: pathlib.Path) -> pathlib.Path:
    """Adds a section as the last one of the pathwise estimators."""
    path = root / "docs/estimators.md"
    before, heading, after = path.read_text().partition("## Score estimators\n")
    path.write_text(f"{before}{section}\n{heading}{after}")
    return path


def bring_up_to_date(root: pathlib.Path, environment: Mapping[str, str] | None = None) -> None:
    """Runs what formats the sources and generates BUILD files and tables, in an environment."""
    for command in (
        [sys.executable, "-m", "ruff", "check", "--fix", "--quiet", "."],
        [sys.executable, "-m", "ruff", "format", "--quiet", "."],
        [sys.executable, "tools/build_files.py", "--write"],
        [sys.executable, "-m", "tools.tables", "--write"],
    ):
        subprocess.run(command, cwd=root, check=True, env=environment)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("kind", choices=PACKAGES)
    parser.add_argument("name", help="that users type, in snake case")
    arguments = parser.parse_args()
    try:
        changed = write(arguments.kind, arguments.name)
    except (ValueError, FileExistsError) as error:
        parser.error(str(error))
    bring_up_to_date(ROOT)
    print("Written, to be edited:")
    for path in changed:
        print(f"  {path.relative_to(ROOT)}")
    print("Then run make conformance, and make test.")


if __name__ == "__main__":
    main()
