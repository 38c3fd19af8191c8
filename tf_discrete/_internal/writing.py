"""Files and folders that are replaced atomically: for readers, after a kill, after a power cut."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import json
import os
import pathlib
import re
import shutil
import sys
import uuid
from collections.abc import Callable, Iterator

import tensorflow as tf

from tf_discrete._internal import checks, locking

_AT_FDCWD, _RENAME_EXCHANGE = -100, 2
_NOT_SUPPORTED = (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP)
_TEMPORARY = re.compile(r"\.(.+)\.tmp-[0-9a-f]{8}")
_NAMES_SHOWN = 8


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
    Where the system cannot exchange two paths in one step (Linux can), a kill between two renames leaves the
    old content in a temporary folder, and the next call puts it back.

    Args:
        path: Where the result goes; `~` is expanded, a symbolic link is followed, parent folders are created.
        overwrite: Whether to replace what is there already. An empty folder is always replaced.
        ours: Tells whether what is at `path` is of the kind that the caller writes. Nothing else is replaced.
        kind: What the caller writes, such as "SavedModel", for messages.

    Raises:
        FileExistsError: Something is at `path` already, and it may not or must not be replaced.
        OSError: No permission, no space, or another fault of the file system.
        ValueError: No path.
    """
    named, overwrite = expand(path), checks.flag("overwrite", overwrite)
    target = pathlib.Path(os.path.abspath(named))
    if target.is_symlink():
        target = pathlib.Path(os.path.realpath(target))
    with naming(named):
        _check_replaceable(target, named, overwrite, ours, kind)
        _make_folders(target.parent)
        sweep(target.parent, target.name.__eq__)
        with _temporary_folder(target) as folder:
            new = folder / target.name
            yield new
            _sync_tree(new)
            _check_replaceable(
                target, named, overwrite, ours, kind
            )  # It may have appeared meanwhile.
            _put_in_place(new, target)
            sync(target.parent)


def check_new_path(
    path: str | os.PathLike[str], ours: Callable[[pathlib.Path], bool], kind: str
) -> None:
    """Refuses what `new_path` with overwrite=True would refuse, before what is written has been made.

    Raises:
        FileExistsError: Something else is at `path`.
    """
    named = expand(path)
    _check_replaceable(pathlib.Path(os.path.realpath(named)), named, True, ours, kind)


@contextlib.contextmanager
def replaced_file(path: str | os.PathLike[str]) -> Iterator[pathlib.Path]:
    """As `new_path`, for a file inside a folder that the program owns: any file is replaced.

    Raises:
        OSError: No permission, no space, or a folder is at `path`.
    """
    with new_path(path, overwrite=True, ours=pathlib.Path.is_file, kind="file") as new:
        yield new


