"""Files and folders that appear whole or not at all."""

from __future__ import annotations

import contextlib
import os
import pathlib
import shutil
import uuid
from collections.abc import Iterator

import tensorflow as tf


@contextlib.contextmanager
def new_path(path: str | os.PathLike[str], overwrite: bool) -> Iterator[pathlib.Path]:
    """A path beside `path` to write a file or a folder to; it takes its place when the block ends.

    If the block fails nothing is left of it, and what stood at `path` stays.

    Args:
        path: of a file or folder; parent folders are created.
        overwrite: whether it may stand already. An empty folder may always.

    Raises:
        FileExistsError: `path` stands already.
        OSError: no permission, no space, or another fault of the file system.
    """
    target = pathlib.Path(path)
    if not overwrite and target.exists() and not _is_empty_folder(target):
        raise FileExistsError(
            "An export is not written over what is there. Choose another path, or give overwrite=True. "
            f"Received: path={str(target)!r}"
        )
    temporary = target.with_name(f".{target.name}.tmp-{uuid.uuid4().hex[:8]}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        _replace(temporary, target)
    except (OSError, tf.errors.OpError) as error:
        raise OSError(
            "The export must be able to write its path. Mend the permissions, free space or choose "
            f"another one. Received: path={str(target)!r} ({error})"
        ) from error
    finally:
        _remove(temporary)


def _replace(new: pathlib.Path, target: pathlib.Path) -> None:
    if not target.exists() or (new.is_file() and target.is_file()):
        os.replace(new, target)
        return
    # A folder that is not empty cannot be replaced in one step.
    old = new.with_name(new.name + "-old")
    os.replace(target, old)
    try:
        os.replace(new, target)
    except OSError:
        os.replace(old, target)
        raise
    _remove(old)


def _remove(path: pathlib.Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink()


def _is_empty_folder(path: pathlib.Path) -> bool:
    return path.is_dir() and not any(path.iterdir())
