"""A folder of image files: flat, or one subfolder for each class."""

from __future__ import annotations

import functools
import os
import warnings
from collections.abc import Iterator, Sequence

import numpy as np

from tf_discrete._internal.counted import counted
from tf_discrete.datasets import folder_layout, image_cache, image_file, splitting
from tf_discrete.datasets.folder_images import FolderImages
from tf_discrete.datasets.folder_layout import UNLABELLED_FOLDER
from tf_discrete.datasets.image_file import Header, WhiteLevels
from tf_discrete.datasets.source import UNLABELLED, Arrays, Request

_CHUNK = 256
_REFUSED_SHOWN = 20
_told: set[str] = set()
"""Files that cannot be read, with the reason, of which a warning has told."""
_CONSULTED = 1000
_DECODING = 2
"""Version of the way from files to pixels; a cache of another one is not used."""


def load(request: Request) -> Arrays:
    """Loads one split of a folder of image files (of an animation, the first frame).

    Layouts: the images themselves; or a subfolder for each class, with classes numbered in the order of
    their names (of the numbers, where all names are numbers) and `unlabelled` for images without a label
    (-1). Either may stand under `train` and, optionally, `validation`, `test` and `unlabelled`. These
    names are known in any case and usual spelling: `Training`, `val`, `TEST`, `unlabeled`, `test_set`,
    `train2017`. Without explicit splits test is a fixed tenth of the images, stratified by class, and
    validation is carved from the rest.

    Files are PNG, JPEG, BMP, GIF, WebP, TIFF and PPM images, known by their extension. Others and hidden
    files are left out, and a warning says how many. Links to files and folders are followed; no image
    counts twice.

    Pixels: stored values are scaled before anything else, so that white is 255. What is white is decided
    over all splits: 1 where no file of 8 bits has a larger value, else 255; for files of 16 bits the
    smallest of 1, 255, 4095 and 65535 that holds every value. Transparency is composited over white, or
    over black where nothing could be seen on white. EXIF orientation is obeyed. Resizing comes last. If
    some images are grey and some are not, all become RGB.

    With `request.stream` the images stay in their files. Size, colour and white are then decided by 1000 of
    them, evenly spaced; a file of another size is refused when it is read.

    Args:
        request: what is wanted; `name` is the path.

    Returns:
        Arrays with uint8 images.

    Raises:
        ValueError: if there is no image, one cannot be read (unless `skip_unreadable`), or sizes differ
            without `image_size`.
    """
    root = os.path.expanduser(request.name)
    folder = folder_layout.read(root)
    folder_layout.tell(root, folder.left_out)
    if request.skip_unreadable:
        folder = _readable(root, folder)
    source = request.split if request.split in folder.splits else "train"
    listing = folder.splits[source]
    labels = _labels(folder, source, root)
    chosen = splitting.chosen(len(listing.paths), request, folder.splits, labels)

    # Grey or colour, and white, are decided over all splits, so that every split has the same.
    everything = [path for one in folder.splits.values() for path in one.paths]
    headers = {path: image_file.header(path) for path in _consulted(everything, request.stream)}
    channels = 1 if all(header.grey for header in headers.values()) else 3
    size = request.image_size or _common_size(headers)
    white = image_file.white_levels(headers)
    _tell_white(root, white)
    paths = [listing.paths[i] for i in chosen]
    images: np.ndarray | FolderImages
    if request.stream:
        images = FolderImages(paths, (*size, channels), white, request.image_size is not None)
        return _arrays(images, labels, chosen, folder, white, carved=source != request.split)

    def decode() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for begin in range(0, len(paths), _CHUNK):
            part = [
                image_file.decode(path, channels, size, white)
                for path in paths[begin : begin + _CHUNK]
            ]
            yield np.stack(part), np.full(len(part), UNLABELLED)

    images, _ = image_cache.fill(
        len(paths),
        (*size, channels),
        decode,
        cache_dir=os.path.join(
            request.data_dir or os.path.expanduser("~/.cache/tf_discrete"), "decoded"
        ),
        key=repr([_DECODING, tuple(white), *map(_identity, paths)]),
    )
    return _arrays(images, labels, chosen, folder, white, carved=source != request.split)


