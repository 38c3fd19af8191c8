"""Derives the BUILD files from the imports: `--write` rewrites them, `--check` reports differences.

One target per Python file: a package's `__init__.py` is named after its folder, a test is a
`py_test`, a file with a main guard a `py_binary`, anything else a `py_library`. First-party imports
become labels, third-party ones `# pip:` comments. Needs the standard library only.
"""

from __future__ import annotations

import argparse
import ast
import graphlib
import pathlib
import re
import sys
from collections.abc import Iterator
from typing import NamedTuple

ROOT = pathlib.Path(__file__).resolve().parents[1]
TOP_FOLDERS = ("benchmarks", "examples", "tests", "tf_discrete", "tools", "trainers")
LOADS = {  # In the order in which the load lines stand.
    "@rules_python//python:defs.bzl": ("py_binary", "py_library"),
    "//tools:pytest.bzl": ("py_test",),
}
# Distributions whose name differs from the module's by more than `-` for `_`.
DISTRIBUTIONS = {
    "PIL": "pillow",
    "absl": "absl-py",
    "faiss": "faiss-cpu",
    "pyro": "pyro-ppl",
    "google": "protobuf",
    "yaml": "pyyaml",
    "sklearn": "scikit-learn",
}


class Target(NamedTuple):
    """One rule of a BUILD file."""

    rule: str
    label: str
    source: str
    data: list[str]
    deps: list[str]
    distributions: list[str]

    def stanza(self) -> str:
        """The target as BUILD text, with short labels."""
        folder, name = self.label.split(":")
        own = [x.removeprefix(folder) for x in self.deps if x.startswith(f"{folder}:")]
        others = [x for x in self.deps if not x.startswith(f"{folder}:")]
        # `//a/b:b` is written `//a/b`.
        deps = own + [re.sub(r"([^/:]+):\1$", r"\1", x) for x in others]
        lines = [f'name = "{name}",', f'srcs = ["{self.source}"],']
        if len(self.data) == 1:
            lines.append(f'data = ["{self.data[0]}"],')
        elif self.data:
            lines += ["data = [", *(f'    "{x}",' for x in self.data), "],"]
        if deps or self.distributions:
            comments = (f"    # pip: {x}" for x in self.distributions)
            lines += ["deps = [", *(f'    "{x}",' for x in deps), *comments, "],"]
        return "\n".join([f"{self.rule}(", *(f"    {x}" for x in lines), ")"])


def _label(path: pathlib.Path, sources: set[pathlib.Path]) -> str:
    """The label of a Python file, `//folder:name`."""
    folder = path.parent
    if path.name != "__init__.py":
        return f"//{folder.as_posix()}:{path.stem}"
    # If a package `x` has both `__init__.py` and `x.py`, the module keeps the plain name.
    suffix = "_init" if folder / f"{folder.name}.py" in sources else ""
    return f"//{folder.as_posix()}:{folder.name}{suffix}"


def _locate(module: str, sources: set[pathlib.Path]) -> pathlib.Path | None:
    """The file that holds a dotted first-party module, if there is one."""
    base = pathlib.Path(*module.split("."))
    return next((x for x in (base.with_suffix(".py"), base / "__init__.py") if x in sources), None)


