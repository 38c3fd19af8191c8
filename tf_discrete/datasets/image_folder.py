"""A folder of image files: flat, or one subfolder for each class."""

from __future__ import annotations

import contextlib
import os
import struct
import zlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from PIL import ExifTags, Image, ImageOps

from tf_discrete.datasets import carving, image_cache, resizing
from tf_discrete.datasets.source import SPLITS, UNLABELLED, Arrays, Request

EXTENSIONS = (".png", ".jpg", ".jpeg", ".bmp", ".gif")
UNLABELLED_FOLDER = "unlabelled"

_CHUNK = 256
_GREY_MODES = ("1", "L", "LA", "I", "I;16", "I;16B")  # Pillow's names
_UNREADABLE = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,  # More pixels than Pillow thinks safe to decode.
)


class _Listing(NamedTuple):
    paths: list[str]
    classes: list[str] | None  # the subfolder of each image; None for a flat folder


def load(request: Request) -> Arrays:
    """One split of a folder of png, jpg, bmp and gif files (of an animation, the first frame).

    Layouts: the images themselves; or a subfolder for each class, with classes numbered in the order of
    their names and `unlabelled` for images without a label (-1). Either may stand under `train/` and,
    optionally, `validation/` and `test/`. Without them test is a fixed tenth of the images, stratified by
    class, and validation is carved from the rest. Hidden files and other kinds of files are left out.
    If some images are grey and some are not, all become RGB.

    Args:
        request: what is wanted; `name` is the path.

    Returns:
        Arrays with uint8 images.

    Raises:
        ValueError: if there is no image, one cannot be read, or sizes differ without `image_size`.
    """
    root = os.path.expanduser(request.name)
    folders = _split_folders(root)
    listings = {split: _list(folder) for split, folder in folders.items()}
    source = request.split if request.split in listings else "train"
    listing = listings[source]
    labels, num_classes = _labels(listings, source, root)
    start, stop = 0, len(listing.paths)
    order = np.arange(stop)
    if source == "train":
        start, stop = carving.bounds(stop, request, explicit=listings)
        order = carving.stratified_order(len(order), labels)
    elif request.max_examples is not None:
        stop = min(stop, request.max_examples)
    chosen = order[start:stop]

    # Grey or colour is decided over all splits, so that every split has the same shape.
    headers = {path: _header(path) for one in listings.values() for path in one.paths}
    channels = 1 if all(grey for _, grey in headers.values()) else 3
    size = request.image_size or _common_size(headers)
    paths = [listing.paths[i] for i in chosen]

    def decode() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for begin in range(0, len(paths), _CHUNK):
            part = [_decode(path, channels, size) for path in paths[begin : begin + _CHUNK]]
            yield np.stack(part), np.full(len(part), UNLABELLED)

    images, _ = image_cache.fill(
        len(paths),
        (*size, channels),
        decode,
        cache_dir=os.path.join(
            request.data_dir or os.path.expanduser("~/.cache/tf_discrete"), "decoded"
        ),
        key=repr([(os.path.abspath(p), os.path.getsize(p), os.stat(p).st_mtime_ns) for p in paths]),
    )
    return Arrays(images, labels if labels is None else labels[chosen], num_classes)


def read(path: str | os.PathLike[str], image_shape: tuple[int, int, int]) -> np.ndarray:
    """One image file, in the shape that a model wants.

    Args:
        path: of a png, jpg, bmp or gif file.
        image_shape: (height, width, channels); it is resized, and turned grey for 1 channel.

    Returns:
        uint8 [height, width, channels].

    Raises:
        ValueError: a file that cannot be read as an image; names it.
    """
    height, width, channels = image_shape
    return _decode(os.fspath(path), channels, (height, width))


def files(folder: str | os.PathLike[str]) -> Iterator[str]:
    """The paths of all image files in a folder and its subfolders, in order; hidden ones are left out."""
    for where, inside, _ in os.walk(os.fspath(folder)):
        inside[:] = sorted(name for name in inside if name[0] != ".")
        yield from _image_files(where)


def _split_folders(root: str) -> dict[str, str]:
    """{"train": ...} and the other splits that the folder keeps apart."""
    inside = _subfolders(root)
    splits = [split for split in SPLITS if split in inside]
    if not splits:
        return {"train": root}
    if "train" not in splits or len(inside) > len(splits) or _image_files(root):
        raise ValueError(
            "A folder that is split must hold train and, optionally, validation and test, and nothing else. "
            f"Move or rename the rest. Received: folder={root!r} with subfolders {inside} and "
            f"{len(_image_files(root))} images beside them"
        )
    return {split: os.path.join(root, split) for split in splits}


