"""Executes the tutorials and stores their outputs: python -m tools.notebooks [NAME ...]

A tutorial is a notebook in docs/tutorials, committed with its outputs, so that a reader sees them without
running it. `make docs` turns it into a page of the site. The tests execute its cells too.
"""

from __future__ import annotations

import argparse
import pathlib
import tempfile

import nbclient
import nbformat

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "docs" / "tutorials"


def names() -> list[str]:
    """Returns the names of all tutorials."""
    return sorted(path.stem for path in FOLDER.glob("*.ipynb"))


def read(name: str) -> nbformat.NotebookNode:
    """Reads a tutorial."""
    return nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)


def execute(name: str) -> nbformat.NotebookNode:
    """Returns a tutorial with the outputs of a new kernel, in an empty folder, without times and warnings."""
    notebook = read(name)
    with tempfile.TemporaryDirectory() as folder:
        resources = {"metadata": {"path": folder}}
        nbclient.NotebookClient(notebook, timeout=900, resources=resources).execute()
    for cell in notebook.cells:
        cell.metadata.clear()
        if cell.cell_type == "code":
            cell.outputs = [out for out in cell.outputs if out.get("name") != "stderr"]
    return notebook


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"default: all of {names()}")
    for name in parser.parse_args().names or names():
        nbformat.write(execute(name), FOLDER / f"{name}.ipynb")
        print(f"docs/tutorials/{name}.ipynb", flush=True)


if __name__ == "__main__":
    main()