def _readable(root: str, folder: folder_layout.Folder) -> folder_layout.Folder:
    """Returns the folder without the files that cannot be read, and warns of each of them once.

    Raises:
        ValueError: no image of a split can be read.
    """
    refused: list[str] = []
    splits = {}
    for split, listing in folder.splits.items():
        reasons = [_refusal(*_identity(path)) for path in listing.paths]
        refused += filter(None, reasons)
        kept = [i for i, reason in enumerate(reasons) if not reason]
        if not kept:
            raise ValueError(
                "A split must hold an image that can be read. Check the files. "
                f"Received: folder={root!r} with {len(reasons)} files in {split}; {reasons[0]}"
            )
        splits[split] = folder_layout.Listing(
            [listing.paths[i] for i in kept],
            None if listing.classes is None else [listing.classes[i] for i in kept],
        )
    new = [reason for reason in refused if reason not in _told]  # Other splits are read later.
    _told.update(new)
    if new:
        more = f"\n  and {len(new) - _REFUSED_SHOWN} more" if len(new) > _REFUSED_SHOWN else ""
        warnings.warn(
            f"{counted(len(new), 'file')} in {root!r} cannot be read and {'is' if len(new) == 1 else 'are'} "
            "skipped:" + "".join(f"\n  {reason}" for reason in new[:_REFUSED_SHOWN]) + more,
            stacklevel=4,
        )
    return folder._replace(splits=splits)


@functools.lru_cache(maxsize=2**20)
def _refusal(path: str, size: int, modified: int) -> str:
    """Returns why a file cannot be read as an image, or "". Each version of a file is decoded once."""
    try:
        image_file.decode(path, 3, image_file.header(path).size, WhiteLevels())
    except (OSError, ValueError) as error:
        return str(error).split("Received: ", 1)[-1]
    return ""


def read(
    path: str | os.PathLike[str],
    image_shape: tuple[int, int, int],
    white_levels: Sequence[int | None] = WhiteLevels(),
) -> np.ndarray:
    """Reads one image file, in the shape that a model wants, by the rules of `load`.

    Args:
        path: Path of the file.
        image_shape: (height, width, channels); it is resized, and turned grey for 1 channel.
        white_levels: of the data set that the model was trained on, see `Split.white_levels`. Default:
            the smallest levels that hold the values of this file.

    Returns:
        uint8 [height, width, channels].

    Raises:
        ValueError: a file that cannot be read as an image; names it.
    """
    height, width, channels = image_shape
    return image_file.decode(os.fspath(path), channels, (height, width), WhiteLevels(*white_levels))


def files(folder: str | os.PathLike[str]) -> Iterator[str]:
    """Returns the paths of all image files in a folder and its subfolders, in order.

    Hidden files and those that are no images are left out with a warning; links are followed, and no
    file counts twice.
    """
    (paths,), left_out = folder_layout.walk([os.fspath(folder)])
    folder_layout.tell(os.fspath(folder), left_out)
    yield from paths


def _arrays(
    images: np.ndarray | FolderImages,
    labels: np.ndarray | None,
    chosen: np.ndarray,
    folder: folder_layout.Folder,
    white: WhiteLevels,
    carved: bool,
) -> Arrays:
    return Arrays(
        images,
        labels if labels is None else labels[chosen],
        len(folder.class_names) or None if folder.class_names is not None else None,
        folder.class_names or None,
        white,
        carved=carved,
    )


def _consulted(paths: list[str], stream: bool) -> list[str]:
    """Returns the files whose headers decide on size, colour and white: all, or some of those that stay."""
    if not stream or len(paths) <= _CONSULTED:
        return paths
    return [paths[i] for i in np.linspace(0, len(paths) - 1, _CONSULTED).round().astype(int)]


def _identity(path: str) -> tuple[str, int, int]:
    """Returns a key that changes when a file does."""
    # A link to nowhere is refused when it is read.
    status = os.stat(path) if os.path.exists(path) else os.lstat(path)
    return os.path.abspath(path), status.st_size, status.st_mtime_ns


def _labels(folder: folder_layout.Folder, source: str, root: str) -> np.ndarray | None:
    """Returns labels int32 of the source's images."""
    wanted = folder.splits[source].classes
    if wanted is None:
        return None
    names = folder.class_names or ()
    number = {name: i for i, name in enumerate(names)} | {UNLABELLED_FOLDER: UNLABELLED}
    unknown = sorted(set(wanted) - set(number))
    if unknown:
        raise ValueError(
            "The classes of validation and test must be among those of train. Rename or move the folders. "
            f"Received: folder={root!r} with {unknown} in {source} and {list(names)} in train"
        )
    return np.array([number[name] for name in wanted], np.int32)


def _tell_white(root: str, white: WhiteLevels) -> None:
    if white.sixteen not in (None, 65535):
        warnings.warn(
            f"No image of 16 bits in {root!r} has a value above {white.sixteen}, so {white.sixteen} is taken "
            "as white. Rescale the files to 0..65535 if that is wrong.",
            stacklevel=3,
        )


def _common_size(headers: dict[str, Header]) -> tuple[int, int]:
    (first, (size, *_)), *rest = headers.items()
    for path, (other, *_) in rest:
        if other != size:
            raise ValueError(
                "Images must all have one size. Give image_size=(height, width) to resize them. Received: "
                f"{first!r} of {size} and {path!r} of {other}"
            )
    return size
