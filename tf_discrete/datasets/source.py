"""Requests to a source of images, its answers, and the registry of sources."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import NamedTuple, TypeVar

import numpy as np

from tf_discrete._internal.registry import Registry
from tf_discrete.datasets.on_demand import BUFFER, OnDemandImages

SPLITS = ("train", "validation", "test")
UNLABELLED = -1


@dataclasses.dataclass(frozen=True)
class Request:
    """One split of one data set, as `datasets.get` asks a source for it.

    Attributes:
        name: Name of the data set: a registered name or a path.
        split: "train", "validation" or "test".
        data_dir: folder of prepared data and caches, or None for the source's default.
        validation_fraction: Fraction of the training images, where no validation split exists.
        image_size: (height, width) to resize to, or None to keep the size.
        max_examples: most examples to read, or None for all.
        skip_unreadable: whether image files that cannot be read are left out with a warning.
        stream: Whether the images stay in their files, as `OnDemandImages`; sources that cannot do so
            load them.
        buffer: Number of images among which records of large files are shuffled.
    """

    name: str
    split: str
    data_dir: str | None = None
    validation_fraction: float = 0.1
    image_size: tuple[int, int] | None = None
    max_examples: int | None = None
    skip_unreadable: bool = False
    stream: bool = False
    buffer: int = BUFFER


class Arrays(NamedTuple):
    """The images of one split.

    Attributes:
        images: [n, H, W, C], uint8 in 0..255 or float32 in [0, 1]; `OnDemandImages` if they stay in files.
        labels: int32 [n], -1 where unlabelled; None where the data set has no labels.
        num_classes: Number of classes over all splits; None without labels.
        class_names: the name of each class, in the order of their numbers; None where there are none.
        white_levels: the stored values that became white, of 8 and of 16 bits; None where the data set
            has no values of that kind. See `image_file.WhiteLevels`.
        carved: whether the data set has no such split of its own, so that it was taken from another one.
    """

    images: np.ndarray | OnDemandImages
    labels: np.ndarray | None
    num_classes: int | None
    class_names: tuple[str, ...] | None = None
    white_levels: tuple[int | None, int | None] = (255, None)
    carved: bool = False


Load = Callable[[Request], Arrays]
"""Loads the split that a request names."""
_Load = TypeVar("_Load", bound=Load)

REGISTRY: Registry[Load] = Registry(
    "data set", "a TFDS image data set, or the path of an .npz file or of a folder of images"
)


def register(name: str) -> Callable[[_Load], _Load]:
    """Decorator: makes a data set known by a name, for `get` and the flag `--dataset`.

    The function takes a `Request` and returns the `Arrays` of the split that it names; `take_split`
    takes a split from arrays that have none.

    Raises:
        ValueError: Another function has the name.

    Example:
        >>> from tf_discrete.datasets import take_split, get
        >>> def stripes(request):
        ...     images = np.zeros([40, 8, 8, 1], np.uint8)
        ...     images[:20, ::2], images[20:, :, ::2] = 255, 255
        ...     return take_split(Arrays(images, np.repeat(np.int32([0, 1]), 20), num_classes=2), request)
        >>> with REGISTRY.restored():  # Without this line, until the program ends.
        ...     stripes = register("stripes")(stripes)
        ...     print(len(get("stripes", "test")))
        4
    """
    return REGISTRY.register(name)
