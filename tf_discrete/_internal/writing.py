"""Files and folders that are replaced whole or not at all: for readers, after a kill, after a power cut."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import json
import os
import pathlib
import shutil
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import tensorflow as tf

from tf_discrete import checks
from tf_discrete._internal import locking

_AT_FDCWD, _RENAME_EXCHANGE = -100, 2
_NOT_SUPPORTED = (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP)


@contextlib.contextmanager
def new_path(
    path: str | os.PathLike[str],
    overwrite: bool,
    *,
    ours: Callable[[pathlib.Path], bool],
    kind: str,
) -> Iterator[pathlib.Path]:
    """Yields a path to write a file or a folder to; it takes the place of `path` when the block ends.

    If the block fails, nothing of it stays, and whatever was at `path` stays. A kill at any moment leaves
    either the old content or the new one; temporary folders of killed processes are removed by the next call.

    Args:
        path: Where the result goes; `~` is expanded and parent folders are created.
        overwrite: Whether to replace what is there already. An empty folder is always replaced.
        ours: Tells whether what is at `path` is of the kind that the caller writes. Nothing else is replaced.
        kind: What the caller writes, such as "SavedModel", for messages.

    Raises:
        FileExistsError: Something is at `path` already, and it may not or must not be replaced.
        OSError: No permission, no space, or another fault of the file system.
    """
    target, overwrite = expand(checks.path("path", path)), checks.flag("overwrite", overwrite)
    with naming(target):
        _check_replaceable(target, overwrite, ours, kind)
        target.parent.mkdir(parents=True, exist_ok=True)
        _sweep(target)
        with _temporary_folder(target) as folder:
            new = folder / target.name
            yield new
            _sync_tree(new)
            _put_in_place(new, target)
            sync(target.parent)


@contextlib.contextmanager
def replaced_file(path: str | os.PathLike[str]) -> Iterator[pathlib.Path]:
    """As `new_path`, for a file inside a folder that the program owns: any file is replaced.

    Raises:
        OSError: No permission, no space, or a folder is at `path`.
    """
    with new_path(path, overwrite=True, ours=pathlib.Path.is_file, kind="file") as new:
        yield new


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Writes a text file in UTF-8, whole or not at all.

    Raises:
        OSError: No permission or no space; names the path.
    """
    with replaced_file(path) as new:
        new.write_text(text, encoding="utf-8")


def write_json(path: str | os.PathLike[str], value: Any) -> None:
    """Writes a JSON file with sorted keys, whole or not at all.

    Raises:
        OSError: No permission or no space; names the path.
    """
    write_text(path, json.dumps(value, indent=2, sort_keys=True) + "\n")


def expand(path: str | os.PathLike[str]) -> pathlib.Path:
    """Returns the path with `~` expanded."""
    return pathlib.Path(os.path.expanduser(os.fspath(path)))


def _check_replaceable(
    target: pathlib.Path, overwrite: bool, ours: Callable[[pathlib.Path], bool], kind: str
) -> None:
    if not os.path.lexists(target) or _is_empty_folder(target):
        return
    if not overwrite:
        raise FileExistsError(
            f"A {kind} is not written over what is there. Choose another path, or give overwrite=True. "
            f"Received: path={str(target)!r}"
        )
    if not ours(target):
        raise FileExistsError(
            f"Only a {kind} may be replaced by another {kind}. Choose another path, or remove what is there "
            f"yourself. Received: path={str(target)!r}, which is {_content(target)}"
        )


def _content(target: pathlib.Path) -> str:
    if not target.is_dir():
        return "a file of another kind"
    names = sorted(os.listdir(target))
    more = f" and {len(names) - 4} more" if len(names) > 4 else ""
    return f"a folder that holds {', '.join(names[:4])}{more}"


@contextlib.contextmanager
def naming(target: pathlib.Path) -> Iterator[None]:
    """Names the path in whatever the file system raises."""
    try:
        yield
    except (OSError, tf.errors.OpError) as error:
        if isinstance(error, FileExistsError) and error.errno is None:  # From `new_path`.
            raise
        named = OSError(
            "The path must be writable, with enough free space. Fix the permissions, free space, or choose "
            f"another path. Received: path={str(target)!r} ({error})"
        )
        named.errno = getattr(error, "errno", None)
        raise named from error


@contextlib.contextmanager
def _temporary_folder(target: pathlib.Path) -> Iterator[pathlib.Path]:
    """A folder next to the target, held by a lock as long as this process lives, then removed."""
    with contextlib.ExitStack() as stack:
        while True:
            folder = target.with_name(f"{_prefix(target)}{uuid.uuid4().hex[:8]}")
            folder.mkdir()
            with contextlib.suppress(BlockingIOError, FileNotFoundError):
                stack.enter_context(locking.held(folder))
                if folder.is_dir():
                    break
            # Another process swept it before it was held.
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        yield folder


def _sweep(target: pathlib.Path) -> None:
    """Removes the temporary folders that killed processes have left next to the target."""
    prefix = _prefix(target)
    for entry in os.scandir(target.parent):
        if entry.name.startswith(prefix) and entry.is_dir(follow_symlinks=False):
            folder = pathlib.Path(entry.path)
            with contextlib.suppress(OSError):  # Held by a living process, or gone.
                with locking.held(folder):
                    shutil.rmtree(folder, ignore_errors=True)


def _prefix(target: pathlib.Path) -> str:
    return f".{target.name}.tmp-"


def _put_in_place(new: pathlib.Path, target: pathlib.Path) -> None:
    """Renames in one step; afterwards `new` may hold what was at the target."""
    if not os.path.lexists(target) or (new.is_file() and not target.is_dir()):
        os.replace(new, target)
    elif not _exchange(new, target):
        old = new.with_name("replaced")
        os.replace(target, old)
        try:
            os.replace(new, target)
        except OSError:
            os.replace(old, target)
            raise


def _exchange(one: pathlib.Path, other: pathlib.Path) -> bool:
    """Exchanges two paths in one step; returns False where the system cannot."""
    renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if renameat2 is None:
        return False
    paths = os.fsencode(one), os.fsencode(other)
    if renameat2(_AT_FDCWD, paths[0], _AT_FDCWD, paths[1], _RENAME_EXCHANGE) == 0:
        return True
    code = ctypes.get_errno()
    if code in _NOT_SUPPORTED:
        return False
    raise OSError(code, os.strerror(code), str(other))


def _sync_tree(path: pathlib.Path) -> None:
    for where, _, names in os.walk(path):
        for name in names:
            sync(pathlib.Path(where, name))
        sync(pathlib.Path(where))
    if path.is_file():
        sync(path)


def sync(path: pathlib.Path) -> None:
    """Waits until a file or the entries of a folder are on the disk, where the system can."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NOT_SUPPORTED:
            raise
    finally:
        os.close(descriptor)


def _is_empty_folder(path: pathlib.Path) -> bool:
    return path.is_dir() and not any(path.iterdir())