def starts_with(*beginnings: bytes) -> Callable[[pathlib.Path], bool]:
    """Returns the `ours` of files that begin with certain bytes.

    Example:
        >>> starts_with(b"PAR1")(pathlib.Path("/dev/null"))
        False
    """

    def is_ours(path: pathlib.Path) -> bool:
        if not path.is_file():
            return False
        with open(path, "rb") as file:
            return file.read(max(map(len, beginnings))).startswith(beginnings)

    return is_ours


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Writes a text file in UTF-8, atomically.

    Raises:
        OSError: No permission or no space; names the path.
    """
    with replaced_file(path) as new:
        new.write_text(text, encoding="utf-8")


def write_json(path: str | os.PathLike[str], value: object) -> None:
    """Writes a JSON file with sorted keys, atomically.

    Raises:
        OSError: No permission or no space; names the path.
    """
    write_text(path, json.dumps(value, indent=2, sort_keys=True) + "\n")


def expand(path: str | os.PathLike[str]) -> pathlib.Path:
    """Returns the path with `~` expanded.

    Raises:
        ValueError: No path, or an empty one.
    """
    return pathlib.Path(os.path.expanduser(checks.path("path", path)))


def is_temporary(name: str, of: Callable[[str], bool]) -> bool:
    """Returns whether a name is that of a temporary folder for a target whose name `of` accepts."""
    match = _TEMPORARY.fullmatch(name)
    return match is not None and of(match[1])


@contextlib.contextmanager
def naming(path: str | os.PathLike[str]) -> Iterator[None]:
    """Names the path in whatever the file system raises inside the block.

    Raises:
        OSError: The file system failed; `errno` is that of the cause.
    """
    try:
        yield
    except (OSError, tf.errors.OpError) as error:
        if "Received: " in str(error) or isinstance(error, _NO_FAULT_OF_FILES):
            raise
        named = OSError(
            "The path must be writable, with enough free space. Fix the permissions, free space, or choose "
            f"another path. Received: path={os.fspath(path)!r} ({error})"
        )
        named.errno = getattr(error, "errno", None)
        raise named from error


_NO_FAULT_OF_FILES = (tf.errors.InvalidArgumentError, tf.errors.UnimplementedError)


def _check_replaceable(
    target: pathlib.Path,
    named: pathlib.Path,
    overwrite: bool,
    ours: Callable[[pathlib.Path], bool],
    kind: str,
) -> None:
    if not os.path.lexists(target) or _is_empty_folder(target):
        return
    if not overwrite:
        raise FileExistsError(
            f"A {kind} is not written over what is there. Choose another path, or give overwrite=True. "
            f"Received: path={str(named)!r}"
        )
    if not ours(target):
        raise FileExistsError(
            f"Only a {kind} may be replaced by another {kind}. Choose another path, or remove what is there "
            f"yourself. Received: path={str(named)!r}, which is {_content(target)}"
        )


def _content(target: pathlib.Path) -> str:
    if not target.is_dir():
        return "a file of another kind"
    names = sorted(os.listdir(target))
    rest = len(names) - _NAMES_SHOWN
    more = f" and {rest} more" if rest > 0 else ""
    return f"a folder that holds {', '.join(names[:_NAMES_SHOWN])}{more}"


def _make_folders(folder: pathlib.Path) -> None:
    """Creates a folder and its parents; afterwards they are on the disk."""
    if not folder.is_dir():
        _make_folders(folder.parent)
        with contextlib.suppress(FileExistsError):  # Another process was faster, or it is a file.
            folder.mkdir()
            sync(folder.parent)
        if not folder.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder))


@contextlib.contextmanager
def _temporary_folder(target: pathlib.Path) -> Iterator[pathlib.Path]:
    """Returns a folder next to the target, held by a lock as long as this process lives, then removed."""
    with contextlib.ExitStack() as stack:
        while True:
            folder = target.with_name(f".{target.name}.tmp-{uuid.uuid4().hex[:8]}")
            folder.mkdir()
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
            try:
                stack.enter_context(locking.held(folder))
            except (BlockingIOError, FileNotFoundError):
                continue  # The sweep of another process took it for stale before it was held.
            except OSError:  # A file system without locks: nobody can sweep there either.
                break
            if folder.is_dir():
                break
        yield folder


def sweep(parent: pathlib.Path, of: Callable[[str], bool]) -> None:
    """Removes the temporary folders that killed processes have left, for targets whose name `of` accepts."""
    for entry in os.scandir(parent):
        match = _TEMPORARY.fullmatch(entry.name)
        if match and of(match[1]) and entry.is_dir(follow_symlinks=False):
            folder = pathlib.Path(entry.path)
            with contextlib.suppress(OSError):  # Held by a living process, or gone.
                with locking.held(folder):
                    _put_back(folder, parent / match[1])
                    shutil.rmtree(folder, ignore_errors=True)


def _put_back(folder: pathlib.Path, target: pathlib.Path) -> None:
    """Undoes the first of two renames of a process that was killed before the second."""
    old = _old(folder, target)
    if os.path.lexists(old) and not os.path.lexists(target):
        os.rename(old, target)


def _old(folder: pathlib.Path, target: pathlib.Path) -> pathlib.Path:
    return folder / f"{target.name}.old"


def _put_in_place(new: pathlib.Path, target: pathlib.Path) -> None:
    """Renames in one step; afterwards `new` may hold what was at the target."""
    if not os.path.lexists(target) or (new.is_file() and not target.is_dir()):
        os.replace(new, target)
    elif not _exchange(new, target):
        old = _old(new.parent, target)
        os.replace(target, old)
        try:
            os.replace(new, target)
        except OSError:
            os.replace(old, target)
            raise


def _exchange(one: pathlib.Path, other: pathlib.Path) -> bool:
    """Exchanges two paths in one step; returns False where the system cannot."""
    if not sys.platform.startswith("linux"):
        return False
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
    if os.name == "nt":  # There, only files that are open for writing can be waited for.
        return
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
