"""What in the folder of a run could act on its reader: modules that it names, paths that leave it."""

from __future__ import annotations

import importlib
import os
import pathlib
import shlex
from collections.abc import Sequence
from typing import Any

import tensorflow as tf


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
    for module in allowed_modules(stored, given, trust, run):
        import_module(module)


def allowed_modules(
    stored: Any, given: Sequence[str], trust: bool, run: str | os.PathLike[str]
) -> tuple[str, ...]:
    """Returns the modules that `import_modules` imports.

    Raises:
        ValueError: The run needs modules that the user has not named.
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
    return tuple(dict.fromkeys((*stored, *given)))


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


def check_checkpoint_paths(folder: str | os.PathLike[str]) -> None:
    """Refuses a folder of checkpoints whose list names files outside of it.

    `tf.train.CheckpointManager` reads and deletes what the list names, wherever it is.

    Args:
        folder: Of one `CheckpointManager`, in `checkpoints/` of a run. A missing one is fine.

    Raises:
        ValueError: The list names a file outside of the folder, or the folder or the one above it is a
            link.
    """
    folder = pathlib.Path(folder)
    for link in (folder, folder.parent):
        if link.is_symlink():
            raise ValueError(
                "The checkpoints of a run must lie in its folder: old ones are deleted. Replace the link by "
                f"the folder itself, or move the whole run. Received: {str(link)!r}, a link to "
                f"{os.readlink(link)!r}"
            )
    state = tf.train.get_checkpoint_state(str(folder))
    if state is None:
        return
    inside = os.path.realpath(folder)
    for path in (state.model_checkpoint_path, *state.all_model_checkpoint_paths):
        if path and os.path.dirname(os.path.realpath(path)) != inside:
            raise ValueError(
                "The list of checkpoints must name files in its own folder: old ones are deleted. Remove "
                f"the list if you do not know where it comes from. Received: {str(folder / 'checkpoint')!r} "
                f"with {path!r}"
            )
