"""What `get` asks of a source of images, and what the source answers."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

SPLITS = ("train", "validation", "test")
UNLABELLED = -1


@dataclasses.dataclass(frozen=True)
class Request:
    """One split of one data set, as `datasets.get` asks a source for it.

    Attributes:
        name: of the data set: a registered name or a path.
        split: "train", "validation" or "test".
        data_dir: folder of prepared data and caches, or None for the source's default.
        validation_fraction: of the training images, where no validation split exists.
        image_size: (height, width) to resize to, or None to keep the size.
        max_examples: most examples to read, or None for all.
    """

    name: str
    split: str
    data_dir: str | None = None
    validation_fraction: float = 0.1
    image_size: tuple[int, int] | None = None
    max_examples: int | None = None


class Arrays(NamedTuple):
    """The images of one split.

    Attributes:
        images: [n, H, W, C], uint8 in 0..255 or float32 in [0, 1].
        labels: int32 [n], -1 where unlabelled; None where the data set has no labels.
        num_classes: number of classes over all splits; None without labels.
        class_names: the name of each class, in the order of their numbers; None where there are none.
        white_levels: the stored values that became white, of 8 and of 16 bits; None where the data set
            has no values of that kind. See `image_file.WhiteLevels`.
    """

    images: np.ndarray
    labels: np.ndarray | None
    num_classes: int | None
    class_names: tuple[str, ...] | None = None
    white_levels: tuple[int | None, int | None] = (255, None)


EMBEDDED: dict[str, Callable[[Request], Arrays]] = {}
"""Data sets by name that need neither a file nor a download."""


def register(name: str) -> Callable[[Callable[[Request], Arrays]], Callable[[Request], Arrays]]:
    """Decorator: makes a function from a request to arrays known as a data set.

    Example:
        >>> from tf_discrete import datasets
        >>> @register("black")
        ... def black(request):
        ...     return Arrays(np.zeros([100, 8, 8, 1], np.uint8), None, None)
        >>> len(datasets.get("black", "train"))
        100
        >>> del EMBEDDED["black"]

    Raises:
        ValueError: a name that another function has.
    """

    def decorate(load: Callable[[Request], Arrays]) -> Callable[[Request], Arrays]:
        known = EMBEDDED.get(name)
        if known is not None and known.__qualname__ != load.__qualname__:
            raise ValueError(
                "A data set's name must be new. Choose another. "
                f"Received: name={name!r}, registered for {known.__qualname__}"
            )
        EMBEDDED[name] = load
        return load

    return decorate
