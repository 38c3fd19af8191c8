"""Reading of files that may be missing, damaged, huge or hostile: one error that says what to do."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import stat
import time
from collections.abc import Callable, Iterator
from typing import IO, Any, TypeVar

import numpy as np

Result = TypeVar("Result")

MAX_TEXT_BYTES = 256 * 2**20
"""Default limit of JSON and text files."""
_TRIES, _PAUSE = 100, 1e-3


class DamagedFileError(ValueError):
    """A file cannot be read as what it should be."""


@contextlib.contextmanager
def reading(path: str | os.PathLike[str], expected: str, remedy: str) -> Iterator[None]:
    """Turns whatever a parser raises inside the block into one error that names the file.

    Args:
        path: The file that is read.
        expected: What it must be, such as "the configuration of a run, a JSON object".
        remedy: What to do, as a sentence.

    Raises:
        DamagedFileError: The block failed, for any reason but those below.
        FileNotFoundError: The file is missing.
        PermissionError: It may not be read.

    Example:
        >>> with reading("a.json", "a JSON object", "Write it again."):
        ...     json.loads("{")
        Traceback (most recent call last):
        ...
        tf_discrete._internal.reading.DamagedFileError: The file must be a JSON object. Write it again. ...
    """
    try:
        yield
    except DamagedFileError:
        raise
    except (FileNotFoundError, NotADirectoryError) as error:
        raise FileNotFoundError(
            f"The file must exist: {expected}. Check the path. {remedy} Received: path={os.fspath(path)!r}"
        ) from error
    except PermissionError as error:
        raise PermissionError(
            f"The file must be readable: {expected}. Fix the permissions. "
            f"Received: path={os.fspath(path)!r} ({error})"
        ) from error
    except (KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as error:  # A panic in Rust is no Exception.
        raise damaged(path, expected, remedy, reason(error)) from error


def damaged(
    path: str | os.PathLike[str], expected: str, remedy: str, reason: object
) -> DamagedFileError:
    """Returns the error for a file that was read and found wrong."""
    return DamagedFileError(
        f"The file must be {expected}. {remedy} Received: path={os.fspath(path)!r} ({reason})"
    )


def check_regular(
    path: str | os.PathLike[str], expected: str, remedy: str, largest: int | None = None
) -> int:
    """Refuses what is no regular file (a pipe or a device could block for ever) or too large.

    Returns:
        The size of the file in bytes.

    Raises:
        DamagedFileError: Not a regular file, or more than `largest` bytes.
        FileNotFoundError: The file is missing.
    """
    with reading(path, expected, remedy):
        found = os.stat(path)
        if not stat.S_ISREG(found.st_mode):
            raise damaged(path, expected, remedy, "it is not a regular file")
        if largest is not None and found.st_size > largest:
            reason = f"{found.st_size} bytes, at most {largest} are read"
            raise damaged(path, expected, remedy, reason)
    return found.st_size


def read_bytes(
    path: str | os.PathLike[str], expected: str, remedy: str, largest: int = MAX_TEXT_BYTES
) -> bytes:
    """Returns the content of a regular file of at most `largest` bytes.

    Raises:
        As `check_regular`.
    """
    check_regular(path, expected, remedy, largest)
    with reading(path, expected, remedy):
        return pathlib.Path(path).read_bytes()


def read_json(
    path: str | os.PathLike[str],
    expected: str,
    remedy: str,
    kind: type | tuple[type, ...] = dict,
    largest: int = MAX_TEXT_BYTES,
) -> Any:
    """Returns the value of a JSON file in UTF-8.

    Args:
        path: The file.
        expected: See `reading`.
        remedy: See `reading`.
        kind: Types that the value may have. Default: dict.
        largest: Bytes that are read at most.

    Raises:
        As `reading`.
    """
    text = read_bytes(path, expected, remedy, largest)
    with reading(path, expected, remedy):
        value = json.loads(text.decode("utf-8"))
    if not isinstance(value, kind):
        raise damaged(path, expected, remedy, f"it holds a {type(value).__name__}")
    return value


def read_array(
    path: str | os.PathLike[str], expected: str, remedy: str, mmap: bool = False
) -> np.ndarray:
    """Returns the array of an `.npy` file; the header is held against the size of the file first.

    Args:
        path: The file.
        expected: See `reading`.
        remedy: See `reading`.
        mmap: Whether to map the file in place of reading it. Default: False.

    Raises:
        As `reading`; also where the header announces more, or less, than the file holds.
    """
    size = check_regular(path, expected, remedy)
    with reading(path, expected, remedy):
        with open(path, "rb") as file:
            check_array_header(file, size)
        return np.load(path, mmap_mode="r" if mmap else None, allow_pickle=False)


def array_header(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype]:
    """Reads the shape and the dtype that an `.npy` file announces; nothing of that size is allocated.

    Args:
        file: Binary file at its beginning. Afterwards it is at the first number.

    Raises:
        ValueError: No `.npy` file, an unknown format, or a negative size.
    """
    version = np.lib.format.read_magic(file)
    read = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }.get(version)
    if read is None:
        raise ValueError(
            f"arrays of numbers have the .npy format 1.0 or 2.0, and this has {version}"
        )
    shape, _, dtype = read(file)
    if any(length < 0 for length in shape):
        raise ValueError(f"its header announces the shape {shape}")
    return shape, dtype


def check_array_header(file: IO[bytes], size: int) -> None:
    """Refuses an `.npy` header that does not match the size of its file, before anything is allocated.

    Args:
        file: Binary file at its beginning.
        size: Bytes of the file.

    Raises:
        ValueError: No `.npy` file, an array of Python objects, or another size.
    """
    shape, dtype = array_header(file)
    if dtype.hasobject:
        raise ValueError("an array of Python objects, which could run code")
    announced = file.tell() + dtype.itemsize * _product(shape)
    if not dtype.itemsize or announced != size:
        raise ValueError(f"a header of {announced} bytes in all, a file of {size}")


def read_folder(folder: pathlib.Path, read: Callable[[pathlib.Path], Result]) -> Result:
    """Reads several files of a folder that another process may replace at any moment.

    Args:
        folder: The folder.
        read: Called with it; called again where the folder was replaced meanwhile.

    Returns:
        What `read` made of one state of the folder.
    """
    for _ in range(_TRIES):
        with _kept_open(folder) as before:
            try:
                result = read(folder)
            except Exception:
                if _identity(folder) == before:
                    raise
            else:
                if _identity(folder) == before:
                    return result
        time.sleep(_PAUSE)
    raise OSError(
        "The folder is replaced again and again while it is read. Stop the program that writes it. "
        f"Received: path={str(folder)!r}"
    )


@contextlib.contextmanager
def _kept_open(folder: pathlib.Path) -> Iterator[tuple[int, int] | None]:
    """Returns the identity of a folder, which no other folder can take as long as this one is open."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        yield None
        return
    try:
        found = os.fstat(descriptor)
        yield found.st_dev, found.st_ino
    finally:
        os.close(descriptor)


def _identity(folder: pathlib.Path) -> tuple[int, int] | None:
    try:
        found = os.stat(folder)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _product(shape: tuple[int, ...]) -> int:
    total = 1
    for length in shape:
        total *= int(length)
    return total


def reason(error: BaseException) -> str:
    """Returns what an exception says, on one line and not for ever, as `reading` puts it into its message."""
    text = " ".join(str(error).split())[:300]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
