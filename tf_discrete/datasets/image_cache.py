"""Decoded images in one array: in memory if they fit, else once in a file that is memory mapped."""

from __future__ import annotations

import hashlib
import pathlib
import re
import shutil
from collections.abc import Callable, Iterable

import numpy as np

from tf_discrete._internal import reading, writing

MEMORY_BYTES = 2 * 2**30
"""Decoded images above this size go to a file."""

_IMAGES, _LABELS = "images.npy", "labels.npy"


def fill(
    count: int,
    image_shape: tuple[int, int, int],
    decode: Callable[[], Iterable[tuple[np.ndarray, np.ndarray]]],
    *,
    cache_dir: str,
    key: str,
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the decoded images and labels, decoded now or found in the cache.

    Args:
        count: Number of images.
        image_shape: (height, width, channels) of each.
        decode: returns an iterable of (uint8 [b, H, W, C], int [b]); called unless cached.
        cache_dir: folder for the file, made if needed; not touched while the images fit in memory.
        key: Names the content; whatever changes the images must change it.

    Returns:
        images, uint8 [count, H, W, C] (an `np.memmap` if large), and labels, int32 [count].

    Raises:
        OSError: if the file cannot be written.
        ValueError: if there are fewer or more images than `count`, or the cached file is damaged.
    """
    shape = (count, *image_shape)
    if int(np.prod(shape, dtype=np.int64)) <= MEMORY_BYTES:
        images, labels = np.empty(shape, np.uint8), np.empty(count, np.int32)
        _write(images, labels, decode())
        return images, labels
    folder = pathlib.Path(cache_dir, hashlib.sha256(f"{key} {shape}".encode()).hexdigest()[:24])
    if not folder.is_dir():
        try:
            _make_folder(folder, shape, decode)
        except FileExistsError:  # Another process was faster, with the same.
            pass
        except OSError as error:
            raise OSError(
                "Images too large for memory are decoded once into a cache file, which could not "
                f"be written ({error}). Give a data_dir with free space and write permission. "
                f"Received: cache={str(folder)!r}, {np.prod(shape, dtype=np.int64)} bytes"
            ) from error
    images = _read(folder / _IMAGES, np.uint8, shape, mmap=True)
    return images, _read(folder / _LABELS, np.int32, (count,), mmap=False)


def _read(path: pathlib.Path, dtype: type, shape: tuple[int, ...], mmap: bool) -> np.ndarray:
    """Returns an array of the cache; the header is held against the size of the file first."""
    expected = f"cached images, an array of {np.dtype(dtype)} of shape {shape}"
    remedy = f"Remove the folder {str(path.parent)!r}; the images are decoded again."
    try:
        array = reading.read_array(path, expected, remedy, mmap)
    except FileNotFoundError:
        raise reading.damaged(path, expected, remedy, "it is missing") from None
    if array.dtype != dtype or array.shape != shape:
        reason = f"it holds {array.dtype} of shape {array.shape}"
        raise reading.damaged(path, expected, remedy, reason)
    return array


def _make_folder(folder: pathlib.Path, shape: tuple[int, ...], decode: Callable) -> None:
    """Writes the cache, atomically: a folder that exists is complete."""
    with writing.new_path(folder, False, ours=lambda _: False, kind="cache of images") as new:
        writing.sweep(folder.parent, _is_key)  # Those of other images, too: they may be large.
        new.mkdir()
        needed = int(np.prod(shape, dtype=np.int64))
        free = shutil.disk_usage(new).free
        if needed > free:
            raise OSError(f"{needed} bytes are needed and {free} are free")
        images = np.lib.format.open_memmap(new / _IMAGES, mode="w+", dtype=np.uint8, shape=shape)
        labels = np.empty(shape[0], np.int32)
        _write(images, labels, decode())
        images.flush()
        np.save(new / _LABELS, labels)


def _is_key(name: str) -> bool:
    return re.fullmatch("[0-9a-f]{24}", name) is not None


def _write(
    images: np.ndarray, labels: np.ndarray, chunks: Iterable[tuple[np.ndarray, np.ndarray]]
) -> None:
    start = 0
    for image, label in chunks:
        stop = start + len(image)
        if stop <= len(images):
            images[start:stop], labels[start:stop] = image, label
        start = stop
    if start != len(images):
        raise ValueError(
            "The data set must hold as many images as it announces. Prepare it again. "
            f"Received: {start} of {len(images)} images"
        )
