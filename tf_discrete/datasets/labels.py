"""Few labels of many images: which ones, and batches of both."""

from __future__ import annotations

import dataclasses
from typing import cast

import numpy as np
import tensorflow as tf

from tf_discrete import seeds
from tf_discrete.datasets import guide, pipeline
from tf_discrete.datasets.indexed_batches import WHOLE, Epoch, IndexedBatches, Indices, Share
from tf_discrete.datasets.source import UNLABELLED
from tf_discrete.datasets.split import Split
from tf_discrete.types import Tensor


@guide.named()
def choose(labels: np.ndarray, num_classes: int, per_class: int = 0, seed: int = 0) -> np.ndarray:
    """Chooses the examples whose labels may be used: `per_class` of each class, at random.

    Args:
        labels: int [n], -1 where unlabelled.
        num_classes: K.
        per_class: labels of each class; 0 for all that there are. Default: 0.
        seed: Seed of the choice; a larger choice of the same seed contains a smaller one. Default: 0.

    Returns:
        int64 [m], increasing.

    Raises:
        ValueError: no label at all, labels out of range, or fewer of a class than asked for (or none).

    Example:
        >>> choose(np.array([0, 1, 1, -1, 0, 1]), num_classes=2, per_class=1).shape
        (2,)
    """
    labels = check(labels, num_classes)
    available = np.bincount(labels[labels >= 0], minlength=num_classes)
    if not available.sum():
        raise ValueError(
            "Semi-supervised learning needs some labels. Label images of every class, or train "
            "trainers.categorical_vae, which needs none. "
            f"Received: labels={UNLABELLED} of all {len(labels)} images"
        )
    if per_class < 0:
        raise ValueError(
            f"per_class must be at least 1, or 0 for all labels. Received: per_class={per_class}"
        )
    short = [k for k in range(num_classes) if available[k] < max(1, per_class)]
    if short:
        raise ValueError(
            f"Each of the {num_classes} classes needs {max(1, per_class)} label(s). Label more images, or "
            "ask for fewer labels of a class. Received: "
            + ", ".join(f"class {k} with {available[k]}" for k in short[:10])
        )
    if not per_class:
        return np.flatnonzero(labels >= 0)
    order = np.random.RandomState(seed).permutation(len(labels))
    chosen = [order[labels[order] == k][:per_class] for k in range(num_classes)]
    return np.sort(np.concatenate(chosen))


@guide.named()
def check(labels: np.ndarray | None, num_classes: int | None) -> np.ndarray:
    """Returns labels int [n] in -1..K - 1.

    Raises:
        ValueError: no labels, fewer than 2 classes, or labels out of range.
    """
    if labels is None or num_classes is None:
        raise ValueError(
            "Semi-supervised learning needs some labels. Give the data labels, -1 where unlabelled, or "
            "train trainers.categorical_vae, which needs none. "
            f"Received: labels={labels!r}, num_classes={num_classes!r}"
        )
    labels = np.asarray(labels)
    if labels.dtype.kind not in "iu":
        raise ValueError(
            "Labels must be integers: classes from 0 on, -1 where unlabelled. Convert them. "
            f"Received: labels.dtype={labels.dtype}"
        )
    if num_classes < 2:
        raise ValueError(
            f"A classifier needs at least 2 classes. Received: num_classes={num_classes}"
        )
    if labels.size and not (labels.min() >= UNLABELLED and labels.max() < num_classes):
        raise ValueError(
            f"Labels must be classes in 0..{num_classes - 1}, or -1 where unlabelled. Correct them, or "
            f"set num_classes. Received: labels={labels.min()}..{labels.max()}"
        )
    return labels


def divide(data: Split, chosen: np.ndarray) -> tuple[Split, Split]:
    """Returns the labelled examples of a split, and the whole split without its labels.

    Every image is an unlabelled one too: labels are all that the second part lacks.

    Args:
        data: with labels.
        chosen: int [m], the examples whose labels are used.

    Returns:
        labelled: m examples; statically binarised ones have the bits that they have in `data`.
        unlabelled: all examples, labels -1.
    """
    assert data.labels is not None
    images, binarization = data.images[chosen], data.binarization
    if binarization == "static":
        images, binarization = pipeline.static_images(data, chosen), "none"
    labelled = dataclasses.replace(
        data, images=images, labels=data.labels[chosen], binarization=binarization
    )
    return labelled, dataclasses.replace(data, labels=np.full(len(data), UNLABELLED, np.int32))


def batches(
    labelled: Split,
    unlabelled: Split,
    labelled_batch_size: int,
    batch_size: int,
    *,
    seed: int,
    start_epoch: int = 0,
) -> tf.data.Dataset:
    """Returns endless batches of both: a fixed number of labelled rows, and of unlabelled ones.

    An epoch is one of the unlabelled images; the labelled ones come round as often as they must. A run
    that continues with `start_epoch` sees what it would have seen.

    Args:
        labelled: see `divide`.
        unlabelled: see `divide`.
        labelled_batch_size: labelled rows of a step, at most as many as there are.
        batch_size: unlabelled rows of a step.
        seed: Seed of the order and dynamic binarisation.
        start_epoch: the epoch to begin with.

    Returns:
        tf.data.Dataset of dicts: `labelled_image`, `labelled_label` and `image`.
    """
    given = (labelled, unlabelled, labelled_batch_size, batch_size)
    return indexed_batches(*given, seed=seed, start_epoch=start_epoch).stream()


def indexed_batches(
    labelled: Split,
    unlabelled: Split,
    labelled_batch_size: int,
    batch_size: int,
    *,
    seed: int,
    start_epoch: int = 0,
) -> IndexedBatches:
    """Returns what `batches` returns as indices, for the compiled loop of `fit`; takes the same arguments."""
    steps = start_epoch * unlabelled.steps_per_epoch(batch_size, drop_remainder=True)
    steps_labelled = labelled.steps_per_epoch(labelled_batch_size, drop_remainder=True)
    few = labelled.indexed_batches(
        labelled_batch_size,
        seed=seeds.fold(seeds.base(seed), "labelled"),
        start_epoch=steps // steps_labelled,
        drop_remainder=True,
    )
    many = unlabelled.indexed_batches(
        batch_size, seed=seed, start_epoch=start_epoch, drop_remainder=True
    )

    def read(indices: Indices, share: Share = WHOLE) -> dict[str, tf.Tensor]:
        one, other = (
            cast(dict[str, Tensor], batches.read(part, share))
            for batches, part in zip((few, many), indices, strict=True)
        )
        return {
            "labelled_image": one["image"],
            "labelled_label": one["label"],
            "image": other["image"],
        }

    @tf.autograph.experimental.do_not_convert
    def one_by_one(epoch: Epoch) -> tf.data.Dataset:
        return tf.data.Dataset.from_tensor_slices(epoch.full)

    @tf.autograph.experimental.do_not_convert
    def both(some: Indices, epoch: Epoch) -> Epoch:
        return Epoch((some, epoch.full))

    with tf.device("CPU:0"):
        some = few.epochs.flat_map(one_by_one).skip(steps % steps_labelled)
        some = some.batch(many.steps_per_epoch, drop_remainder=True)
        epochs = tf.data.Dataset.zip((some, many.epochs)).map(both)
    return IndexedBatches(
        epochs,
        read,
        many.steps_per_epoch,
        samples=few.samples or many.samples,
        in_memory=few.in_memory and many.in_memory,
        parallel_reads=many.parallel_reads,
    )
