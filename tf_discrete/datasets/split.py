"""One split of a data set: its images in memory or on disk, and batches of them."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tf_discrete._internal import checks
from tf_discrete.datasets import fingerprint, orders, pipeline
from tf_discrete.datasets.indexed_batches import WHOLE, IndexedBatches, Share
from tf_discrete.datasets.on_demand import OnDemandImages
from tf_discrete.datasets.source import SPLITS
from tf_discrete.types import SeedLike


@dataclasses.dataclass(frozen=True, eq=False)
class Split:
    """The images of one split, with the labels if there are any.

    Attributes:
        name: Name of the data set, as given to `datasets.get`.
        split: "train", "validation" or "test".
        images: [n, H, W, C], uint8 in 0..255 or float32 in [0, 1]; an `np.memmap` if large,
            or `OnDemandImages` that stay in their files.
        labels: int32 [n], -1 where unlabelled; None where the data set has no labels.
        num_classes: Number of classes over all splits; None without labels.
        binarization: 'none', 'threshold', 'static' or 'dynamic'; see `batches`.
        seed: Seed of static binarisation, and of `batches` unless that is given its own.
        class_names: the name of each class, in the order of their numbers; None where there are none.
        white_levels: the stored values that became white (1.0), of 8 and of 16 bits; None where the data
            have no values of that kind. `image_folder.read` takes them, so that a single file is scaled
            as the data set was.
        carved: whether the data set has no such split of its own, so that it was taken from another one.

    Example:
        >>> import tf_discrete.datasets as datasets
        >>> data = datasets.get("digits", "train", binarization="dynamic")
        >>> len(data), data.image_shape, data.num_classes
        (1294, (8, 8, 1), 10)
    """

    name: str
    split: str
    images: np.ndarray | OnDemandImages = dataclasses.field(repr=False)
    labels: np.ndarray | None = dataclasses.field(repr=False)
    num_classes: int | None
    binarization: str = "none"
    seed: int = 0
    class_names: tuple[str, ...] | None = dataclasses.field(default=None, repr=False)
    white_levels: tuple[int | None, int | None] = dataclasses.field(default=(255, None), repr=False)
    carved: bool = dataclasses.field(default=False, repr=False)

    def __post_init__(self) -> None:
        checks.text("name", self.name)
        checks.choice("split", self.split, SPLITS)
        checks.choice("binarization", self.binarization, pipeline.BINARIZATIONS)
        checks.seed("seed", self.seed)
        checks.optional(checks.whole, "num_classes", self.num_classes)
        _check_images(self.images)
        if self.labels is not None:
            _check_labels(self.labels, len(self.images))
        if self.class_names is not None:
            _check_class_names(self.class_names, self.num_classes)
        check_white_levels(self.white_levels)
        object.__setattr__(self, "carved", checks.flag("carved", self.carved))

    def __len__(self) -> int:
        return len(self.images)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(height, width, channels)."""
        height, width, channels = self.images.shape[1:]
        return height, width, channels

    @functools.cached_property
    def fingerprint(self) -> str:
        """Identity of the data: a SHA-256 over images and labels, 64 hexadecimal digits.

        Two splits with the same images and labels in the same order have the same fingerprint,
        whatever their name, binarisation and seed. Of images of more than 2 GiB only evenly spaced
        chunks are read; see `fingerprint.of`.

        Example:
            >>> import tf_discrete.datasets as datasets
            >>> one, other = (datasets.get("digits", "test", seed=seed) for seed in (0, 1))
            >>> one.fingerprint == other.fingerprint
            True
        """
        if isinstance(self.images, OnDemandImages):
            return self.images.fingerprint(self.labels)
        return fingerprint.of(self.images, self.labels)

    @functools.cached_property
    def in_memory(self) -> tf.Tensor:
        """Returns the images as a tensor in memory, which batches of small data are gathered from."""
        return pipeline.load_into_memory(self)

    def steps_per_epoch(self, batch_size: int, drop_remainder: bool = False) -> int:
        """Returns the number of batches in an epoch.

        Example:
            >>> import tf_discrete.datasets as datasets
            >>> datasets.get("digits", "train").steps_per_epoch(100)
            13
        """
        return orders.steps_per_epoch(len(self), batch_size, drop_remainder)

    def batches(
        self,
        batch_size: int,
        *,
        seed: SeedLike | None = None,
        start_epoch: int = 0,
        shuffle: bool = False,
        repeat: bool = False,
        drop_remainder: bool = False,
        share: Share = WHOLE,
    ) -> tf.data.Dataset:
        """Returns batches of the split, in an order that depends on the seed and the epoch alone.

        A run that was stopped continues with `start_epoch=k` and sees exactly what it would have
        seen from epoch k on. Binarisation:

        - 'none': intensities in [0, 1].
        - 'threshold': 1 where the intensity is above 0.5.
        - 'static': each pixel is drawn once with its intensity as the probability, from the seed of
          this split and the index of the example: the same in every epoch and batch size.
        - 'dynamic': drawn afresh in every epoch. Validation and test images are drawn once, from a
          fixed seed, so that two evaluations (and two runs) score the same images.

        Args:
            batch_size: at least 1.
            seed: Seed of order and dynamic binarisation: an int or an int32 tensor [2]. Default: the
                seed of the split.
            start_epoch: the epoch to begin with, from 0.
            shuffle: Bool, whether each epoch has a new order.
            repeat: go on for ever; otherwise one epoch.
            drop_remainder: leave out the last batch of an epoch if it is not full.
            share: The share of every batch that is read, for one of several workers; the same images
                with the same pixels. Default: the whole batch.

        Returns:
            tf.data.Dataset of dicts: "image", float32 [B, H, W, C] in [0, 1], and, if there are
            labels, "label", int32 [B].

        Raises:
            ValueError: if batch_size < 1, start_epoch < 0, or no batch could be filled.

        Example:
            >>> import tf_discrete.datasets as datasets
            >>> batches = datasets.get("digits", "train").batches(100, shuffle=True)
            >>> next(iter(batches))["image"].shape
            TensorShape([100, 8, 8, 1])
        """
        return pipeline.batches(
            self,
            batch_size,
            seed=seed,
            start_epoch=start_epoch,
            shuffle=shuffle,
            repeat=repeat,
            drop_remainder=drop_remainder,
            share=share,
        )

    def indexed_batches(
        self,
        batch_size: int,
        *,
        seed: SeedLike | None = None,
        start_epoch: int = 0,
        shuffle: bool = True,
        drop_remainder: bool = False,
    ) -> IndexedBatches:
        """Returns the endless batches of `batches(repeat=True)` as indices, for the compiled loop of `fit`.

        Args:
            batch_size: as of `batches`, and so are all that follow.
            seed: Default: the seed of the split.
            start_epoch: Default: 0.
            shuffle: Default: True.
            drop_remainder: Default: False.

        Raises:
            ValueError: see `batches`.

        Example:
            >>> import tf_discrete.datasets as datasets
            >>> from tf_discrete.models import CategoricalVAE
            >>> data = datasets.get("digits", "train", binarization="dynamic")
            >>> model = CategoricalVAE(data.image_shape, num_variables=4, hidden_units=())
            >>> model.compile("adam", steps_per_execution=13)
            >>> history = model.fit(data.indexed_batches(100), epochs=2, verbose=0)
            >>> len(history.history["loss"])
            2
        """
        return pipeline.indexed_batches(
            self,
            batch_size,
            seed=seed,
            start_epoch=start_epoch,
            shuffle=shuffle,
            drop_remainder=drop_remainder,
        )


