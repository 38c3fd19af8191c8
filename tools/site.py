"""Writes the sources of the documentation site to build/docs: python -m tools.site.

The pages are the documents of the repository, with their links turned to pages of the site, and an API
reference with every public name of the package, which mkdocstrings reads from the docstrings. `make docs`
builds the site from them.
"""

from __future__ import annotations

import importlib
import inspect
import os
import pathlib
import re
import shutil
from types import ModuleType

import nbconvert

from tools import notebooks

ROOT = pathlib.Path(__file__).resolve().parent.parent
TARGET = ROOT / "build" / "docs"

DOCUMENTS = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "benchmarks/README.md": "benchmarks.md",
}
"""Pages of documents outside docs/, whose files keep their names."""

MODULES = (
    *("layers", "layers.quantizers", "models", "estimators", "distributions", "likelihoods"),
    *("objectives", "schedules", "losses", "functional", "optimizers", "callbacks", "datasets"),
    *("evaluation", "codes", "codes.code_files", "codes.stores", "explorer", "explorer.notebook"),
    *("export", "plots", "seeds", "types"),
)
"""Public modules of tf_discrete, each with a page. A name stands on the first page that has it."""

FILES = {"docs/explorer.html": "ready_explorer.html"}
"""Files of the repository that the site has too, and their names there: none that a page has."""

_FENCED = re.compile(r"(^```.*?^```$)", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)")
_MARKS = re.compile(r"^<!--.*?-->\n", re.MULTILINE)


def main() -> None:
    """Writes all pages anew."""
    shutil.rmtree(TARGET, ignore_errors=True)
    shutil.copytree(ROOT / "docs" / "images", TARGET / "images")
    for source, target in pages().items():
        if source.endswith(".ipynb"):
            text = tutorial(pathlib.Path(source))
        else:
            text = converted((ROOT / source).read_text(encoding="utf-8"), source)
        (TARGET / target).write_text(text, encoding="utf-8")
    for name in (name for name in pages() if name.endswith(".ipynb")):
        shutil.copy(ROOT / name, TARGET)
    for name, target in FILES.items():
        shutil.copy(ROOT / name, TARGET / target)
    for name, text in reference().items():
        path = TARGET / "api" / f"{name}.md"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    print(f"{TARGET}: {len(list(TARGET.rglob('*.md')))} pages")


def pages() -> dict[str, str]:
    """Returns the page of each document, both as paths: in the repository, and in the site."""
    guides = sorted(path.name for path in (ROOT / "docs").glob("*.md"))
    tutorials = {
        f"docs/tutorials/{name}.ipynb": f"tutorial_{name}.md" for name in notebooks.names()
    }
    return {**DOCUMENTS, **{f"docs/{name}": name for name in guides}, **tutorials}


def tutorial(path: pathlib.Path) -> str:
    """Returns the page of a notebook, with its outputs, and writes its pictures."""
    notebook = notebooks.read(path.stem)
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = converted(cell.source, path.as_posix())
    text, resources = nbconvert.MarkdownExporter().from_notebook_node(notebook)
    for name, picture in resources["outputs"].items():
        (TARGET / "images" / f"{path.stem}_{name}").write_bytes(picture)
        text = text.replace(f"]({name})", f"](images/{path.stem}_{name})")
    return f"*This page is the notebook [{path.name}]({path.name}).*\n\n{text}"


def converted(text: str, source: str) -> str:
    """Returns a document with links to pages and pictures of the site.

    A link to a file of the repository that is no page becomes its text, followed by the path.

    Args:
        text: The document, in Markdown.
        source: Its path in the repository.

    Example:
        >>> converted("[a](docs/codes.md#b), [c](benchmarks/results)", "README.md")
        '[a](codes.md#b), c (`benchmarks/results`)'
        >>> converted("[d](../README.md)", "docs/codes.md")
        '[d](index.md)'
    """
    known = pages()

    def turned(match: re.Match[str]) -> str:
        picture, words, target = match.groups()
        path, hash_sign, anchor = target.partition("#")
        if not path or re.match(r"[a-z]+:", target):
            return match.group()
        path = os.path.normpath(os.path.join(os.path.dirname(source), path))
        if path in known:
            return f"[{words}]({known[path]}{hash_sign}{anchor})"
        if path in FILES:
            return f"[{words}]({FILES[path]})"
        if path.startswith("docs/images/"):
            return f"{picture}[{words}]({path.removeprefix('docs/')})"
        return words if path in words else f"{words} (`{path}`)"

    parts = _FENCED.split(_MARKS.sub("", text))
    return "".join(part if part.startswith("```") else _LINK.sub(turned, part) for part in parts)


def reference() -> dict[str, str]:
    """Returns the pages of the API reference by module: every public name, once."""
    seen: dict[str, str] = {}
    found = {}
    for name in MODULES:
        module = importlib.import_module(f"tf_discrete.{name}")
        parts = [f"# {module.__name__}\n\n{converted_docstring(module)}"]
        for public in public_names(module):
            path = object_path(module, public)
            if path in seen:
                short = path.rsplit(".", 1)[-1]
                parts.append(f"`{public}`: see [{seen[path]}.{short}]({seen[path]}.md).")
                continue
            seen[path] = name
            parts.append(f"::: {path}\n    options:\n      heading_level: 2")
        found[name] = "\n\n".join(parts) + "\n"
    return {"index": overview(), **found}


def overview() -> str:
    """Returns the first page of the reference: a table of the modules."""
    rows = []
    for name in MODULES:
        module = importlib.import_module(f"tf_discrete.{name}")
        line = (module.__doc__ or "").strip().split("\n")[0]
        rows.append(f"| [`tf_discrete.{name}`]({name}.md) | {line} |")
    head = "# API reference\n\nEvery public name of the package, from its docstrings.\n"
    return "\n".join([head, "| module | content |", "| --- | --- |", *rows, ""])


def public_names(module: ModuleType) -> list[str]:
    """Returns the public names of a module: its `__all__`, or else what it defines or exports itself.

    Modules have pages of their own, and are left out.
    """
    names = getattr(module, "__all__", None)
    if names is None:
        names = [
            name
            for name, value in vars(module).items()
            if not name.startswith("_")
            and getattr(value, "__module__", "").startswith("tf_discrete")
        ]
    return [name for name in names if not inspect.ismodule(getattr(module, name))]


def object_path(module: ModuleType, name: str) -> str:
    """Returns where a public name is defined, as mkdocstrings takes it; constants stay as named."""
    value = getattr(module, name)
    home, qualified = getattr(value, "__module__", ""), getattr(value, "__qualname__", "")
    if inspect.isclass(value) or inspect.isfunction(value):
        if home.startswith("tf_discrete") and hasattr(importlib.import_module(home), qualified):
            return f"{home}.{qualified}"
    return f"{module.__name__}.{name}"


def converted_docstring(module: ModuleType) -> str:
    """Returns the docstring of a module as Markdown."""
    return inspect.cleandoc(module.__doc__ or "")


if __name__ == "__main__":
    main()
