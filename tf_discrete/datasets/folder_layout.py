"""Where the images of a folder lie: its splits, its classes, and what is left out."""

from __future__ import annotations

import collections
import os
import re
import warnings
from collections.abc import Sequence
from typing import NamedTuple

from tf_discrete._internal.counted import counted
from tf_discrete.datasets.image_file import EXTENSIONS
from tf_discrete.datasets.source import SPLITS

UNLABELLED_FOLDER = "unlabelled"

_SPLIT_WORDS = {
    "train": "train",
    "training": "train",
    "valid": "validation",
    "validation": "validation",
    "val": "validation",
    "test": "test",
    "testing": "test",
}
_OF_A_SPLIT = r"[ _-]?(?:set|data|images?|split|(?:19|20)\d\d)?"  # test_set, train2017
_SYSTEM_FILES = {".ds_store", "thumbs.db", "desktop.ini", ".gitkeep", ".gitignore"}


class Listing(NamedTuple):
    """The images of one split.

    Attributes:
        paths: Paths of the files, in order.
        classes: the class folder of each image, `UNLABELLED_FOLDER` where it has no label; None for a
            flat folder.
    """

    paths: list[str]
    classes: list[str] | None


class Folder(NamedTuple):
    """The images of all splits.

    Attributes:
        splits: those that the folder keeps apart, "train" at least.
        class_names: Names of the classes of train, in the order of their numbers; None for flat folders.
        left_out: how many files were left out, by reason.
    """

    splits: dict[str, Listing]
    class_names: tuple[str, ...] | None
    left_out: collections.Counter[str]


def read(root: str) -> Folder:
    """Returns the layout of a folder, see `image_folder.load`.

    Raises:
        ValueError: unknown layout, or a class folder is empty.
        OSError: a folder that cannot be read.
    """
    left_out: collections.Counter[str] = collections.Counter()
    folders, unlabelled = _split_folders(root)
    if set(folders.values()) != {root}:
        _, others = _entries(root)
        left_out.update(others)
    splits = {
        split: _list(folder, unlabelled if split == "train" else None, left_out)
        for split, folder in folders.items()
    }
    names = _in_order(set(splits["train"].classes or ()) - {UNLABELLED_FOLDER})
    class_names = None if splits["train"].classes is None else tuple(names)
    return Folder(splits, class_names, left_out)


def walk(roots: Sequence[str]) -> tuple[list[list[str]], collections.Counter[str]]:
    """Returns the image files below some folders, links included.

    Links to folders and files are followed, after all that lies in the folders themselves. What has been
    counted already is left out, so that loops end and no image counts twice. Links to nowhere count as
    files: whoever reads them is told.

    Args:
        roots: folders.

    Returns:
        paths: Paths of the files of each root; those of a folder before those of its subfolders, by name.
        left_out: how many files were left out, by reason.
    """
    found: list[list[str]] = [[] for _ in roots]
    left_out: collections.Counter[str] = collections.Counter()
    seen_folders: set[tuple[int, int]] = set()
    seen_files: set[tuple[int, int]] = set()
    pending = collections.deque((i, root) for i, root in enumerate(roots) if not _is_link(root))
    folder_links = collections.deque((i, root) for i, root in enumerate(roots) if _is_link(root))
    file_links: list[tuple[int, str]] = []
    while pending or folder_links:
        number, folder = (pending or folder_links).popleft()
        if _key(folder) in seen_folders:
            left_out["a link to a folder that is counted already"] += 1
            continue
        seen_folders.add(_key(folder))
        images, others = _entries(folder)
        left_out.update(others)
        for path in images:
            if _is_link(path) and os.path.exists(path):
                file_links.append((number, path))
            else:
                found[number].append(path)
                seen_files.add(_key(path))
        for name in subfolders(folder):
            path = os.path.join(folder, name)
            (folder_links if _is_link(path) else pending).append((number, path))
    for number, path in file_links:
        if _key(path) in seen_files:
            left_out["a link to an image that is counted already"] += 1
            continue
        seen_files.add(_key(path))
        found[number].append(path)
    for paths in found:
        paths.sort(key=lambda path: (os.path.dirname(path).split(os.sep), path))
    return found, left_out


def tell(folder: str, left_out: collections.Counter[str]) -> None:
    """Warns of the files of a folder that were left out."""
    if not left_out:
        return
    reasons = ", ".join(f"{number} {reason}" for reason, number in sorted(left_out.items()))
    count = sum(left_out.values())
    warnings.warn(
        f"{counted(count, 'file')} in {folder!r} {'was' if count == 1 else 'were'} left out: {reasons}. "
        f"Images are files that end "
        f"in {', '.join(EXTENSIONS)}.",
        stacklevel=2,
    )


def subfolders(folder: str) -> list[str]:
    """Returns the names of the folders in a folder, in order; hidden ones are left out."""
    with os.scandir(folder) as entries:
        return sorted(e.name for e in entries if e.is_dir() and not _is_hidden(e.name))


def _is_hidden(name: str) -> bool:
    return name[0] == "." or name == "__MACOSX"


def _is_link(path: str) -> bool:
    return os.path.islink(path)


def _key(path: str) -> tuple[int, int]:
    """Returns an identity that is the same for all paths of a file or folder."""
    try:
        status = os.stat(path)
    except OSError:  # A link to nowhere.
        status = os.lstat(path)
    return status.st_dev, status.st_ino


