"""The modules that the folder of a run names: code that could act on its reader."""

from __future__ import annotations

import importlib
import os
import shlex
from collections.abc import Sequence
from typing import Any


def import_modules(
    stored: Any, given: Sequence[str], trust: bool, run: str | os.PathLike[str]
) -> None:
    """Imports the modules that a user has named, and those of a run that the user trusts.

    Args:
        stored: Modules that the configuration of the run names. They are code, and are imported only if
            each of them is among `given`, or with `trust`.
        given: Modules that the user has named.
        trust: Whether all modules of the run are imported.
        run: Folder of the run, for messages.

    Raises:
        ValueError: The run needs modules that the user has not named, or one that cannot be imported.
    """
    if not isinstance(stored, (list, tuple)) or not all(isinstance(x, str) for x in stored):
        raise ValueError(
            "import_module in the configuration of a run must be a list of names. Correct the file. "
            f"Received: run={os.fspath(run)!r} with import_module={stored!r}"
        )
    unnamed = [module for module in stored if module not in given]
    if unnamed and not trust:
        wanted = shlex.quote(",".join(dict.fromkeys((*stored, *given))))
        raise ValueError(
            "The modules of a run are code, and are imported only if you name them. If you trust them, give "
            f"--import_module={wanted}, or --trust_run where the program has it. Received: "
            f"run={os.fspath(run)!r} with import_module={list(stored)!r}"
        )
    for module in dict.fromkeys((*stored, *given)):
        import_module(module)


def import_module(module: str) -> None:
    """Imports a module that registers classes of the user.

    Raises:
        ValueError: There is no such module.
    """
    try:
        importlib.import_module(module)
    except ImportError as error:
        raise ValueError(
            "import_module must name modules on the Python path. "
            f"Received: import_module={module!r} ({error})"
        ) from error
