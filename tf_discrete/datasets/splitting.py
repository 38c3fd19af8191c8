"""Which examples belong to which split, where a source does not say so itself."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from tf_discrete.datasets import resizing
from tf_discrete.datasets.source import Arrays, Request

TEST_FRACTION = 0.1
_ORDER_SEED = 20161103


def take_split(
    everything: Arrays, request: Request, test_fraction: float = TEST_FRACTION
) -> Arrays:
    """The split that a request names, of arrays that have none: stratified, and the same for every seed.

    Args:
        everything: all images.
        request: Names the split, and the size to which its images are resized.
        test_fraction: Fraction of all images, in (0, 1). Default: 0.1.

    Raises:
        ValueError: if no example is left for training.

    Example:
        >>> images, labels = np.zeros([100, 8, 8, 1], np.uint8), np.repeat(np.int32([0, 1]), 50)
        >>> take_split(Arrays(images, labels, 2), Request("mine", "test")).labels.tolist()
        [0, 1, 0, 1, 0, 1, 0, 1, 0, 1]
    """
    images, labels = everything.images, everything.labels
    start, stop = bounds(len(images), request, explicit=(), test_fraction=test_fraction)
    members = stratified_order(len(images), labels)[start:stop]
    return everything._replace(
        images=resizing.resize(images[members], request.image_size),
        labels=None if labels is None else labels[members],
        carved=request.split != "train",
    )


def bounds(
    count: int, request: Request, explicit: Collection[str], test_fraction: float = TEST_FRACTION
) -> tuple[int, int]:
    """Returns the range of the split that is carved from `count` training examples.

    The examples are laid out as train, validation, test. A split that the source has as such
    (`explicit`) has length 0. The sizes depend on the count and the fractions only, so the three
    ranges are disjoint by construction.

    Args:
        count: Number of examples that the source calls training examples.
        request: Names the split and the validation fraction.
        explicit: splits that the source keeps apart from these examples.
        test_fraction: Fraction of `count`, in (0, 1).

    Returns:
        (start, stop), cut to `request.max_examples`.

    Raises:
        ValueError: if no example is left for training.

    Example:
        >>> bounds(60000, Request("mnist", "validation"), ["train", "test"])
        (54000, 60000)
    """
    test = 0 if "test" in explicit else max(1, round(count * test_fraction))
    rest = count - test
    validation = 0
    if "validation" not in explicit:
        validation = max(1, round(rest * request.validation_fraction))
    train = rest - validation
    if count < 2 or train < 1:
        raise ValueError(
            "A data set must hold enough images for training, validation and test to get at least "
            "one each. Add images, or give a smaller validation_fraction. Received: "
            f"name={request.name!r} with {count} image(s), of which {validation} would go to "
            f"validation and {test} to test"
        )
    start, stop = {
        "train": (0, train),
        "validation": (train, rest),
        "test": (rest, count),
    }[request.split]
    if request.max_examples is not None:
        stop = min(stop, start + request.max_examples)
    return start, stop


def chosen(
    count: int, request: Request, explicit: Collection[str], labels: np.ndarray | None = None
) -> np.ndarray:
    """Returns which examples of a source make up the split that is wanted, and in which order.

    A split that the source keeps apart stays whole and in its order; if `max_examples` takes a part, it
    has the classes' shares.

    Args:
        count: Number of examples: of the split if the source keeps it apart, else of train.
        request: Names the split, the validation fraction and `max_examples`.
        explicit: splits that the source keeps apart, train among them.
        labels: int [count], or None.

    Returns:
        int64 [m], indices of examples.

    Raises:
        ValueError: if no example is left for training.

    Example:
        >>> labels = np.repeat([0, 1], 50)
        >>> few = chosen(100, Request("mine", "test", max_examples=20), ["train", "test"], labels)
        >>> np.bincount(labels[few])
        array([10, 10])
    """
    if request.split == "train" or request.split not in explicit:
        start, stop = bounds(count, request, explicit)
        return stratified_order(count, labels)[start:stop]
    if request.max_examples is None or request.max_examples >= count:
        return np.arange(count)
    return stratified_order(count, labels)[: request.max_examples]


def stratified_order(count: int, labels: np.ndarray | None = None) -> np.ndarray:
    """Returns a fixed shuffled order in which every long enough run of examples has the classes' shares.

    Each class is shuffled and spread evenly over the order. It depends on the labels alone: the
    test set stays the same whatever the seed of a run.

    Args:
        count: Number of examples.
        labels: int [count], or None for a plain shuffle.

    Returns:
        int64 [count], a permutation.

    Example:
        >>> labels = np.repeat([0, 1], 50)
        >>> np.bincount(labels[stratified_order(100, labels)[:20]])
        array([10, 10])
    """
    shuffled = np.random.RandomState(_ORDER_SEED).permutation(count)
    if labels is None:
        return shuffled
    by_class = np.argsort(labels[shuffled], kind="stable")
    _, starts, sizes = np.unique(labels[shuffled][by_class], return_index=True, return_counts=True)
    place = np.empty(count)
    rank = np.arange(count) - np.repeat(starts, sizes)
    place[by_class] = (rank + 0.5) / np.repeat(sizes, sizes)
    return shuffled[np.argsort(place, kind="stable")]