def _entries(folder: str) -> tuple[list[str], collections.Counter[str]]:
    """Returns the paths of the image files in a folder, in order, and the reasons why others are none."""
    images: list[str] = []
    left_out: collections.Counter[str] = collections.Counter()
    with os.scandir(folder) as entries:
        for entry in entries:
            extension = os.path.splitext(entry.name)[1].lower()
            if entry.is_dir() or entry.name.lower() in _SYSTEM_FILES:
                continue
            if entry.name[0] == ".":
                left_out["hidden"] += 1
            elif extension not in EXTENSIONS:
                left_out[extension or "without an extension"] += 1
            elif entry.is_file() or not os.path.exists(entry.path):
                images.append(entry.path)
            else:
                left_out["no regular file"] += 1
    return sorted(images), left_out


def split_of(name: str) -> str | None:
    """Returns the split that a folder or a word is named after, or None."""
    match = re.fullmatch(f"({'|'.join(_SPLIT_WORDS)}){_OF_A_SPLIT}", name.strip().lower())
    return _SPLIT_WORDS[match[1]] if match else None


def _is_unlabelled(name: str) -> bool:
    return re.fullmatch(rf"un[ _-]?labell?ed{_OF_A_SPLIT}", name.strip().lower()) is not None


def _split_folders(root: str) -> tuple[dict[str, str], str | None]:
    """{"train": ...} and the other splits that the folder keeps apart, and images without labels."""
    inside = subfolders(root)
    by_split: dict[str, list[str]] = {split: [] for split in SPLITS}
    unlabelled: list[str] = []
    others: list[str] = []
    for name in inside:
        if split := split_of(name):
            by_split[split].append(name)
        else:
            (unlabelled if _is_unlabelled(name) else others).append(name)
    if not any(by_split.values()):
        return {"train": root}, None
    images, _ = _entries(root)
    if not by_split["train"] or others or images:
        raise ValueError(
            "A folder that is split must hold train and, optionally, validation, test and unlabelled, and "
            f"nothing else. Move or rename the rest. Received: folder={root!r} with subfolders {inside} and "
            f"{len(images)} images next to them"
        )
    for meaning, names in (*by_split.items(), (UNLABELLED_FOLDER, unlabelled)):
        if len(names) > 1:
            raise ValueError(
                f"Only one folder may stand for {meaning}. Move their images into one, or rename the rest. "
                f"Received: folder={root!r} with subfolders {names}"
            )
    folders = {split: os.path.join(root, names[0]) for split, names in by_split.items() if names}
    return folders, os.path.join(root, unlabelled[0]) if unlabelled else None


def _list(folder: str, unlabelled: str | None, left_out: collections.Counter[str]) -> Listing:
    """Returns the images of a split; `unlabelled` is a folder outside it whose images belong to it too."""
    flat, inside = _entries(folder)[0], subfolders(folder)
    if flat and (inside or unlabelled):
        raise ValueError(
            "A folder must hold either images or a subfolder for each class. Move the images into a "
            f"subfolder (or {UNLABELLED_FOLDER!r}). Received: folder={folder!r} with {len(flat)} images and "
            f"subfolders {inside + ([unlabelled] if unlabelled else [])}"
        )
    roots = [os.path.join(folder, name) for name in inside]
    names = [UNLABELLED_FOLDER if _is_unlabelled(name) else name for name in inside]
    if unlabelled:
        roots, names = [*roots, unlabelled], [*names, UNLABELLED_FOLDER]
    if not roots:
        (found,), reasons = walk([folder])
        left_out.update(reasons)
        if not found:
            raise ValueError(
                f"A folder of images must hold images ({', '.join(EXTENSIONS)}), or a subfolder of them for "
                f"each class. Check the path. Received: folder={folder!r}"
            )
        return Listing(sorted(found), None)
    found_by_root, reasons = walk(roots)
    left_out.update(reasons + _entries(folder)[1])
    paths: list[str] = []
    classes: list[str] = []
    for root, name, found in zip(roots, names, found_by_root, strict=True):
        if not found:
            raise ValueError(
                f"Each subfolder must hold images ({', '.join(EXTENSIONS)}). Remove the empty one. "
                f"Received: folder={root!r}"
                + (f"; left out below {folder!r}: {dict(reasons)}" if reasons else "")
            )
        paths += sorted(found)
        classes += [name] * len(found)
    return Listing(paths, classes)


def _in_order(names: set[str]) -> list[str]:
    """Returns the names of classes as they are numbered: by name, or by number where all are numbers."""
    by_name = sorted(names)
    if not all(re.fullmatch("[0-9]+", name) for name in names):
        _warn_of_splits(by_name)
        return by_name
    by_number = sorted(names, key=lambda name: (int(name), name))
    if by_number != by_name:
        shown = ", ".join(f"{i}: {name!r}" for i, name in enumerate(by_number[:12]))
        warnings.warn(
            "The names of all classes are numbers, so the classes are in the order of the numbers: "
            f"{shown}{', ...' if len(names) > 12 else ''}. Split.class_names has them all.",
            stacklevel=2,
        )
    return by_number


def _warn_of_splits(names: list[str]) -> None:
    words = re.compile(rf"(?:^|[^a-z])(?:{'|'.join(_SPLIT_WORDS)}|un[ _-]?labell?ed)(?:[^a-z]|$)")
    if odd := [name for name in names if words.search(name.lower())]:
        warnings.warn(
            f"Classes have names like splits: {odd[:10]}. If they are splits, rename the folders to train, "
            "validation, test or unlabelled.",
            stacklevel=2,
        )
