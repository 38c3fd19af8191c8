"""References of the results of a run: standard errors, the mean image, a linear classifier."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

from tf_discrete import datasets
from tf_discrete._internal.mean_and_error import mean_and_error
from tf_discrete.models import DiscreteModel
from tf_discrete.types import Batch, MaskedTerm

FOR_THE_MEAN = 10_000
"""Images of streamed data from which the mean is estimated."""
MOST_LABELS = 5_000
"""Labels up to which a linear classifier is trained, which then takes seconds."""
ERROR = "_standard_error"
"""Part of the names of standard errors, see `error_name`."""


def share_error(share: float, count: int) -> float:
    """Returns the standard error of a share of independent examples.

    Example:
        >>> round(share_error(0.9, 100), 3)
        0.03
    """
    return math.sqrt(share * (1 - share) / count)


def error_name(name: str) -> str:
    """Returns the name of the standard error of a result.

    Example:
        >>> error_name("test/elbo_nats"), error_name("accuracy")
        ('test/elbo_standard_error_nats', 'accuracy_standard_error')
    """
    stem, nats = (name[:-5], "_nats") if name.endswith("_nats") else (name, "")
    return f"{stem}{ERROR}{nats}"


def with_error(name: str, values: ArrayLike) -> dict[str, float]:
    """Returns the mean of a result over examples, with its standard error where there are two or more."""
    mean, error = mean_and_error(values)
    return {name: mean} | ({error_name(name): error} if math.isfinite(error) else {})


def term_errors(model: DiscreteModel, batches: Iterable[Batch]) -> dict[str, float]:
    """Computes the standard errors over examples of what `model.evaluate` returns.

    On one device the samples are those of `model.evaluate`. With --distribute=mirrored they are others:
    there each replica has a seed of its own, and here the first one has all examples.

    Args:
        model: Trained.
        batches: Those that `model.evaluate` reads.

    Returns:
        Floats in the units of the terms, by `error_name`; without terms of a whole batch and those of a
        single example.

    Raises:
        ValueError: A batch that the model cannot read.
    """
    terms = tf.function(model.evaluation_terms, reduce_retracing=True, autograph=False)
    found: dict[str, list[np.ndarray]] = {}
    for number, batch in enumerate(batches):
        for name, term in terms(batch, tf.constant(number, tf.int64)).items():
            values = term
            if isinstance(term, MaskedTerm):
                values = tf.boolean_mask(term.values, term.weights > 0)
            if values.shape.rank:  # Not a regulariser of a whole batch.
                found.setdefault(name, []).append(values.numpy())
    errors = {
        error_name(name): mean_and_error(np.concatenate(values))[1]
        for name, values in found.items()
        if sum(map(len, values)) > 1
    }
    return {name: error for name, error in errors.items() if math.isfinite(error)}


def mean_image(split: datasets.Split) -> np.ndarray:
    """Returns the mean image of a split as it is binarised, float64 [H, W, C] in [0, 1]."""
    images = split.images
    if not isinstance(images, np.ndarray):  # They stay in their files.
        images = images.sample(FOR_THE_MEAN)
    highest = np.iinfo(images.dtype).max if images.dtype == np.uint8 else 1
    if split.binarization == "threshold":
        images, highest = images > 0.5 * highest, 1
    return images.mean(axis=0, dtype=np.float64) / highest


def image_errors(
    model: Any,
    split: datasets.Split,
    train: datasets.Split,
    progress: Callable[[int], None] | None = None,
) -> dict[str, float]:
    """Returns the squared error of a pixel, averaged: of reconstructions, and of the mean training image.

    Args:
        model: With `reconstruct`.
        split: Whose images are reconstructed, from their most probable codes.
        train: The training images.
        progress: Called with the number of images of each batch that is done. Default: None.
    """
    mean = mean_image(train)
    reconstruct = tf.function(model.reconstruct, reduce_retracing=True, autograph=False)
    errors: list[np.ndarray] = []
    of_mean: list[np.ndarray] = []
    for batch in split.batches(min(100, len(split))):
        images = batch["image"].numpy().astype(np.float64)
        shown = np.asarray(reconstruct(batch["image"]), np.float64)
        errors.append(np.square(images - shown).mean(axis=(1, 2, 3)))
        of_mean.append(np.square(images - mean).mean(axis=(1, 2, 3)))
        if progress is not None:
            progress(len(images))
    return {
        **with_error("reconstruction_mse", np.concatenate(errors)),
        **with_error("mean_image_mse", np.concatenate(of_mean)),
    }


def linear_accuracy(labelled: datasets.Split, test: datasets.Split) -> dict[str, float]:
    """Returns the test accuracy of a linear classifier of the pixels, trained on the same labels.

    It is logistic regression with scikit-learn's default penalty. Nothing is returned for test images
    without labels, for labels of fewer than two classes, or for more labels than `MOST_LABELS`.
    """
    from sklearn.linear_model import LogisticRegression

    x, y = _pixels_and_labels(labelled)
    if len(y) > MOST_LABELS or len(np.unique(y)) < 2:
        return {}
    test_x, test_y = _pixels_and_labels(test)
    if not len(test_y):
        return {}
    model = LogisticRegression(max_iter=1000).fit(x, y)
    found = float(np.mean(model.predict(test_x) == test_y))
    return {
        "test/linear_accuracy": found,
        error_name("test/linear_accuracy"): share_error(found, len(test_y)),
    }


def accuracy_by_class(probs: np.ndarray, labels: np.ndarray, names: Sequence[str]) -> str:
    """Returns the accuracy on the images of each class with its standard error, the lowest first, in words.

    Example:
        >>> probs = np.float64([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.6, 0.4]])
        >>> accuracy_by_class(probs, np.array([0, 0, 1, 1]), ("cat", "dog"))
        'accuracy of dog: 50.0 +- 35.4 %, cat: 100.0 +- 0.0 %'
    """
    right = probs.argmax(axis=-1) == labels
    shares = []
    for number, name in enumerate(names):
        own = right[labels == number]
        if len(own):
            shares.append((own.mean(), share_error(own.mean(), len(own)), name))
    parts = [
        f"{name}: {100 * share:.1f} +- {100 * error:.1f} %"
        for share, error, name in sorted(shares, key=lambda found: found[0])
    ]
    return "accuracy of " + ", ".join(parts)


def _pixels_and_labels(split: datasets.Split) -> tuple[np.ndarray, np.ndarray]:
    """Returns float32 [n, pixels] and int [n] of the examples of a split that have a label."""
    images = np.concatenate(
        [batch["image"].numpy() for batch in split.batches(min(1000, len(split)))]
    )
    labels = np.full(len(split), -1) if split.labels is None else np.asarray(split.labels)
    return images.reshape(len(images), -1)[labels >= 0], labels[labels >= 0]