def _imports(node: ast.AST, path: pathlib.Path) -> Iterator[tuple[str, str]]:
    """Every import below a node, in functions too, as (module, name taken from it or '')."""
    if isinstance(node, ast.Import):
        yield from ((alias.name, "") for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        # One leading dot is the file's own folder, each further dot one folder up.
        parts = path.parts[: -node.level] if node.level else ()
        module = ".".join([*parts, *([node.module] if node.module else [])])
        yield from ((module, alias.name) for alias in node.names)
    for child in ast.iter_child_nodes(node):
        # What only a type checker imports is no dependency.
        if not (isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING")):
            yield from _imports(child, path)


def _target(path: pathlib.Path, sources: set[pathlib.Path], root: pathlib.Path) -> Target:
    """Describes one Python file."""
    tree = ast.parse((root / path).read_text(encoding="utf-8"), filename=str(path))
    files, distributions = set(), set()
    for module, name in _imports(tree, path):
        top = module.split(".")[0]
        if top in TOP_FOLDERS:
            file = _locate(f"{module}.{name}", sources) or _locate(module, sources)
            if file is None:
                raise SystemExit(f"{path} imports {module}, which is no file of this project.")
            files.add(file)
        elif top not in sys.stdlib_module_names:
            distributions.add(DISTRIBUTIONS.get(top, top.replace("_", "-")))
    rule, data = "py_library", []
    if path.name.endswith("_test.py"):
        rule = "py_test"
        files |= {x / "conftest.py" for x in path.parents if x / "conftest.py" in sources}
    elif any(isinstance(x, ast.If) and "__main__" in ast.unparse(x.test) for x in tree.body):
        rule = "py_binary"
    elif path.name == "__init__.py":
        data = _data(root / path.parent)
    deps = [_label(file, sources) for file in files - {path}]
    deps.sort(key=lambda label: label.replace(":", "!"))  # A folder before its subfolders.
    return Target(rule, _label(path, sources), path.name, data, deps, sorted(distributions))


def _data(folder: pathlib.Path) -> list[str]:
    """The files of a package that are no code, also those of subfolders without Python."""
    below = [x for x in folder.iterdir() if x.is_dir() and x.name != "__pycache__"]
    folders = [folder, *(x for x in below if not any(x.rglob("*.py")))]
    files = [x for one in folders for x in one.iterdir() if x.is_file() and x.name != "BUILD"]
    return sorted(
        x.relative_to(folder).as_posix() for x in files if x.suffix not in (".py", ".bzl")
    )


def targets(root: pathlib.Path = ROOT) -> list[Target]:
    """All targets of the project.

    Raises:
      SystemExit: modules import each other in a circle, or import a module that is not there.
    """
    found = (path for top in TOP_FOLDERS for path in (root / top).rglob("*.py"))
    sources = {path.relative_to(root) for path in found}
    result = [_target(path, sources, root) for path in sources]
    graph = {target.label: target.deps for target in result}
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        raise SystemExit(f"Imports go round in a circle: {' <- '.join(error.args[1])}") from None
    return sorted(result, key=lambda target: target.label)


def render(root: pathlib.Path = ROOT) -> dict[pathlib.Path, list[str]]:
    """The stanzas that each BUILD file should hold."""
    folders: dict[str, list[Target]] = {}
    for target in targets(root):
        folders.setdefault(target.label[2:].split(":")[0], []).append(target)
    result = {}
    for folder, members in folders.items():
        loads = []
        for file, rules in LOADS.items():
            used = [f'"{rule}"' for rule in rules if rule in {x.rule for x in members}]
            loads += [f'load("{file}", {", ".join(used)})'] if used else []
        package = 'package(default_visibility = ["//visibility:public"])'
        stanzas = ["\n".join(loads), package, *(target.stanza() for target in members)]
        result[root / folder / "BUILD"] = stanzas
    return result


def _existing(root: pathlib.Path) -> dict[pathlib.Path, list[str]]:
    """The stanzas of the BUILD files that are there."""
    files = (file for top in TOP_FOLDERS for file in (root / top).rglob("BUILD") if file.is_file())
    return {file: file.read_text(encoding="utf-8").strip().split("\n\n") for file in files}


def differences(root: pathlib.Path = ROOT) -> list[str]:
    """Returns the changes that `--write` would make, one readable entry per stanza."""
    wanted, existing = render(root), _existing(root)
    report = []
    for file in sorted(wanted.keys() | existing.keys()):
        new, old = wanted.get(file, []), existing.get(file, [])
        name = file.relative_to(root).as_posix()
        entries = [f"{name}: missing or wrong:\n{x}" for x in new if x not in old]
        entries += [f"{name}: not wanted:\n{x}" for x in old if x not in new]
        if old != new and not entries:
            entries = [f"{name}: stanzas repeated or out of order"]
        report += entries
    return report


def main(argv: list[str] | None = None, root: pathlib.Path = ROOT) -> int:
    """Runs the command line; returns 1 where `--check` finds a difference."""
    parser = argparse.ArgumentParser(description="Derives the BUILD files from the imports.")
    mode = parser.add_mutually_exclusive_group(required=True)
    mode.add_argument("--check", action="store_true", help="report differences, change nothing")
    mode.add_argument("--write", action="store_true", help="rewrite the BUILD files")
    if parser.parse_args(argv).check:
        found = differences(root)
        print(
            "\n\n".join([*found, "Remedy: make build-files" if found else "All BUILD files hold."])
        )
        return int(bool(found))
    wanted = render(root)
    for file in _existing(root).keys() - wanted.keys():
        file.unlink()
    for file, stanzas in wanted.items():
        file.write_text("\n\n".join(stanzas) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