def _list(folder: str) -> _Listing:
    flat, inside = _image_files(folder), _subfolders(folder)
    if flat and inside:
        raise ValueError(
            "A folder must hold either images or a subfolder for each class. Move the images into a "
            f"subfolder (or {UNLABELLED_FOLDER!r}). Received: folder={folder!r} with {len(flat)} images and "
            f"subfolders {inside}"
        )
    if flat:
        return _Listing(flat, None)
    paths: list[str] = []
    classes: list[str] = []
    for name in inside:
        found = sorted(
            path
            for where, _, _ in os.walk(os.path.join(folder, name))
            for path in _image_files(where)
        )
        if not found:
            raise ValueError(
                f"Each subfolder must hold images ({', '.join(EXTENSIONS)}). Remove the empty one. "
                f"Received: folder={os.path.join(folder, name)!r}"
            )
        paths += found
        classes += [name] * len(found)
    if not paths:
        raise ValueError(
            f"A folder of images must hold images ({', '.join(EXTENSIONS)}), or a subfolder of them for "
            f"each class. Check the path. Received: folder={folder!r}"
        )
    return _Listing(paths, classes)


def _subfolders(folder: str) -> list[str]:
    return sorted(
        entry.name for entry in os.scandir(folder) if entry.is_dir() and entry.name[0] != "."
    )


def _image_files(folder: str) -> list[str]:
    """Paths, those of links to nowhere too: whoever reads them is told."""
    return sorted(
        entry.path
        for entry in os.scandir(folder)
        if entry.name[0] != "."
        and entry.name.lower().endswith(EXTENSIONS)
        and (os.path.isfile(entry.path) or not os.path.exists(entry.path))
    )


def _labels(
    listings: dict[str, _Listing], source: str, root: str
) -> tuple[np.ndarray | None, int | None]:
    """Labels int32 of the source's images, and the number of classes."""
    wanted = listings[source].classes
    if wanted is None:
        return None, None
    names = sorted(set(listings["train"].classes or ()) - {UNLABELLED_FOLDER})
    number = {name: i for i, name in enumerate(names)} | {UNLABELLED_FOLDER: UNLABELLED}
    unknown = sorted(set(wanted) - set(number))
    if unknown:
        raise ValueError(
            "The classes of validation and test must be among those of train. Rename or move the folders. "
            f"Received: folder={root!r} with {unknown} in {source} and {names} in train"
        )
    return np.array([number[name] for name in wanted], np.int32), len(names) or None


@contextlib.contextmanager
def _opened(path: str) -> Iterator[Any]:
    """The image, not decoded yet; whatever its reader raises becomes one error that names the file."""
    try:
        with Image.open(path) as image:
            yield image
    except _UNREADABLE as error:
        raise ValueError(
            f"Images must be whole, readable files of these kinds: {', '.join(EXTENSIONS)}. Remove or "
            f"replace the file. Received: {path!r}: {type(error).__name__}: {error}"
        ) from error


def _header(path: str) -> tuple[tuple[int, int], bool]:
    """(height, width) as the image is to be seen, and whether it is grey."""
    with _opened(path) as image:
        on_its_side = image.getexif().get(ExifTags.Base.Orientation, 1) >= 5
        size = image.size if on_its_side else image.size[::-1]
        if image.mode == "P":
            colours = np.reshape(image.getpalette("RGB"), (-1, 3))
            return size, bool((colours == colours[:, :1]).all())
        return size, image.mode in _GREY_MODES


def _decode(path: str, channels: int, size: tuple[int, int]) -> np.ndarray:
    """uint8 [*size, channels]."""
    with _opened(path) as image:
        image = ImageOps.exif_transpose(image)
        if image.mode.startswith("I"):  # 16 bits
            image = Image.fromarray((np.asarray(image) // 257).astype(np.uint8))
        pixels = np.asarray(image.convert("L" if channels == 1 else "RGB"))
    return resizing.resize(pixels.reshape(1, *pixels.shape[:2], channels), size)[0]


def _common_size(headers: dict[str, tuple[tuple[int, int], bool]]) -> tuple[int, int]:
    (first, (size, _)), *rest = headers.items()
    for path, (other, _) in rest:
        if other != size:
            raise ValueError(
                "Images must all have one size. Give image_size=(height, width) to resize them. Received: "
                f"{first!r} of {size} and {path!r} of {other}"
            )
    return size
