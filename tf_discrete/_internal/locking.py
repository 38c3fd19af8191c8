"""Locks that the kernel releases when the process ends, however it ends."""

from __future__ import annotations

import contextlib
import errno
import os
import pathlib
import socket
from collections.abc import Iterator

try:
    import fcntl
except ImportError:  # Windows has no such locks; there, one process at a time is up to the user.
    fcntl = None  # type: ignore[assignment]

LOCK_FILE = ".lock"
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP)


class InUseError(BlockingIOError):
    """Another process is writing the same folder."""


@contextlib.contextmanager
def lock(folder: str | os.PathLike[str]) -> Iterator[None]:
    """Keeps a folder for this process alone until the block ends or the process is gone.

    The file `.lock` in the folder holds the process id while the lock is held, and is removed afterwards.
    On a file system without locks nothing is kept.

    Args:
        folder: An existing folder.

    Raises:
        InUseError: Another process, whose id the message gives, holds the folder.
        OSError: The folder is missing or may not be written.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder, lock(folder):
        ...     print(os.listdir(folder))
        ['.lock']
    """
    path = pathlib.Path(folder) / LOCK_FILE
    while True:
        descriptor = _open(path)
        try:
            _take(descriptor)
        except OSError as error:
            if error.errno in _NO_LOCKS:
                break
            owner = os.read(descriptor, 200).decode(errors="replace") or "an unknown process"
            os.close(descriptor)
            raise InUseError(
                "A folder is written by one process at a time. Wait for the other process, stop it, or "
                f"choose another folder. Received: folder={os.fspath(folder)!r}, in use by {owner}"
            ) from None
        if _is_at(descriptor, path):
            break
        os.close(descriptor)  # The previous owner has just removed this file.
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"process {os.getpid()} on {socket.gethostname()}".encode(), 0)
        yield
    finally:
        with contextlib.suppress(OSError):
            if _is_at(descriptor, path):  # Or the folder was replaced, and another holds it.
                path.unlink()
        os.close(descriptor)


@contextlib.contextmanager
def held(folder: pathlib.Path) -> Iterator[None]:
    """Holds a folder by a lock on the folder itself, without a file.

    Raises:
        BlockingIOError: A living process holds it.
        OSError: There is no such folder.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        _take(descriptor)
        yield
    finally:
        os.close(descriptor)


def _open(path: pathlib.Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        named = OSError(
            "The folder must exist and be writable. Fix the permissions, free space, or choose another "
            f"folder. Received: folder={str(path.parent)!r} ({error})"
        )
        named.errno = error.errno
        raise named from error


def _take(descriptor: int) -> None:
    if fcntl is not None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _is_at(descriptor: int, path: pathlib.Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False
