"""The data of a run: its splits, checked, and the training batches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tf_discrete import datasets
from tf_discrete.datasets.guide import GUIDE

from ..flags.run import TrainingFlags

Splits = dict[str, datasets.Split]


def load_split(config: TrainingFlags, split: str) -> datasets.Split:
    """One split of the configured data."""
    return datasets.get(
        config.dataset,
        split,
        data_dir=config.data_dir or None,
        binarization=config.binarization,
        validation_fraction=config.validation_fraction,
        seed=config.seed,
        image_size=config.image_size or None,
        max_examples=config.max_examples or None,
        skip_unreadable=config.skip_unreadable,
        stream=config.stream,
        buffer=config.shuffle_buffer,
    )


def load_splits(
    config: TrainingFlags, load: Callable[[Any, str], datasets.Split] = load_split
) -> Splits:
    """All splits, so that a bad file is refused before training; test is read at the end only.

    Args:
        config: Of the run.
        load: (config, name) -> split. Default: `load_split`.
    """
    splits = {name: load(config, name) for name in ("train", "validation", "test")}
    shapes = {name: split.image_shape for name, split in splits.items()}
    if len(set(shapes.values())) > 1:
        raise ValueError(
            f"The images of all splits must have one shape. Resize them with --image_size. See {GUIDE}. "
            f"Received: dataset={config.dataset!r} with shapes {shapes}"
        )
    if config.batch_size > len(splits["train"]):
        raise ValueError(
            "A batch must fit into the training data. Choose a smaller --batch_size. Received: "
            f"batch_size={config.batch_size}, {len(splits['train'])} training images"
        )
    return splits


def image_batches(config: Any, splits: Splits, start_epoch: int) -> datasets.IndexedBatches:
    """Endless batches of the training images, from the beginning of an epoch."""
    return splits["train"].indexed_batches(
        config.batch_size, seed=config.seed, start_epoch=start_epoch, drop_remainder=True
    )


def class_names_of(split: datasets.Split, labels: np.ndarray | None) -> list[str] | None:
    """Returns the name of the class of each label, its number where classes have no names, "" for -1."""
    if labels is None:
        return None
    names = split.class_names or tuple(map(str, range(split.num_classes or 0)))
    return [names[label] if label >= 0 else "" for label in labels]


def some_images(split: datasets.Split, most: int = 500) -> tuple[np.ndarray, np.ndarray | None]:
    """The first images of a split and their labels, or None."""
    batch = next(iter(split.batches(min(most, len(split)))))
    labels = batch.get("label")
    return batch["image"].numpy(), None if labels is None else labels.numpy()
