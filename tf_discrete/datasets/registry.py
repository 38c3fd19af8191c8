"""Data sets by name or path: the one entrance."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence

import numpy as np

from tf_discrete._internal import checks
from tf_discrete.datasets import embedded as embedded  # Registers its own.
from tf_discrete.datasets import (
    guide,
    image_folder,
    npz_file,
    pipeline,
    record_folder,
    tfds_images,
)
from tf_discrete.datasets.on_demand import BUFFER, OnDemandImages
from tf_discrete.datasets.source import REGISTRY, SPLITS, Load, Request
from tf_discrete.datasets.split import Split

_CHECKED_ON_DISK = 4096
_CHECKED_IN_FILES = 256


def names() -> tuple[str, ...]:
    """Returns the registered data sets; what is not among them is read from TFDS or from files.

    Example:
        >>> "digits" in names()
        True
    """
    return tuple(REGISTRY)


def get(
    name: str | os.PathLike[str],
    split: str,
    *,
    data_dir: str | os.PathLike[str] | None = None,
    binarization: str = "none",
    validation_fraction: float = 0.1,
    seed: int = 0,
    image_size: Sequence[int] | None = None,
    max_examples: int | None = None,
    skip_unreadable: bool = False,
    stream: bool = False,
    buffer: int = BUFFER,
) -> Split:
    """Loads one split of a data set.

    Splits never depend on a seed: validation is carved from train (unless the data set has its own), and
    no test image is ever in train or validation.

    Args:
        name: a registered data set (`names()`), a TFDS image data set ("mnist", "binarized_mnist",
            "fashion_mnist", ...), the path of an `.npz` file or of a folder of images. A folder named
            like a TFDS data set is meant by "./name". See `npz_file.load` and `image_folder.load` for
            the keys and the layouts.
        split: "train", "validation" or "test".
        data_dir: folder of prepared TFDS data, and of caches of very large data. Default: TFDS' own.
        binarization: 'none', 'threshold', 'static' or 'dynamic'; see `Split.batches`.
        validation_fraction: Float in (0, 1), fraction of the training images; ignored if a validation split
            exists.
        seed: Seed of static binarisation, and the default of `Split.batches`.
        image_size: (height, width) to resize to; needed where sizes differ.
        max_examples: Maximum number of examples of the split, stratified by class; of a TFDS data set
            the first ones.
        skip_unreadable: Bool, whether files of a folder that cannot be read as images are left out, with
            a warning that names them. Every file is then decoded once more. Default: False, they are
            refused.
        stream: Bool, whether images stay in their files and are decoded when a batch is read, for data larger
            than memory. For folders of images or of TFRecord files, and TFDS data. Default: False; they are
            decoded once.
        buffer: Int, number of images among which the records of TFRecord files are shuffled, after the
            files themselves. Default: 10 000.

    Returns:
        Split.

    Raises:
        ValueError: for an unknown data set, bad files or bad arguments.
        FileNotFoundError: for a path that does not exist.
        RuntimeError: if TFDS can neither find nor download the data.
        ImportError: if TFDS is needed and not installed.

    Example:
        >>> get("digits", "test", binarization="threshold")
        Split(name='digits', split='test', num_classes=10, binarization='threshold', seed=0)
    """
    checks.choice("split", split, SPLITS)
    checks.choice("binarization", binarization, pipeline.BINARIZATIONS)
    checks.number("validation_fraction", validation_fraction, above=0, below=1)
    size = checks.optional(_height_and_width, "image_size", image_size)
    max_examples = checks.optional(checks.whole, "max_examples", max_examples, 1, checks.INT64_MAX)
    seed = checks.seed("seed", seed)
    name = checks.path("name", name)
    request = Request(
        name=name,
        split=split,
        data_dir=None
        if data_dir is None
        else os.path.expanduser(checks.path("data_dir", data_dir)),
        validation_fraction=validation_fraction,
        image_size=size,
        max_examples=max_examples,
        skip_unreadable=checks.flag("skip_unreadable", skip_unreadable),
        stream=checks.flag("stream", stream),
        buffer=checks.whole("buffer", buffer),
    )
    with guide.named():
        arrays = _source(name, request.data_dir)(request)
    _tell_constant(arrays.images, request)
    return Split(
        name=name,
        split=split,
        images=arrays.images,
        labels=arrays.labels,
        num_classes=arrays.num_classes,
        binarization=binarization,
        seed=seed,
        class_names=arrays.class_names,
        white_levels=arrays.white_levels,
        carved=arrays.carved,
    )


def _tell_constant(images: np.ndarray | OnDemandImages, request: Request) -> None:
    """Warns of images of one colour; checks only the beginning of a data set on disk."""
    if isinstance(images, OnDemandImages):
        images = images.sample(_CHECKED_IN_FILES)
    if isinstance(images, np.memmap):
        images = images[:_CHECKED_ON_DISK]
    count = sum(
        int((part.min(axis=(1, 2)) == part.max(axis=(1, 2))).all(axis=1).sum())
        for part in (images[i : i + 1024] for i in range(0, len(images), 1024))
    )
    if count:
        warnings.warn(
            "An image of one colour has nothing to learn from. Check the files, their bit depth and their "
            f"transparency. Received: name={request.name!r}, where {count} of {len(images)} images of "
            f"{request.split} have one colour",
            stacklevel=3,
        )


def _height_and_width(name: str, value: object) -> tuple[int, int]:
    try:
        height, width = checks.sizes(name, value)
    except ValueError:
        checks.refuse(name, "(height, width), both integers >= 1", value)
    return height, width


def _source(name: str, data_dir: str | None) -> Load:
    if name in REGISTRY:
        return REGISTRY.entry(name)
    if name.lower().endswith(".npz"):
        return npz_file.load
    path = os.path.expanduser(name)
    bare = os.path.basename(name) == name
    if os.path.isdir(path) and not (bare and tfds_images.knows(name, data_dir)):
        return record_folder.load if record_folder.shards(path) else image_folder.load
    if os.path.isfile(path):
        raise ValueError(
            "A file of images must be an .npz. Write one with np.savez, or give the folder that holds the "
            f"images. Received: name={name!r}"
        )
    if os.path.isabs(path) or name.startswith("."):
        raise FileNotFoundError(
            "The path of an .npz file or of a folder of images must exist. Check it. "
            f"Received: name={name!r}"
        )
    return tfds_images.load
