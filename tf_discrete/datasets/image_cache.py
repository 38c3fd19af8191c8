"""Decoded images in one array: in memory if they fit, else once in a file that is memory mapped."""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
from collections.abc import Callable, Iterable

import numpy as np

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
    """The decoded images and labels, decoded now or found in the cache.

    Args:
        count: number of images.
        image_shape: (height, width, channels) of each.
        decode: returns an iterable of (uint8 [b, H, W, C], int [b]); called unless cached.
        cache_dir: folder for the file, made if needed; not touched while the images fit in memory.
        key: names the content; whatever changes the images must change it.

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
    folder = os.path.join(cache_dir, hashlib.sha256(f"{key} {shape}".encode()).hexdigest()[:24])
    if not os.path.isdir(folder):
        try:
            _make_folder(folder, shape, decode)
        except OSError as error:
            raise OSError(
                "Images too large for memory are decoded once into a cache file, which could not "
                f"be written ({error}). Give a data_dir with room and write permission. "
                f"Received: cache={folder!r}, {np.prod(shape, dtype=np.int64)} bytes"
            ) from error
    images = _read(folder, _IMAGES, np.uint8, shape)
    return images, np.array(_read(folder, _LABELS, np.int32, (count,)))


def _read(folder: str, name: str, dtype: type, shape: tuple[int, ...]) -> np.ndarray:
    """A mapped array of the cache; mapping refuses a file that is shorter than its header says."""
    path = os.path.join(folder, name)
    try:
        if not os.path.isfile(path):
            raise ValueError("it is missing or no regular file")
        array = np.load(path, mmap_mode="r", allow_pickle=False)
        if not isinstance(array, np.memmap) or array.dtype != dtype or array.shape != shape:
            raise ValueError("it holds something else")
    except Exception as error:  # NumPy's reader raises whatever its parser meets.
        raise ValueError(
            f"The cached images must be an array of {np.dtype(dtype)} of shape {shape}. Remove the folder "
            f"{folder!r}; the images are decoded again. Received: {path!r}: "
            f"{type(error).__name__}: {error}"
        ) from error
    return array


def _make_folder(folder: str, shape: tuple[int, ...], decode: Callable) -> None:
    """Writes under a temporary name and renames at the end: a folder that exists is complete."""
    os.makedirs(os.path.dirname(folder), exist_ok=True)
    temporary = os.path.join(os.path.dirname(folder), f".incomplete-{secrets.token_hex(8)}")
    os.mkdir(temporary)  # Others may read it as far as the umask allows; mkdtemp would forbid it.
    try:
        needed = int(np.prod(shape, dtype=np.int64))
        free = shutil.disk_usage(temporary).free
        if needed > free:
            raise OSError(f"{needed} bytes are needed and {free} are free")
        path = os.path.join(temporary, _IMAGES)
        images = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape)
        labels = np.empty(shape[0], np.int32)
        _write(images, labels, decode())
        images.flush()
        np.save(os.path.join(temporary, _LABELS), labels)
        try:
            os.rename(temporary, folder)
        except OSError:
            if not os.path.isdir(folder):  # otherwise another process was faster, with the same
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


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