def _check_images(images: Any) -> None:
    right = isinstance(images, (np.ndarray, OnDemandImages)) and images.ndim == 4
    if not right or images.dtype not in (np.uint8, np.float32):
        checks.refuse("images", "an array [n, H, W, C] of uint8 or float32", images)


def _check_labels(labels: np.ndarray, count: int) -> None:
    right = isinstance(labels, np.ndarray) and labels.shape == (count,)
    if not right or not np.issubdtype(labels.dtype, np.integer):
        checks.refuse("labels", f"an array [{count}] of integers, one for each image", labels)


def _check_class_names(names: tuple[str, ...], num_classes: int | None) -> None:
    right = isinstance(names, tuple) and all(isinstance(name, str) for name in names)
    if not right or len(names) != num_classes:
        rule = f"a tuple of {num_classes} names, one for each class, or None"
        checks.refuse("class_names", rule, names)


def check_white_levels(levels: Sequence[int | None]) -> None:
    """Refuses what is no pair of stored values, of 8-bit and of 16-bit images; None where unknown.

    Raises:
        ValueError: It is none.
    """
    if not isinstance(levels, (tuple, list)) or len(levels) != 2:
        checks.refuse("white_levels", "a pair, of 8-bit and of 16-bit images", levels)
    for level in levels:
        checks.optional(checks.whole, "white_levels", level)
